"""The mix, in blocks: clips into tracks, tracks into buses.

    clip    fades x gain -> high-pass -> low-pass -> pan  ┐
    track   gain (fixed, automated, by section) -> high-pass -> low-pass -> pan  ┐
    bus     equaliser -> gain and pan -> ducking

Signals are float32, ``(channels, frames)``, full scale 1 and clipped nowhere. One channel stays one as
long as nothing moves it to a side; a bus has two. Positions are frames at the timeline's rate, counted
from its start.

Memory is that of a few blocks, however long the mix is. Written with numpy rather than as a graph of
ffmpeg's filters: those hold a gain over a frame of a thousand samples, and cannot move a cutoff
smoothly at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import Lock

import numpy as np

from functions.render.audio.clip_filters import Ducker, Equaliser, SweptFilter
from functions.render.audio.envelopes import Signal, Value, fade_gains, gain, lane_values, pan_gains
from functions.render.audio.mix_plan import Plan, PlannedBus, PlannedClip, PlannedTrack, Points
from functions.render.audio.sources import SourcePool, uses_by_source
from shared.sound.leveller import Levels

BLOCK_FRAMES = 1 << 14
"""A third of a second at 48 kHz: larger blocks hold more memory a track, smaller ones cost more Python."""
_MOST_THREADS = 8
"""Tracks are played beside each other; they are added up in the plan's order all the same."""


class Strip:
    """Gain, filters and pan of a clip or track, with their automation."""

    def __init__(self, gain_db: float, pan: float, lanes: Mapping[str, Points], rate: int) -> None:
        self._gain_db, self._pan, self._lanes = gain_db, pan, lanes
        self._filters = [
            SweptFilter(mode, lanes[f"{mode}_hz"], rate)
            for mode in ("highpass", "lowpass")
            if f"{mode}_hz" in lanes
        ]

    @property
    def rings(self) -> bool:
        """Is there something left to be heard without input?"""
        return any(one.rings for one in self._filters)

    def process(self, signal: Signal, first: int, fades: Signal | None = None) -> Signal:
        """The next frames, the first of which is the lanes' frame ``first``. May write into them.

        ``signal``: one or two channels; ``fades``: ``(frames,)``, ``None`` for all ones. Frames must follow
        each other, for filters keep their state.
        """
        factor = self._gain(first, signal.shape[1])
        if fades is not None:
            factor = fades * factor
        if not isinstance(factor, float) or factor != 1.0:
            signal *= factor
        for one in self._filters:
            signal = one.process(signal, first)
        return panned(signal, self._lane("pan", self._pan, first, signal.shape[1]))

    def _gain(self, first: int, frames: int) -> Value:
        """Fixed, automated and section's gain together, in decibels a sum; a number where all stand still."""
        factor = gain(self._gain_db)
        for name in ("gain_db", "section_gain_db"):
            if name in self._lanes:
                factor = factor * gain(lane_values(self._lanes[name], first, frames))
        return factor

    def _lane(self, name: str, otherwise: float, first: int, frames: int) -> float | Signal:
        points = self._lanes.get(name)
        return lane_values(points, first, frames) if points else otherwise  # type: ignore[return-value]


def panned(signal: Signal, pan: float | Signal) -> Signal:
    """Two channels, unless it is one in the middle, which stays one until somebody needs two.

    ``pan``: -1 left to 1 right, a number or ``(frames,)``. Of two channels it is the balance: the one side
    falls to silence, the other rises by 3 dB; neither moves to the other.
    """
    left, right = pan_gains(pan)  # type: ignore[arg-type]
    if isinstance(left, float) and (left, right) == (1.0, 1.0):
        return signal
    return np.stack([signal[0] * left, signal[-1] * right])


class _PlayingClip:
    """A clip while it is heard."""

    def __init__(self, clip: PlannedClip, pool: SourcePool, rate: int) -> None:
        self.clip = clip
        self._pool = pool
        self._reader = pool.lend(clip)
        self._strip = Strip(clip.gain_db, clip.pan, clip.lanes, rate)

    def play(self, first: int, frames: int) -> tuple[int, Signal]:
        """Its part of the block from ``first``: where in the block that begins, and the sound.

        Only for blocks in which it is heard, one after the other.
        """
        low = max(first, self.clip.start)
        high = min(first + frames, self.clip.stop)
        span = range(low - self.clip.start, high - self.clip.start)
        signal = self._reader.read(len(span))
        fades = fade_gains(self.clip.fade_in, self.clip.fade_out, self.clip.frames, span)
        return low - first, self._strip.process(signal, span.start, fades)

    def stop(self) -> None:
        """It is over."""
        self._pool.give_back(self._reader)


