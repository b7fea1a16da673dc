"""The one pass over a recording: decoded once for words, voice activity, beats and loudness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from functions.transcribe.features import RATE_HZ, FeatureMeter, Features
from shared.contracts.asset import HeardSound
from shared.contracts.step_engine import Job
from shared.media.decode import AudioBlocks, audio_blocks
from shared.media.layouts import even_mono
from shared.sound.loudness_meter import LoudnessMeter
from shared.sound.onsets import OnsetStrength, Tracks

Floats = NDArray[np.float32]

MOST_CHANNELS = 8
"""No more are told apart."""
BINS_PER_S = 100
"""Energies are kept for each 10 ms."""


@dataclass(frozen=True)
class Heard:
    """What the pass leaves: sound on disk, numbers in memory."""

    duration_ms: int
    voices: Sequence[Floats]
    """16 kHz mono, memory-mapped: the mix, or one for each channel."""
    features: Features
    """Of the mix."""
    tracks: Tracks
    """Onset strength at the recording's own rate: the same numbers that hits and loops go by."""
    energy: NDArray[np.float64]
    """K-weighted mean square, summed over the channels (BS.1770-4), of each 10 ms."""
    integrated_lufs: float
    """Gated, of the whole; ``-inf`` for silence."""
    damage: str | None
    """What the decoder said where it could not decode all."""


def listen(job: Job, *, by_channel: bool, progress: Callable[[float], None]) -> Heard:
    """Decode the recording once. Raises ``UnsupportedMedia``, ``TimedOut``, ``MissingDependency``."""
    media = job.media
    with audio_blocks(job.source, media) as blocks:
        split = by_channel and 1 < blocks.channels <= MOST_CHANNELS
        meters = _Meters(blocks, media.heard, job.workdir, blocks.channels if split else 1)
        expected = max(1, (media.duration_ms or 0) * blocks.sample_rate_hz // 1000)
        for block in blocks:
            meters.add(block)
            progress(min(1.0, blocks.frames / expected))
        damage = blocks.damage
    heard_ms = round(1000 * blocks.frames / blocks.sample_rate_hz)
    # A picture may go on after its sound: that is silence. Without one, what was decoded counts.
    shown_ms = (media.duration_ms or 0) if media.has_video else 0
    return meters.finish(max(heard_ms, shown_ms), damage)


@dataclass(frozen=True)
class Voices:
    """The sound alone."""

    duration_ms: int
    samples: Sequence[Floats]
    """As ``Heard.voices``."""
    damage: str | None


def listen_to_voices(job: Job, *, by_channel: bool, progress: Callable[[float], None]) -> Voices:
    """Decode the recording once, for its words alone: ffmpeg resamples. Raises as ``listen``."""
    media = job.media
    channels = media.heard.channels if media.audio else 1
    count = channels if by_channel and 1 < channels <= MOST_CHANNELS else 1
    expected = max(1, (media.duration_ms or 0) * RATE_HZ // 1000)
    paths = [job.workdir / f"voice_{index}.f32" for index in range(count)]
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("wb")) for path in paths]
        blocks = stack.enter_context(
            audio_blocks(job.source, media, sample_rate_hz=RATE_HZ, channels=count)
        )
        for block in blocks:
            for index, file in enumerate(files):
                file.write(np.ascontiguousarray(block[:, index], "<f4").tobytes())
            progress(min(1.0, blocks.frames / expected))
    return Voices(
        round(1000 * blocks.frames / RATE_HZ), [_mapped(path) for path in paths], blocks.damage
    )


class _Meters:
    """All that listens, fed block by block."""

    def __init__(self, blocks: AudioBlocks, heard: HeardSound, folder: Path, voices: int) -> None:
        self._rate_hz = blocks.sample_rate_hz
        layout = heard.channel_layout
        self._loudness = LoudnessMeter(blocks.sample_rate_hz, blocks.channels, layout)
        self._to_mono = even_mono(layout, blocks.channels, heard.mono_channels)[:, 0]
        self._features = FeatureMeter()
        self._onsets = OnsetStrength(blocks.sample_rate_hz)
        self._to_16k = _Resampler(blocks.sample_rate_hz, voices)
        self._paths = [folder / f"voice_{index}.f32" for index in range(voices)]
        self._files = [path.open("wb") for path in self._paths]
        self._energy = _Binned(blocks.sample_rate_hz)

    def add(self, block: Floats) -> None:
        self._energy.add(self._loudness.add(block))
        self._onsets.process(block)
        many = len(self._files) > 1
        self._take(self._to_16k.add(block if many else self._mixed(block)[:, None]))

    def finish(self, duration_ms: int, damage: str | None) -> Heard:
        self._take(self._to_16k.finish())
        for file in self._files:
            file.close()
        features = self._features.finish()
        voices = [_mapped(path) for path in self._paths]
        lufs = self._loudness.integrated_lufs()
        tracks, energy = self._onsets.finish(), self._energy.finish()
        return Heard(duration_ms, voices, features, tracks, energy, lufs, damage)

    def _take(self, voices: Floats) -> None:
        for index, file in enumerate(self._files):
            file.write(np.ascontiguousarray(voices[:, index], "<f4").tobytes())
        many = len(self._files) > 1
        self._features.add(self._mixed(voices) if many else voices[:, 0])

    def _mixed(self, block: Floats) -> Floats:
        """To one channel, as ``shared.media.streams`` chose."""
        return np.asarray(block @ self._to_mono.astype(np.float32))


def _mapped(path: Path) -> Floats:
    if not path.stat().st_size:
        return np.zeros(0, np.float32)
    return np.memmap(path, dtype="<f4", mode="r")


class _Resampler:
    """To 16 kHz, block by block; the same however the blocks are cut."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        import soxr

        self._stream = None
        self._channels = channels
        if rate_hz != RATE_HZ:
            self._stream = soxr.ResampleStream(rate_hz, RATE_HZ, channels, dtype="float32")

    def add(self, block: Floats) -> Floats:
        return self._through(block, last=False)

    def finish(self) -> Floats:
        return self._through(np.zeros((0, self._channels), np.float32), last=True)

    def _through(self, block: Floats, *, last: bool) -> Floats:
        if self._stream is None:
            return block
        made = self._stream.resample_chunk(np.ascontiguousarray(block), last=last)
        return np.asarray(made, np.float32).reshape(-1, self._channels)


class _Binned:
    """Means over each 10 ms, whatever the sample rate."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._rest: NDArray[np.float64] = np.zeros(0)
        self._means: list[NDArray[np.float64]] = []
        self._taken = 0
        self._bins = 0

    def add(self, energy: NDArray[np.float64]) -> None:
        held = np.concatenate([self._rest, energy])
        ready = (self._taken + len(held)) * BINS_PER_S // self._rate_hz
        # Bin n begins at sample n * rate / 100, rounded down: bins of 22,050 Hz differ by a sample.
        edges = np.arange(self._bins, ready + 1) * self._rate_hz // BINS_PER_S - self._taken
        if len(edges) > 1:
            sums = np.add.reduceat(held[: edges[-1]], edges[:-1])
            self._means.append(sums / np.diff(edges))
        self._bins, self._rest = ready, held[edges[-1] :]
        self._taken += int(edges[-1])

    def finish(self) -> NDArray[np.float64]:
        tail = [np.array([self._rest.mean()])] if len(self._rest) else []
        return np.concatenate([np.zeros(0), *self._means, *tail])
