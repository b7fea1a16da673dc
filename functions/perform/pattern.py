"""``perform.pattern``: a tracker pattern or MIDI file becomes audio.

Out come the master, a stem for each instrument (and for the shared delay and reverb, where used),
the loudness of each beat, the log of the automation, and a picture.

The file is read into a score in beats (``format``, ``midi``), fitted to the asked tempo and length,
given its sounds (``pattern_clips``), and played (``pattern_rendering``). Outputs are of the kinds
``pattern_render`` and ``preview``; the master is the parent of all others. The same file, params
and backend version give the same bytes on the same machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.perform.bank import VERSION as BANK_VERSION
from functions.perform.format import Pattern, read_pattern, to_score
from functions.perform.midi import read_midi
from functions.perform.pattern_clips import bank_sounds, pattern_sounds, wanted_clips
from functions.perform.pattern_picture import draw
from functions.perform.pattern_rendering import Rendering, check_duration, render_score
from shared.audio.config import EngineConfig
from shared.audio.score import Score
from shared.audio.sounds import Sound
from shared.contracts.step_engine import (
    Backend,
    Engine,
    Job,
    Output,
    Result,
    StepParams,
)
from shared.errors import InputTooLarge, ValidationError
from shared.media.formats import MACBINARY_BYTES, holds_midi
from shared.watch.health import installed

REVISION = "pattern-7"
"""Raise it when the same pattern sounds or is told otherwise; the bank has a version of its own."""
MAX_PATTERN_BYTES = 4_000_000
"""Of the uploaded file, which is read whole."""
SAMPLE_RATE_HZ = 48_000
"""Of master and stems."""
ROWS_IN_META = 64
"""Longer tables and logs stand in their JSON outputs, and the meta says how long they are."""
_PACKAGES = ("numpy", "scipy", "soundfile", "mido", "pillow")
"""What must be installed; numpy's and scipy's versions stand in the backend's, for they compute."""
_HEAD_BYTES = MACBINARY_BYTES + 4
"""So much is read to tell what a file is: a MIDI file may begin behind a MacBinary head."""
_RECORDING_HEADS = (b"RIFF", b"RF64", b"FORM", b"fLaC", b"OggS", b"ID3", b"\x1aE\xdf\xa3")
"""WAV and AVI, AIFF, FLAC, Ogg, MP3 with tags, Matroska; MP4 and QuickTime say ``ftyp`` at byte 4."""


class PatternParams(StepParams):
    """How to perform it. ``None``: as the pattern says."""

    tempo_bpm: float | None = None
    """The starting tempo; later changes keep their proportion."""
    duration_beats: float | None = None
    """The pattern is cut, or repeated, to so many beats, with no tail."""
    tail: bool = True
    """Are delay and reverb rendered until they have died away (20 s at most)? Not with ``duration_beats``."""


@dataclass(frozen=True)
class _Piece:
    """What was read: the score, and the pattern it came from unless that was a MIDI file."""

    score: Score
    pattern: Pattern | None

    def sounds(self, clips: Mapping[str, Path], sample_rate: int) -> dict[str, Sound]:
        """Instrument -> its sound; ``clips`` maps artifact ids to files."""
        if self.pattern is None:
            return bank_sounds(self.score, sample_rate)
        return pattern_sounds(self.pattern, clips, sample_rate)


def backend() -> Backend:
    """The musician's engine; raises ``MissingDependency`` for a package that isn't installed."""
    found = installed(*_PACKAGES)
    named = "+".join(f"{name}-{found[name].version}" for name in ("numpy", "scipy"))
    return Backend("rushes_audio", f"{REVISION}+{BANK_VERSION}+{named}", dependencies=found)


def referenced_artifacts(path: Path) -> tuple[str, ...]:
    """Ids of the tenant's artifacts that a pattern plays: to be fetched before it is performed."""
    pattern = _read(path).pattern
    return wanted_clips(pattern) if pattern else ()


def perform_file(
    path: Path,
    params: PatternParams | None = None,
    out: Path | None = None,
    clips: Mapping[str, Path] | None = None,
) -> Rendering:
    """Perform a pattern or MIDI file on this machine.

    With ``out``, a folder, the master, a stem called after each instrument, ``loudness.json``,
    ``automation.json`` and ``pattern.png`` are written there. ``clips`` maps artifact ids to files.
    Raises ``ValidationError`` in a musician's words, ``UnsupportedMedia``, ``InputTooLarge``.
    """
    if out:
        out.mkdir(parents=True, exist_ok=True)
    rendering = _perform(path, params or PatternParams(), clips or {}, out)
    if out:
        _write_papers(rendering, out)
    return rendering


def run(job: Job, params: PatternParams, backend: Backend) -> Result:
    """Perform the uploaded pattern. The artifacts it plays are among the job's sources."""
    rendering = _perform(job.source, params, job.sources, job.workdir, job.progress)
    papers = _write_papers(rendering, job.workdir)
    outputs = [_sound_output(rendering, name, path) for name, path in rendering.files.items()]
    return Result([*outputs, *(_paper_output(rendering, paper) for paper in papers)])


