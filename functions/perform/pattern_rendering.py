"""Plays a score to the end: files for master and stems, the loudness rows, the automation log.

The bridge gives the sound piece by piece; each piece is measured and written before the next is
made, so no sound is kept. A performance whose master or any stem passes -1 dBFS is played once
more, turned down as a whole, for a limiter would change what the musician hears; that takes twice
as long. Peaks are those of samples, not true peaks.

Loudness is by BS.1770: the master's integrated loudness is gated, a beat's is not
(``shared.audio.beat_loudness``). Files are WAV, 24 bits, at the engine's rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.audio.beat_loudness import BeatMeter, level, tracker_loudness_rows
from shared.audio.bridge import MASTER, PatternPerformanceBridge
from shared.audio.config import EngineConfig
from shared.audio.score import Score
from shared.audio.sounds import Sound
from shared.audio.tempo import Number
from shared.errors import ValidationError
from shared.runs.results_folder import safe_name

MAX_DURATION_S = 600
"""Seconds of one performance, tail included."""
MAX_STEM_S = 3_600
"""Seconds of all stems together: as 24-bit stereo at 48 kHz, a gigabyte."""
CEILING_DBFS = -1.0
"""Highest sample that is left as it is; 1 dB of room for what a player's converter adds between
samples."""
END_FADE_S = 0.01
"""A performance is cut at its end; so short a fade keeps that from clicking."""

Audio = NDArray[np.float32]
"""float32, ``(samples, channels)``; full scale is 1.0."""
Progress = Callable[[float], None]
"""Takes how much is done, 0 to 1."""


@dataclass(frozen=True)
class Rendering:
    """What a performance gave. Rows and log are plain JSON."""

    score: Score
    loudness_rows: Sequence[Mapping[str, Any]]
    """One a beat, as ``tracker_loudness_rows`` gives them."""
    automation_log: Sequence[Mapping[str, Any]]
    """One a value: what was asked for and what was applied (``AppliedAutomation``)."""
    automation_events: int
    """Changes of controls that were scheduled, those of notes included."""
    integrated_lufs: float | None
    """Of the master as it was written, tail included, to 0.01 LU; ``None`` for silence."""
    peak_dbfs: float | None
    """The master's highest sample, to 0.01 dB; ``None`` for silence."""
    trim_db: float
    """By so much everything was turned down to stay below -1 dBFS; mostly 0."""
    duration_s: float
    """Tail included."""
    files: Mapping[str, Path]
    """``master`` and each stem's name -> WAV file, 24 bits; empty where none was wanted."""

    @property
    def tempo_bpm(self) -> float:
        """The tempo at the start."""
        return float(self.score.tempo_map.bpm_at(0))


def render_score(
    score: Score,
    sounds: Mapping[str, Sound],
    config: EngineConfig,
    folder: Path | None,
    progress: Progress = lambda fraction: None,
) -> Rendering:
    """Perform a score; writes ``master.wav`` and each instrument's stem into ``folder``, if given.

    A performance that would pass -1 dBFS is rendered once more, turned down as a whole. Without a
    folder it is rendered once, and the measures alone are turned down. ``progress`` never falls.
    Raises ``ValidationError`` for one that is too long, before anything is played.
    """
    check_duration(score, score.length_beats + score.tail_beats)
    bridge = PatternPerformanceBridge(config, score, sounds)
    _check_stems(bridge)
    told = _Told(progress, bridge.engine.frames_of(bridge.duration_s))
    take = _Take(bridge, folder, 0.0, told).record()
    trim_db = take.trim_db
    if take.is_too_loud:
        _Take(bridge, folder, trim_db, told).record()
    integrated = take.meter.integrated_lufs() + trim_db
    peak_db = 20.0 * float(np.log10(take.master_peak)) + trim_db if take.master_peak else -np.inf
    return Rendering(
        score,
        tracker_loudness_rows(take.meter.beats(trim_db)),
        [asdict(entry) for entry in bridge.automation_log],
        bridge.automation_events,
        level(integrated),
        level(peak_db),
        round(trim_db, 2),
        round(take.frames / config.sample_rate, 6),
        take.files,
    )


def check_duration(score: Score, beats: Number) -> None:
    """Raise ``ValidationError`` where so many beats of the piece are too long to play."""
    duration_s = float(score.tempo_map.seconds_at(beats))
    if duration_s > MAX_DURATION_S:
        raise ValidationError(
            "duration",
            f"{duration_s:,.0f} s is longer than the {MAX_DURATION_S} s that are played: set fewer beats "
            "(duration_beats)",
        )


