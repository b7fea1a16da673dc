"""Pictures: what probe, the regions, the anonymised and the rendered film say, against ffprobe and ffmpeg.

The faces are covered in black, so that one look at each frame tells whether one was left bare.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.anonymise import faces
from functions.detect import regions
from functions.probe.recording import probe_recording
from functions.render import video as render
from shared.contracts.asset import MediaInfo
from shared.contracts.step_engine import Engine, InputFile, Result
from shared.errors import RushesError, ValidationError
from tests.formats.judging import Verdict, ffprobe, run
from tests.formats.pictures import Film, PictureCase
from tests.formats.truth import COLOURS, SIZE, face_box, mark_box

Frames = NDArray[np.uint8]
"""``(frames, height, width, 3)``."""

_CORNERS = ((0.1, 0.15), (0.9, 0.15), (0.1, 0.85), (0.9, 0.85))
"""Where the quarters' colours are looked at, in parts of width and height."""
_FACE_BARE = 0.05
_BRIGHT = 128
_FRAME_MS = 40
_PACKET_MS = 25
"""So far apart mark and tone may be: a frame and a packet of sound."""


def judge_picture(case: PictureCase, folder: Path) -> Verdict:
    """Make the file, run probe, regions, anonymise and render, and compare."""
    film = case.make(folder)
    verdict = Verdict(case.name)
    try:
        media = probe_recording(film.path).media
        verdict.notices = media.every_notice
        _judge_probe(film, media, verdict)
        hidden = _judge_faces(film, media, folder, verdict)
        if film.still:
            _refuses_a_still(film, media, folder, verdict)
        else:
            _judge_rendered(film, media, hidden, folder, verdict)
    except RushesError as error:
        verdict.outcome, verdict.notices = error.code, (error.message,)
        if error.code != case.refused:
            verdict.wrong.append(f"refused: {error.code}: {error.message}")
        return verdict
    if case.refused:
        verdict.wrong.append(f"not refused by {case.refused}")
    if case.notice and not any(case.notice in notice for notice in verdict.notices):
        verdict.wrong.append(f"no notice says {case.notice!r}: {verdict.notices}")
    return verdict


def _judge_probe(film: Film, media: MediaInfo, verdict: Verdict) -> None:
    verdict.same("films", len(media.video), 1)
    verdict.same("size", media.video[0].shown_size, film.size)
    verdict.same("sound", media.has_audio, film.sound)
    if not film.still:
        verdict.near("duration", media.duration_ms, 1000 * film.seconds, film.slack_ms)


def _judge_faces(film: Film, media: MediaInfo, folder: Path, verdict: Verdict) -> list[InputFile]:
    found = run(regions.ENGINE, film.path, media, folder / "regions", detection_side=320)
    summary = _handed_on(regions.ENGINE, found, "video_region_summary")
    made = run(
        faces.ENGINE,
        *(film.path, media, folder / "faces"),
        inputs={"detect.regions": [summary]},
        preset="solid",
    )
    kind = "video_anonymised"
    if kind not in {output.kind for output in made.outputs}:
        kinds = [output.kind for output in made.outputs]
        verdict.wrong.append(f"anonymise: {made.state.value}: {made.reason}, {kinds}")
        return [summary]
    hidden = _handed_on(faces.ENGINE, made, kind)
    shown = pictures(hidden.path)
    verdict.same("anonymised frames", len(shown), film.frames)
    verdict.same("anonymised film's size", _square(hidden.path), _even(film.size, film.still))
    bare = [n for n, frame in enumerate(shown) if _bare(frame) > _FACE_BARE]
    verdict.same("frames with a bare face", bare, [])
    _judge_colours("anonymised", shown, film, verdict)
    if film.sync:
        _judge_sync("anonymised", hidden.path, shown, verdict)
    return [summary, hidden]


def _judge_rendered(
    film: Film, media: MediaInfo, before: Sequence[InputFile], folder: Path, verdict: Verdict
) -> None:
    if len(before) < 2:
        return
    inputs = {"detect.regions": [before[0]], "anonymise.faces": [before[1]]}
    made = run(render.ENGINE, film.path, media, folder / "render", inputs=inputs)
    (path,) = [output.path for output in made.outputs if output.kind == "video_render"]
    told = ffprobe(path, "-count_frames", "-show_format", "-show_streams")
    video = next(s for s in told["streams"] if s["codec_type"] == "video")
    sounds = [s for s in told["streams"] if s["codec_type"] == "audio"]
    pixels = video["pix_fmt"].replace("yuvj", "yuv")  # full range, from Motion JPEG
    verdict.same("codec", (video["codec_name"], pixels), ("h264", "yuv420p"))
    verdict.same("size", (video["width"], video["height"]), _even(film.size))
    verdict.same("frames", int(video["nb_read_frames"]), film.frames)
    verdict.same("sound", [s["codec_name"] for s in sounds], ["aac"] * film.sound)
    length_ms = 1000 * float(told["format"]["duration"])
    verdict.near("rendered length", length_ms, 1000 * film.seconds, film.slack_ms + 20)
    shown = pictures(path)
    _judge_colours("rendered", shown, film, verdict)
    if film.sync:
        _judge_sync("rendered", path, shown, verdict)