ENGINE = Engine(params=PatternParams, backend=backend, run=run, references=referenced_artifacts)


def _read(path: Path) -> _Piece:
    """The piece in a file, whatever the file is called.

    Raises ``ValidationError`` for an empty file, a recording, and what is neither JSON nor MIDI,
    ``InputTooLarge`` for one above ``MAX_PATTERN_BYTES``, and what the readers raise.
    """
    size = path.stat().st_size
    if size == 0:
        raise ValidationError("pattern", "is an empty file")
    with path.open("rb") as file:
        if _begins_a_recording(file.read(_HEAD_BYTES)):
            raise ValidationError(
                "pattern", "is a recording, neither a pattern nor MIDI: `rushes process` takes it"
            )
    if size > MAX_PATTERN_BYTES:
        raise InputTooLarge(MAX_PATTERN_BYTES, size, "save the piece in parts")
    data = path.read_bytes()
    if holds_midi(data):
        return _Piece(read_midi(data, path.stem), None)
    try:
        pattern = read_pattern(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValidationError("pattern", "is neither JSON text nor a MIDI file") from None
    return _Piece(to_score(pattern), pattern)


def _begins_a_recording(head: bytes) -> bool:
    """Is it sound or film, by the first bytes of the usual containers?"""
    if holds_midi(head):
        return False
    return head.startswith(_RECORDING_HEADS) or head[4:8] == b"ftyp"


def _perform(
    path: Path,
    params: PatternParams,
    clips: Mapping[str, Path],
    folder: Path | None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Rendering:
    """Read, fit, and play.

    An asked length has no tail; without one, the tail is the pattern's own and, with
    ``params.tail``, as much more as delay and reverb need. ``progress`` takes 0 to 1.
    """
    piece = _read(path)
    score = piece.score
    if params.tempo_bpm is not None:
        score = score.at_tempo(params.tempo_bpm)
    if params.duration_beats is not None:
        check_duration(score, params.duration_beats)
        score = score.lasting(params.duration_beats)
    elif params.tail:
        score = score.ringing_out()
    config = EngineConfig(sample_rate=SAMPLE_RATE_HZ)
    sounds = piece.sounds(clips, config.sample_rate)
    return render_score(score, sounds, config, folder, progress)


@dataclass(frozen=True)
class _Paper:
    """A file beside the sound."""

    kind: str
    name: str
    path: Path
    content_type: str


def _write_papers(rendering: Rendering, folder: Path) -> Sequence[_Paper]:
    """The loudness rows and the automation log as JSON, and the picture."""
    papers = (
        _Paper("pattern_render", "loudness", folder / "loudness.json", "application/json"),
        _Paper("pattern_render", "automation", folder / "automation.json", "application/json"),
        _Paper("preview", "picture", folder / "pattern.png", "image/png"),
    )
    loudness = {
        "tempo_bpm": rendering.tempo_bpm,
        "integrated_lufs": rendering.integrated_lufs,
        "peak_dbfs": rendering.peak_dbfs,
        "rows": rendering.loudness_rows,
    }
    automation = {
        "automation_events": rendering.automation_events,
        "log": rendering.automation_log,
        "notices": rendering.score.notices,
    }
    _write_json(papers[0].path, loudness)
    _write_json(papers[1].path, automation)
    draw(rendering, papers[2].path)
    return papers


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False), "utf-8")


def _sound_output(rendering: Rendering, name: str, path: Path) -> Output:
    """The artifact of the master or of a stem, whose parent is the master."""
    is_master = name == "master"
    meta = {**_meta(rendering), "role": "master" if is_master else "stem"}
    if not is_master:
        meta["instrument"] = name
    return Output(
        "pattern_render",
        path.stem,
        path,
        "audio/wav",
        meta,
        parents=() if is_master else ("master",),
    )


def _paper_output(rendering: Rendering, paper: _Paper) -> Output:
    meta = {**_meta(rendering), "role": paper.name}
    if paper.kind == "preview":
        meta = {"shows": "the pattern's lanes, its automation, and the loudness of each beat"}
    return Output(paper.kind, paper.name, paper.path, paper.content_type, meta, parents=("master",))


def _meta(rendering: Rendering) -> dict[str, Any]:
    """What every sound's artifact says: levels in dB to 0.01, ``None`` for silence."""
    return {
        "tempo": rendering.tempo_bpm,
        "loudness_rows": _short(rendering.loudness_rows, "loudness"),
        "automation_log": _short(rendering.automation_log, "automation"),
        "automation_events": rendering.automation_events,
        "integrated_lufs": rendering.integrated_lufs,
        "peak_dbfs": rendering.peak_dbfs,
        "trim_db": rendering.trim_db,
        "duration_ms": round(rendering.duration_s * 1_000, 3),
        "beats": float(rendering.score.length_beats),
        "notices": list(rendering.score.notices),
    }


def _short(rows: Sequence[Mapping[str, Any]], output: str) -> Any:
    """The rows themselves, or, of a long piece, where they are."""
    return list(rows) if len(rows) < ROWS_IN_META else {"count": len(rows), "output": output}