def _check_stems(bridge: PatternPerformanceBridge) -> None:
    """Raise ``ValidationError`` where all stems together would fill more than ``MAX_STEM_S``."""
    duration_s, stems = float(bridge.duration_s), len(bridge.stems)
    if duration_s * stems > MAX_STEM_S:
        raise ValidationError(
            "duration",
            f"{stems} stems of {duration_s:,.0f} s are more than {MAX_STEM_S:,} s of stems: set fewer beats "
            "(duration_beats), or put instruments together",
        )


def file_names(names: Sequence[str]) -> list[str]:
    """Of the master, which comes first, and of each instrument's stem: as the instrument is called.

    All differ, also without regard to case: the second of a name gets a `` 2`` behind it. A name
    that has nothing in it that a file's name may hold becomes ``stem``.
    """
    held: set[str] = set()
    files = []
    for name in names:
        called = safe_name(name) or "stem"
        tried, number = called, 1
        while tried.casefold() in held:
            number += 1
            tried = f"{called} {number}"
        held.add(tried.casefold())
        files.append(f"{tried}.wav")
    return files


class _Told:
    """Tells how much is done, 0 to 1, and never less than before, also where more is to be done.

    Each piece is told as its share of what is left, by what was left to tell. So from where it is
    heard that a second take is needed, the fraction only grows more slowly.
    """

    def __init__(self, progress: Progress, frames: int) -> None:
        self._progress = progress
        self._told, self._left = 0.0, frames

    def expect(self, frames: int) -> None:
        """So many more are to be done."""
        self._left += frames

    def done(self, frames: int) -> None:
        """So many of those that were expected are done."""
        self._told += (1.0 - self._told) * frames / self._left
        self._left -= frames
        self._progress(self._told)


class _Take:
    """One pass through the performance, at a gain of 0 dB, or turned down."""

    def __init__(
        self, bridge: PatternPerformanceBridge, folder: Path | None, gain_db: float, told: _Told
    ) -> None:
        self._bridge = bridge
        self._gain_db = gain_db
        self._told = told
        self.frames = bridge.engine.frames_of(bridge.duration_s)
        self.meter: BeatMeter = bridge.beat_meter()
        self.peak = 0.0
        """Of master and stems."""
        self.master_peak = 0.0
        names = (MASTER, *bridge.stems)
        paths = file_names(names)
        self.files = (
            {name: folder / path for name, path in zip(names, paths, strict=True)} if folder else {}
        )

    @property
    def trim_db(self) -> float:
        """By so much what was played has to be turned down; 0 where it fits."""
        return min(0.0, CEILING_DBFS - 20.0 * float(np.log10(max(self.peak, 1e-9))))

    @property
    def is_too_loud(self) -> bool:
        """Are there files, and do they, as far as they were played, have to be written once more?"""
        return bool(self.files) and self.trim_db < self._gain_db

    def record(self) -> _Take:
        """Play, measure, and write.

        What is measured is the sound before the gain; ``peak`` and ``master_peak`` are magnitudes,
        full scale 1.0. A sample beyond full scale is clipped in the file, which the second take
        then replaces.
        """
        gain = np.float32(10.0 ** (self._gain_db / 20.0))
        with ExitStack() as stack:
            writers = [stack.enter_context(self._writer(path)) for path in self.files.values()]
            for parts in self._faded_parts():
                fitted = not self.is_too_loud
                self._measure(parts)
                for writer, part in zip(writers, parts, strict=False):
                    writer.write(part * gain)
                if fitted and self.is_too_loud:
                    self._told.expect(self.frames)
                self._told.done(len(parts[0]))
        return self

    def _writer(self, path: Path) -> Any:
        import soundfile

        config = self._bridge.config
        return soundfile.SoundFile(
            path, "w", config.sample_rate, config.channels, subtype="PCM_24", format="WAV"
        )

    def _measure(self, parts: Sequence[Audio]) -> None:
        """Take a piece, the master first, into the meter and the peaks."""
        self.meter.add(parts[0])
        self.master_peak = max(self.master_peak, float(np.abs(parts[0]).max()))
        self.peak = max(self.peak, *(float(np.abs(part).max()) for part in parts))

    def _faded_parts(self) -> Iterator[tuple[Audio, ...]]:
        """The pieces, master first, the last ``END_FADE_S`` of the whole fading in a straight line.

        Pieces may be of any length: the fade is told by the samples that are left, not by the
        piece.
        """
        length = min(self.frames, round(END_FADE_S * self._bridge.config.sample_rate))
        position = 0
        for parts in self._bridge.parts():
            left = self.frames - np.arange(position, position + len(parts[0]))
            position += len(parts[0])
            fade = np.minimum(left / length, 1.0).astype(np.float32)[:, None]
            yield parts if left[-1] > length else tuple(part * fade for part in parts)