def _refuses_a_still(film: Film, media: MediaInfo, folder: Path, verdict: Verdict) -> None:
    try:
        run(render.ENGINE, film.path, media, folder / "render", faces="original")
    except ValidationError:
        return
    except RushesError as error:
        verdict.same("a still that is rendered", error.code, "validation_error")
        return
    verdict.wrong.append("a still was rendered")


def _handed_on(engine: Engine, result: Result, kind: str) -> InputFile:
    """As the runtime hands it to the next step."""
    backend = engine.backend()
    output = next(each for each in result.outputs if each.kind == kind)
    about = {"backend": backend.name, "backend_type": backend.type, "cache_key": f"key-{kind}"}
    meta = {**output.meta, **about, "backend_version": backend.version}
    return InputFile(f"art-{kind}", kind, output.path, meta)


def _even(size: tuple[int, int], still: bool = False) -> tuple[int, int]:
    return size if still else (size[0] + size[0] % 2, size[1] + size[1] % 2)


def pictures(path: Path) -> Frames:
    """Every frame as ffmpeg shows it, upright, none doubled or left out, at the master's size."""
    wide, high = SIZE
    words = ["-map", "0:v:0", "-fps_mode", "passthrough", "-vf", f"scale={wide}:{high}"]
    raw = ["-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    command = ["ffmpeg", "-v", "error", "-i", str(path), *words, *raw]
    data = subprocess.run(command, capture_output=True, check=True, timeout=120).stdout
    return np.frombuffer(data, np.uint8).reshape(-1, high, wide, 3)


def _square(path: Path) -> tuple[int, int]:
    """Width and height in square pixels, by ffprobe."""
    stream = ffprobe(path, "-show_streams", "-select_streams", "v:0")["streams"][0]
    wide, _, high = stream.get("sample_aspect_ratio", "1:1").partition(":")
    shape = int(wide) / int(high) if int(high or 0) and int(wide) else 1.0
    width, height = int(stream["width"]), int(stream["height"])
    return (round(width * shape), height) if shape >= 1 else (width, round(height / shape))


def _bare(frame: Frames) -> float:
    """Which part of the face (the ellipse in its box) is not black."""
    rows, columns = face_box().within(frame.shape)
    face = frame[rows, columns].max(axis=2)
    down, across = np.mgrid[-1 : 1 : face.shape[0] * 1j, -1 : 1 : face.shape[1] * 1j]
    return float((face[down**2 + across**2 <= 1] > 60).mean())


def _judge_colours(what: str, shown: Frames, film: Film, verdict: Verdict) -> None:
    """The quarters are where they belong: upright, not mirrored, their colours kept."""
    if not len(shown):
        return
    frame = shown[len(shown) // 2].astype(int)
    high, wide = frame.shape[:2]
    for (x, y), colour in zip(_CORNERS, COLOURS, strict=True):
        at_y, at_x = round(y * high), round(x * wide)
        seen = frame[at_y - 4 : at_y + 4, at_x - 4 : at_x + 4].mean(axis=(0, 1))
        off = float(np.abs(seen - colour).max())
        if off > film.colours_within:
            verdict.wrong.append(f"{what}: {np.round(seen)} for {colour} at {x}, {y}")


def _judge_sync(what: str, path: Path, shown: Frames, verdict: Verdict) -> None:
    flash_ms, tone_ms = flash(path, shown), sounding(path)
    if flash_ms is None or tone_ms is None:
        verdict.wrong.append(f"{what}: no mark or no tone ({flash_ms}, {tone_ms})")
        return
    verdict.near(f"{what}: tone after mark", tone_ms - flash_ms, 0, _FRAME_MS + _PACKET_MS)


def flash(path: Path, shown: Frames) -> float | None:
    """When the mark is first bright, by the presentation times that ffprobe tells, in milliseconds."""
    rows, columns = mark_box().within((SIZE[1], SIZE[0]))
    bright = shown[:, rows, columns].mean(axis=(1, 2, 3)) > _BRIGHT
    if not bright.any():
        return None
    told: dict[str, Any] = ffprobe(
        path, "-select_streams", "v:0", "-show_entries", "frame=best_effort_timestamp_time"
    )
    times = [float(row["best_effort_timestamp_time"]) for row in told["frames"]]
    return 1000 * times[int(np.argmax(bright))]


def sounding(path: Path) -> float | None:
    """When the tone begins in the first stream that has it, in milliseconds on the same clock."""
    streams = ffprobe(path, "-show_streams", "-select_streams", "a")["streams"]
    found = (_sounding(path, f"a:{number}") for number in range(len(streams)))
    return next((at_ms for at_ms in found if at_ms is not None), None)


def _sounding(path: Path, stream: str) -> float | None:
    told = ffprobe(path, "-select_streams", stream, "-show_entries", "frame=pts_time")
    begins_s = next((float(row["pts_time"]) for row in told["frames"] if "pts_time" in row), 0.0)
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", f"0:{stream}", "-ac", "1"]
    data = subprocess.run(
        [*command, "-ar", "48000", "-f", "f32le", "-"], capture_output=True, check=True, timeout=120
    ).stdout
    loud = np.abs(np.frombuffer(data, np.float32)) > 0.1
    return 1000 * (max(0.0, begins_s) + int(np.argmax(loud)) / 48_000) if loud.any() else None
