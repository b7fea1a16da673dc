"""The one pass over a recording: decoded once for voice activity, music, onsets, loudness and outline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.contracts.asset import HeardSound
from shared.contracts.step_engine import Job
from shared.media.decode import AudioBlocks, audio_blocks
from shared.media.layouts import even_mono
from shared.media.mapped import mapped
from shared.media.vad import RATE_HZ
from shared.sound.attacks import STEPS_PER_S
from shared.sound.binned import Binned
from shared.sound.levels import BINS_PER_S, Levels
from shared.sound.loudness_meter import LoudnessMeter
from shared.sound.onsets import LOUDEST, OnsetStrength, Tracks
from shared.sound.tones import FeatureMeter, Features

Floats = NDArray[np.float32]

POINTS_PER_S = 50
"""The outline has so many pairs of a lowest and a highest sample."""


@dataclass(frozen=True)
class Heard:
    """What the pass leaves: sound on disk, numbers in memory."""

    levels: Levels
    voice: Floats
    """The mix to one channel at 16 kHz, memory-mapped."""
    features: Features
    """Of the mix."""
    tracks: Tracks
    """Onset strength at the recording's own rate: the same numbers that hits and loops go by."""
    outline: Floats
    """``(2, points)``: the lowest and the highest sample of each 20 ms, any channel."""
    slope: Floats
    """Mean square of the slope over each 0.5 ms (see ``attacks``), memory-mapped."""
    damage: str | None
    """What the decoder said where it could not decode all."""


def listen(job: Job, progress: Callable[[float], None]) -> Heard:
    """Decode the recording once. Raises ``UnsupportedMedia``, ``TimedOut``, ``MissingDependency``."""
    media = job.media
    with audio_blocks(job.source, media) as blocks:
        meters = _Meters(blocks, media.heard, job.workdir)
        expected = max(1, (media.duration_ms or 0) * blocks.sample_rate_hz // 1000)
        for block in blocks:
            meters.add(block)
            progress(min(1.0, blocks.frames / expected))
        damage = blocks.damage
    heard_ms = round(1000 * blocks.frames / blocks.sample_rate_hz)
    # A picture may go on after its sound: that is silence. Without one, what was decoded counts.
    shown_ms = (media.duration_ms or 0) if media.has_video else 0
    return meters.finish(max(heard_ms, shown_ms), damage)


class _Meters:
    """All that listens, fed block by block."""

    def __init__(self, blocks: AudioBlocks, heard: HeardSound, folder: Path) -> None:
        self._rate_hz = blocks.sample_rate_hz
        layout = heard.channel_layout
        self._loudness = LoudnessMeter(blocks.sample_rate_hz, blocks.channels, layout)
        self._to_mono = even_mono(layout, blocks.channels, heard.mono_channels)[:, 0]
        self._features = FeatureMeter()
        self._onsets = OnsetStrength(blocks.sample_rate_hz)
        self._to_16k = _Resampler(blocks.sample_rate_hz)
        self._voice = folder / "voice.f32"
        self._voice_file = self._voice.open("wb")
        self._energy = Binned(blocks.sample_rate_hz, BINS_PER_S, np.add)
        self._slope = Binned(blocks.sample_rate_hz, STEPS_PER_S, np.add)
        self._slopes = folder / "slope.f32"
        self._slope_file = self._slopes.open("wb")
        self._last: Floats | None = None
        self._lows = Binned(blocks.sample_rate_hz, POINTS_PER_S, np.minimum)
        self._highs = Binned(blocks.sample_rate_hz, POINTS_PER_S, np.maximum)

    def add(self, block: Floats) -> None:
        channels = np.ascontiguousarray(block.T)  # numpy is slow along an axis of two
        self._lows.add(channels.min(axis=0))
        self._highs.add(channels.max(axis=0))
        self._slope.add(self._sloping(channels))
        self._slope_file.write(np.asarray(self._slope.taken(), "<f4").tobytes())
        self._energy.add(self._loudness.add(block))
        self._onsets.process(block)
        self._take(self._to_16k.add(self._mixed(block)))

    def finish(self, duration_ms: int, damage: str | None) -> Heard:
        self._take(self._to_16k.finish())
        self._voice_file.close()
        features = self._features.finish()
        lufs = self._loudness.integrated_lufs()
        self._slope_file.write(np.asarray(self._slope.finish(), "<f4").tobytes())
        self._slope_file.close()
        energy, lows, highs = (bins.finish() for bins in (self._energy, self._lows, self._highs))
        return Heard(
            levels=Levels(duration_ms, energy.astype(np.float64), lufs),
            voice=mapped(self._voice),
            features=features,
            tracks=self._onsets.finish(),
            outline=np.stack([lows, highs]).astype(np.float32),
            slope=mapped(self._slopes),
            damage=damage,
        )

    def _take(self, voice: Floats) -> None:
        self._voice_file.write(np.ascontiguousarray(voice, "<f4").tobytes())
        self._features.add(voice)

    def _sloping(self, channels: Floats) -> Floats:
        """The square of each sample's distance from the one before, mean over the channels."""
        clipped = np.clip(channels, -LOUDEST, LOUDEST)
        before = clipped[:, :1] if self._last is None else self._last
        self._last = clipped[:, -1:] if clipped.size else before
        return np.asarray(np.square(np.diff(clipped, axis=1, prepend=before)).mean(axis=0))

    def _mixed(self, block: Floats) -> Floats:
        """To one channel, as ``shared.media.streams`` chose; a broken file's numbers kept in bounds."""
        block = np.clip(block, -LOUDEST, LOUDEST)
        return np.asarray(block @ self._to_mono.astype(np.float32))


class _Resampler:
    """To 16 kHz, block by block; the same however the blocks are cut."""

    def __init__(self, rate_hz: int) -> None:
        import soxr

        self._stream = None
        if rate_hz != RATE_HZ:
            self._stream = soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="float32")

    def add(self, block: Floats) -> Floats:
        return self._through(block, last=False)

    def finish(self) -> Floats:
        return self._through(np.zeros(0, np.float32), last=True)

    def _through(self, block: Floats, *, last: bool) -> Floats:
        if self._stream is None:
            return block
        made = self._stream.resample_chunk(np.ascontiguousarray(block), last=last)
        return np.asarray(made, np.float32).ravel()
