"""How fast an edit list is rendered, and in how much memory, beside bare ffmpeg.

    python -m tests.bench cut

An hour of stereo sound with 2,000 cuts, and a minute of 1080p with 33. ffmpeg gets the same list for its
concat demuxer (sound: whole packets, hard edges), and for the film as one expression of ``select`` and
``aselect`` (whole frames of a thousand samples, hard edges), which it refuses where there are hundreds
of cuts; the same encoder in both.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile

from tests.bench.measuring import Cost, cost_of
from tests.bench.report import Row

RATE = 48_000
SOUND_S, FILM_S = 3_600, 60
EVERY_S = 1.8
_ENCODER = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-threads", "4")


def kept_s(seconds: float) -> Iterator[tuple[float, float]]:
    """What stays: between cuts of 100 to 700 ms."""
    rng = np.random.default_rng(7)
    at = 0.0
    for start in np.arange(0.5, seconds - 1, EVERY_S):
        yield at, float(start)
        at = round(float(start + rng.uniform(0.1, 0.7)), 3)
    yield at, seconds


def write_sound(path: Path, seconds: int) -> Path:
    """Noise, 16-bit stereo."""
    rng = np.random.default_rng(1)
    with soundfile.SoundFile(path, "w", RATE, 2, subtype="PCM_16") as file:
        for _ in range(seconds):
            file.write(rng.normal(0, 0.05, (RATE, 2)).astype(np.float32))
    return path


def write_film(path: Path, seconds: int) -> Path:
    """ffmpeg's moving test picture, and a tone."""
    picture = ["-f", "lavfi", "-i", f"testsrc2=s=1920x1080:r=25:d={seconds}"]
    tone = ["-f", "lavfi", "-i", f"sine=f=300:r={RATE}:d={seconds}"]
    codecs = [*_ENCODER, "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *picture, *tone, *codecs, path], check=True)
    return path


def render(step: str, source: Path, seconds: int) -> None:
    """What a worker does, without fetching and storing."""
    from importlib import import_module

    from shared.contracts.step_engine import Backend, Job
    from shared.editing.edit_lists import edit_list_of, new_edit
    from shared.media.probe import probe

    kept = list(kept_s(seconds))
    cuts = [
        new_edit("cut", "range", (1000 * end, 1000 * start))
        for (_, end), (start, _) in pairwise(kept)
    ]
    with tempfile.TemporaryDirectory(dir=source.parent) as name:
        listed, workdir = Path(name) / "list.json", Path(name) / "work"
        edit_list_of(cuts, seconds * RATE, RATE).write(listed)
        workdir.mkdir()
        engine = import_module(f"functions.render.{step}").ENGINE
        job = Job(source, probe(source), workdir, lambda part: None, sources={"art_l": listed})
        more = {"faces": "original"} if step == "video" else {"bit_depth": 16}
        params = engine.params.model_validate({"edit_list": "art_l", **more})
        engine.run(job, params, Backend("bench", "bench"))


def concatenated(source: Path, seconds: int, out: Path) -> list[str]:
    """As a list of parts."""
    listed = source.with_suffix(".txt")
    parts = (f"file {source}\ninpoint {a:.3f}\noutpoint {b:.3f}\n" for a, b in kept_s(seconds))
    listed.write_text("ffconcat version 1.0\n" + "".join(parts))
    return [
        "ffmpeg",
        "-y",
        "-v",
        "error",
        "-f",
        "concat",
        "-safe",
        "0",
        "-i",
        str(listed),
        str(out),
    ]


def selected(source: Path, seconds: int, out: Path) -> list[str]:
    """As one expression."""
    wanted = "+".join(f"between(t,{a:.3f},{b:.3f})" for a, b in kept_s(seconds))
    graph = f"[0:a]aselect='{wanted}',asetpts=N/SR/TB[a]"
    outputs = ["-map", "[a]"]
    if source.suffix == ".mp4":
        graph += f";[0:v]select='{wanted}',setpts=N/FRAME_RATE/TB[v]"
        outputs += ["-map", "[v]", *_ENCODER]
    script = source.with_suffix(".graph")
    script.write_text(graph)
    given = ["-i", str(source), "-filter_complex_script", str(script)]
    return ["ffmpeg", "-y", "-v", "error", *given, *outputs, str(out)]


def measure() -> Iterator[Row]:
    """Ours beside the others."""
    own = [sys.executable, "-m", "tests.bench.bench_cut"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sound = write_sound(folder / "sound.wav", SOUND_S)
        ours = cost_of([*own, "audio", sound, f"{SOUND_S}"])
        joined = cost_of(concatenated(sound, SOUND_S, folder / "joined.wav"))
        yield from _beside("sound, concat", ours, joined)
        sound.unlink()
        film = write_film(folder / "film.mp4", FILM_S)
        ours = cost_of([*own, "video", film, f"{FILM_S}"])
        chosen = cost_of(selected(film, FILM_S, folder / "chosen.mp4"))
        yield from _beside("1080p, select", ours, chosen)


def _beside(other: str, ours: Cost, bare: Cost) -> list[Row]:
    return [
        Row(f"{other}: wall", ours.wall_s, bare.wall_s, "s"),
        Row(f"{other}: processor", ours.cpu_s, bare.cpu_s, "s"),
        Row(f"{other}: peak memory", ours.peak_mib, bare.peak_mib, "MiB"),
    ]


if __name__ == "__main__":  # one of the processes that are measured
    render(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