class _PlayingTrack:
    """A track: the clips that sound now, and those to come, which are begun in the block of their start."""

    def __init__(self, track: PlannedTrack, mixer: Mixer) -> None:
        self._mixer = mixer
        self._coming = list(reversed(track.clips))
        self._playing: list[_PlayingClip] = []
        self._strip = Strip(track.gain_db, track.pan, track.lanes, mixer.rate)
        self._levels = mixer.levels.get(track.track_id)

    def play(self, first: int, frames: int) -> Signal | None:
        """The next block, levelled where that is wanted; ``None``: silence."""
        parts = [self._part(one, first, frames) for one in list(self._playing)]
        # One after the other, so that a clip can take over the reader of one that is over.
        while self._coming and self._coming[-1].start < first + frames:
            clip = self._mixer.begin(self._coming.pop())
            self._playing.append(clip)
            parts.append(self._part(clip, first, frames))
        if not parts and not self._strip.rings:
            return None
        signal = self._strip.process(_joined(parts, frames), first)
        if self._levels is None:
            return signal
        return signal * self._levels.factors(first, frames, self._mixer.rate).astype(np.float32)

    def _part(self, one: _PlayingClip, first: int, frames: int) -> tuple[int, Signal]:
        part = one.play(first, frames)
        if one.clip.stop <= first + frames:
            self._playing.remove(one)
            self._mixer.stop(one)
        return part


def _joined(parts: Sequence[tuple[int, Signal]], frames: int) -> Signal:
    """The clips of a block, one where one fills it: as many channels as the widest of them has.

    A clip of one channel beside one of two is heard on both.
    """
    if len(parts) == 1 and parts[0][1].shape[1] == frames:
        return parts[0][1]
    channels = max((len(signal) for _, signal in parts), default=1)
    total = np.zeros((channels, frames), np.float32)
    for offset, signal in parts:
        total[:, offset : offset + signal.shape[1]] += signal
    return total


class _PlayingBus:
    """A bus up to its fader: equaliser, gain and pan. Ducking, which needs other buses, comes behind."""

    def __init__(self, planned: PlannedBus, mixer: Mixer) -> None:
        self.bus = planned.bus
        self.tracks = [_PlayingTrack(track, mixer) for track in planned.tracks]
        self._equaliser = Equaliser(self.bus.eq, mixer.rate)
        self._gain = gain(self.bus.gain_db)
        self.ducker = Ducker(self.bus.duck, mixer.rate) if self.bus.duck else None

    def play(self, signals: Sequence[Signal | None], frames: int) -> Signal:
        """The next block, ``(2, frames)``, not ducked yet; ``signals``: its tracks' in order."""
        total = np.zeros((2, frames), np.float32)
        heard = [signal for signal in signals if signal is not None]
        for signal in heard:
            total += signal
        if heard or self._equaliser.rings:
            total = self._equaliser.process(total)
            if self._gain != 1.0:
                total *= self._gain
            return panned(total, self.bus.pan)
        return total


class Mixer:
    """Plays a plan once, from its start to its end."""

    def __init__(
        self,
        plan: Plan,
        pool: SourcePool,
        block_frames: int = BLOCK_FRAMES,
        levels: Mapping[str, Levels] | None = None,
    ) -> None:
        """``levels``: track id -> what the leveller does to it behind its fader."""
        self.rate = plan.sample_rate_hz
        self.levels = levels or {}
        self.pool = pool
        self._plan = plan
        self._block_frames = block_frames
        self._to_come = uses_by_source(plan.clips)
        self._lock = Lock()
        self._buses = [_PlayingBus(planned, self) for planned in plan.buses]
        self._tracks = [track for bus in self._buses for track in bus.tracks]

    def blocks(self) -> Iterator[list[Signal]]:
        """Of each block what each bus gives, ``(channels, frames)``: their sum is the mix.

        As many channels as the export has; one is the mean of two. Iterate once: the readers of all
        sources are closed at the end, or when the iteration is left.
        """
        threads = min(len(self._tracks), os.cpu_count() or 1, _MOST_THREADS)
        try:
            with ThreadPoolExecutor(threads, "mix") as workers:
                for first in range(0, self._plan.frames, self._block_frames):
                    frames = min(self._block_frames, self._plan.frames - first)
                    played = workers.map(
                        lambda one, a=first, n=frames: one.play(a, n), self._tracks
                    )
                    yield self._block(iter(list(played)), frames)
        finally:
            self.pool.close()

    def begin(self, clip: PlannedClip) -> _PlayingClip:
        """A clip is heard from now on."""
        with self._lock:
            return _PlayingClip(clip, self.pool, self.rate)

    def stop(self, playing: _PlayingClip) -> None:
        """A clip is over; its source may be, too."""
        with self._lock:
            playing.stop()
            name = playing.clip.source
            self._to_come[name] -= 1
            if not self._to_come[name]:
                self.pool.forget(name)

    def _block(self, played: Iterator[Signal | None], frames: int) -> list[Signal]:
        heard = {
            one.bus.bus_id: one.play(list(islice(played, len(one.tracks))), frames)
            for one in self._buses
        }
        ducked = [self._ducked(one, heard) for one in self._buses]
        if self._plan.export.channels == 2:
            return ducked
        return [signal.mean(axis=0, keepdims=True) for signal in ducked]

    def _ducked(self, one: _PlayingBus, heard: Mapping[str, Signal]) -> Signal:
        """Turned down under the sum of those it makes way for, each as it is before its own ducking."""
        signal = heard[one.bus.bus_id]
        if one.ducker is None or one.bus.duck is None:
            return signal
        others = [heard[name] for name in one.bus.duck.under if name in heard]
        if not others:
            return signal
        return np.asarray(signal * one.ducker.gains(sum(others[1:], start=others[0])))


def summed(buses: Sequence[Signal]) -> Signal:
    """The mix of a block, always added in the plan's order."""
    total = buses[0].copy()
    for signal in buses[1:]:
        total += signal
    return total
