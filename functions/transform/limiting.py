"""A recording at a gain, through the limiter where one is wanted, into a WAV, measured on the way.

    the recording -> decoded in blocks -> gain -> shared.audio's limiter -> ffmpeg -> WAV
                                                                       '--> shared.sound's meter

It is decoded once to be noted, millisecond by millisecond (``shared.audio.loudnorm``), which tells
the gain, and once more for each try. Samples are limited in single precision. Gain alone is ffmpeg's own
where ffmpeg may open the recording.

Memory holds a block, what the limiter looks back and ahead (some 10 ms), and the meter's mean square of every
100 ms; the notes, 12 bytes a millisecond, lie on disk. What is measured is what goes into the file before its
encoder rounds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from functions.transform.sound import Sound, all_numbers, levelled
from shared.audio.limiter import Limiter
from shared.audio.loudnorm import Notes
from shared.errors import BackendFailed
from shared.media.decode import BLOCK_FRAMES
from shared.media.feed import Samples
from shared.media.ffmpeg import run as run_ffmpeg
from shared.sound.leveller import Levels
from shared.sound.loudness_meter import FullMeter
from shared.sound.true_peak import Signal

Progress = Callable[[float], None]


def noted(path: Path, sound: Sound, levels: Levels | None, progress: Progress) -> Notes:
    """What finding the gain needs to know of the recording, in files beside ``path``.

    ``levels``: what is done to its speech first. Raises ``UnsupportedMedia`` for samples that are not
    numbers, and what decoding raises.
    """
    notes = Notes(path, sound.sample_rate_hz, sound.channels, sound.layout)
    duration_frames = (sound.duration_ms or 0) * sound.sample_rate_hz / 1000
    with sound.blocks("float32") as blocks:
        for block in levelled(sound, all_numbers(blocks), levels):
            notes.add(block.T)
            progress(min(1.0, notes.frames / max(duration_frames, notes.frames, 1)))
    return notes


@dataclass(frozen=True)
class Gain:
    """How loud it gets, and where the limiter stands."""

    gain_db: float
    """The same for every sample, before the limiter."""
    threshold_dbtp: float | None = None
    """No true peak is left above it; ``None``: no limiter."""
    levels: Levels | None = None
    """What comes before it; ``None``: speech is left at its levels."""

    def measured(self, sound: Sound, path: Path, progress: Progress) -> FullMeter:
        """Write the recording so; returns what measured the result. ``progress``: 0 to 1 of this pass.

        Raises ``UnsupportedMedia`` for samples that are not numbers, what decoding and what ffmpeg raise.
        """
        meter = FullMeter(sound.sample_rate_hz, sound.channels, sound.layout)
        self._write(sound, path, progress, meter.add)
        return meter

    def write(self, sound: Sound, path: Path, progress: Progress) -> None:
        """Write the recording so, and measure nothing. Raises ``BackendFailed``.

        In ffmpeg alone where that may open the recording; the gain stands in its graph with all the digits of
        a double (``repr``), so that it is the very gain that was reckoned with.
        """
        if self.threshold_dbtp is not None or self.levels is not None or not sound.plain:
            self._write(sound, path, progress, lambda block: None)
            return
        precision = {"float32": "float", "float64": "double"}[sound.sample_type]
        volume = f"volume={self._factor!r}:precision={precision}"
        with sound.fed() as opened:
            run_ffmpeg(
                [
                    *("-y", *opened.words),
                    *("-filter_complex", f"{opened.head}{volume}[out]"),
                    *("-map", "[out]", "-c:a", sound.codec, *sound.wav_args),
                    path,
                ],
                timeout_s=sound.timeout_s,
                duration_ms=sound.duration_ms,
                progress=progress,
            )
        if not path.exists():
            raise BackendFailed("ffmpeg", "it wrote no WAV")

    def _write(
        self, sound: Sound, path: Path, progress: Progress, heard: Callable[[Samples], None]
    ) -> None:
        """Through blocks of ours; ``heard`` gets each, ``(samples, channels)``, as it goes to the encoder.

        A limited sound is decoded in single precision whatever it has. ffmpeg only encodes, and may take
        three times as long as usual, for it waits for what is made here.
        """
        expected = max(1.0, (sound.duration_ms or 0) * sound.sample_rate_hz / 1000)

        def made(blocks: Iterable[Samples]) -> Iterator[Samples]:
            frames = 0
            for block in self._applied(blocks, sound.sample_rate_hz):
                heard(block)
                frames += len(block)
                progress(min(1.0, frames / expected))
                yield block.astype(sound.sample_type, copy=False)

        sample_type = sound.sample_type if self.threshold_dbtp is None else "float32"
        with (
            sound.blocks(sample_type) as blocks,
            sound.fed_with(made(levelled(sound, all_numbers(blocks), self.levels))) as opened,
        ):
            run_ffmpeg(
                ["-y", *opened.words, "-map", "0:0", "-c:a", sound.codec, *sound.wav_args, path],
                timeout_s=3 * sound.timeout_s,
                pass_fds=opened.fds,
            )

    @property
    def _factor(self) -> float:
        """``gain_db`` in amplitude."""
        return float(10.0 ** (self.gain_db / 20.0))

    def _applied(self, blocks: Iterable[Samples], rate_hz: int) -> Iterator[Samples]:
        """The blocks at the gain, limited: ``(samples, channels)`` in and out, as many samples as came in.

        Without a limiter and at 0 dB they are the very blocks. The limiter looks ahead, so blocks behind it
        need not be the blocks before it.
        """
        factor = self._factor
        if self.threshold_dbtp is None:
            for block in blocks:
                yield block * block.dtype.type(factor) if self.gain_db else block
            return
        ahead = _Ahead(blocks, factor)
        limiter = Limiter(ahead.read, self.threshold_dbtp, rate_hz)
        first = 0
        while count := ahead.ready(first, BLOCK_FRAMES):
            yield limiter.process(first, first + count).T
            first += count


class _Ahead:
    """Blocks that come one after the other, for a reader that looks ahead and a little back.

    In: ``(samples, channels)``; kept and out: ``(channels, frames)``, as the limiter has it, float32 and
    already at the gain. What lies before the last ``first`` that was read is forgotten.
    """

    def __init__(self, blocks: Iterable[Samples], factor: float) -> None:
        self._blocks = iter(blocks)
        self._factor = np.float32(factor)
        self._kept: Signal | None = None
        self._first = 0
        """Which frame is the first that is kept."""

    def ready(self, first: int, most: int) -> int:
        """How many frames there are from ``first`` on, ``most`` at most."""
        self._fill(first + most)
        there = 0 if self._kept is None else self._first + self._kept.shape[1] - first
        return max(0, min(most, there))

    def read(self, first: int, stop: int) -> Signal:
        """Frames ``[first, stop)``, zeros outside the recording; ``first`` never falls."""
        self._fill(stop)
        assert self._kept is not None
        past = max(0, first - self._first)
        self._kept, self._first = self._kept[:, past:], self._first + past
        signal = self._kept[:, max(0, first) - self._first : stop - self._first]
        before = max(0, -first)
        return np.pad(signal, ((0, 0), (before, stop - first - before - signal.shape[1])))

    def _fill(self, stop: int) -> None:
        while self._kept is None or self._first + self._kept.shape[1] < stop:
            block = next(self._blocks, None)
            if block is None:
                break
            made = block.T * self._factor
            kept = self._kept
            self._kept = made if kept is None else np.concatenate([kept, made], axis=1)
