"""Tempo and beats of a recording: the one place that decides them.

One pass's ``Tracks`` in, sections of a steady pulse out. For each stretch between rests:

repetition   how far onset strength repeats around each second, at each tempo   (autocorrelation)
path         the tempo of each second: repeating, usual and steady              (Viterbi)
level        which multiple of it is the beat: where the sound itself repeats   (``pulse_level``)
beats        strong and a period apart: Ellis's dynamic programme                     (``beat_chain``)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.sound.bar_lines import bar_phase
from shared.sound.beat_chain import beat_frames
from shared.sound.onsets import Tracks
from shared.sound.pulse_level import Level, accents, choose_levels
from shared.sound.tempo_changes import SIDE_S, steady_parts, turn

Floats = NDArray[np.float64]

SLOWEST_BPM, FASTEST_BPM = 50.0, 220.0
BEATS_PER_BAR = 4
"""Where nothing says otherwise."""
_USUAL_BPM = 120.0
_TEMPI = 128
_WINDOW_S = 8.0
_STEADINESS = 40.0
"""How dear a change of tempo is from one second to the next, by the square of its octaves."""
_REST_S = 2.0
_REST_POWER = 1e-5
"""After so long a time 50 dB below the loudest the music begins anew."""
_CLEAR, _JUDGED_S = 0.35, 5
"""A second is clear that is so much as clear as the clearest; so many seconds tell the beat."""
_DRIFT = 0.05
"""Over a section, in parts of the tempo."""
_HEARD_DB = 0.5
"""Onsets at the beats stand out by so much, or there is no beat: a vibrato's don't."""
_STEADY_CLARITY, _STEADY_REPETITION = 0.3, 0.5
"""Speech stays below 0.27 and 0.4."""
_LAG_S = 0.008
"""By so much the peak of what beats fall on follows the attack."""
_UNSEEN_S, _EARLY = 0.1, 0.08
"""What sounds from the first sample on has no onset that could be seen: its beat is a period before the
first that is, so long behind the beginning, or so much of a period before it."""
_SOUNDING = 0.1
"""There it is as loud as so much of the other beats' power, or no music is there yet."""


@dataclass(frozen=True)
class Section:
    """A stretch with one pulse."""

    beats_s: Floats
    """The attacks, in seconds of the recording, two at least."""
    bpm: float
    beats_per_bar: int
    phase: int
    """Which of the first beats begins a bar."""
    clarity: float
    """How far the onsets repeat at that tempo: 0 for noise, 1 for a machine."""
    repetition: float
    """How alike the sound is to itself a bar, or two, or half of one later: -1 to 1."""

    @property
    def steady(self) -> bool:
        """Its onsets or its sound repeat more than speech, wind and steps do."""
        return self.clarity >= _STEADY_CLARITY or self.repetition >= _STEADY_REPETITION


def hear_beats(tracks: Tracks) -> list[Section]:
    """The recording's sections in order."""
    rate_hz = tracks.frames_per_s
    found = []
    for first, last in _between_rests(tracks.power, rate_hz):
        part = tracks.part(first, last)
        for section in _sections(part, rate_hz, opens=not first):
            found.append(_moved(section, first / rate_hz - _LAG_S))
    return found


def widest_pulse(tracks: Tracks) -> tuple[Tracks, float]:
    """The clearest part of what is all one stretch, and its period in frames, some multiple of a beat's."""
    rate_hz = tracks.frames_per_s
    found = _repetition(tracks.flux_db, rate_hz)
    base = 60.0 * rate_hz / float(np.median(_tempo_path(found)))
    return tracks.part(*_clearest(len(tracks.flux_db), found.max(axis=1), rate_hz)), base


def pulse_clarity(flux: NDArray[np.floating], frames_per_s: float) -> Floats:
    """How far onsets repeat at the best tempo, a value a second of ``flux``, 0 to 1."""
    return np.asarray(_repetition(flux, frames_per_s).max(axis=1, initial=0.0))


def _between_rests(power: NDArray[np.floating], rate_hz: float) -> Iterator[tuple[int, int]]:
    """Frames ``[first, last)`` of what sounds, a rest of two seconds or more between each two."""
    loud = np.flatnonzero(power > _REST_POWER * power.max(initial=0.0))
    if not loud.size:
        return
    breaks = np.flatnonzero(np.diff(loud) >= _REST_S * rate_hz)
    firsts = loud[np.append(0, breaks + 1)]
    lasts = loud[np.append(breaks, loud.size - 1)] + 1
    for first, last in zip(firsts, lasts, strict=True):
        yield max(0, int(first) - 4), int(last)


@dataclass(frozen=True)
class _Part:
    """Some seconds of a stretch, in which the tempo is steady or drifts."""

    frames: tuple[int, int]
    tempi: Floats
    """Of each second, in beats a minute or some multiple of them."""
    clarity: Floats

    clear: tuple[int, int]
    """The frames whose pulse is clear."""

    @property
    def drifting(self) -> bool:
        """Its tempo is not the same all along."""
        return float(np.ptp(np.log(self.tempi))) > _DRIFT

    def periods(self, level: Level, start: int, stop: int, rate_hz: float) -> Floats:
        """Frames between beats in each second of these frames, which may reach a little beyond its own."""
        seconds = np.round((np.arange(start, stop, rate_hz) - self.frames[0]) / rate_hz).astype(int)
        tempi = self.tempi[np.clip(seconds, 0, len(self.tempi) - 1)]
        return np.asarray(level.period * np.median(self.tempi) / tempi)


def _sections(tracks: Tracks, rate_hz: float, *, opens: bool) -> Iterator[Section]:
    """``opens``: the recording begins with it."""
    if not _sounds(tracks, rate_hz):
        return
    parts = [
        part
        for part in _parts(tracks.flux_db.astype(np.float64), rate_hz)
        if _sounds(tracks.part(*part.frames), rate_hz)
    ]
    levels = choose_levels([_judged(tracks, part, rate_hz) for part in parts], rate_hz)
    for part, level, (start, stop) in zip(
        parts, levels, _edges(tracks, parts, levels, rate_hz), strict=True
    ):
        periods = part.periods(level, start, stop, rate_hz)
        frames = beat_frames(_strength(tracks.part(start, stop)), periods, rate_hz)
        if opens and not start:
            frames = _from_the_first_sample(frames, float(periods[0]), tracks.power, rate_hz)
        section = _section(tracks, part, level, start + frames, rate_hz)
        if section is not None:
            yield section


def _sounds(tracks: Tracks, rate_hz: float) -> bool:
    return len(tracks.flux_db) >= rate_hz and bool(tracks.flux_db.any())


def _parts(flux: Floats, rate_hz: float) -> list[_Part]:
    found = _repetition(flux, rate_hz)
    tempi, clarity = _tempo_path(found), found.max(axis=1)
    parts = []
    for first, last in steady_parts(tempi):
        stop = len(flux) if last == len(tempi) else round(last * rate_hz)
        start = round(first * rate_hz)
        clear = _clearest(stop - start, clarity[first:last], rate_hz)
        parts.append(
            _Part(
                (start, stop),
                tempi[first:last],
                clarity[first:last],
                (start + clear[0], start + clear[1]),
            )
        )
    return parts


def _judged(tracks: Tracks, part: _Part, rate_hz: float) -> tuple[Tracks, float]:
    """What its beat is told by, and a period in frames, some multiple of the beat's."""
    base = 60.0 * rate_hz / float(np.median(part.tempi))
    if not part.drifting:
        return tracks.part(*part.clear), base
    start = part.frames[0]
    clear = part.clear[0] - start, part.clear[1] - start
    return _evened(tracks.part(*part.frames), part.tempi, clear, rate_hz), base


def _edges(
    tracks: Tracks, parts: list[_Part], levels: list[Level], rate_hz: float
) -> list[tuple[int, int]]:
    """Frames of each part, up to the stroke on which the next one's tempo begins."""
    starts = [part.frames[0] for part in parts]
    stops = [part.frames[1] for part in parts]
    for at, (one, other) in enumerate(pairwise(parts)):
        change = stops[at], starts[at + 1]
        if (
            min(len(one.tempi), len(other.tempi)) < SIDE_S
            or change[1] - change[0] > SIDE_S * rate_hz
        ):
            continue
        periods = (
            float(one.periods(levels[at], *one.frames, rate_hz)[-1]),
            float(other.periods(levels[at + 1], *other.frames, rate_hz)[0]),
        )
        first = one.frames[0]
        strength = _strength(tracks.part(first, other.frames[1]))
        sought = change[0] - first, change[1] - first
        stops[at] = starts[at + 1] = first + turn(strength, sought, periods, rate_hz)
    return list(zip(starts, stops, strict=True))


def _section(
    tracks: Tracks, part: _Part, level: Level, frames: Floats, rate_hz: float
) -> Section | None:
    """``frames``: its beats."""
    if len(frames) < 2 or not _heard(tracks.sharp_db, frames):
        return None
    phase = bar_phase(tracks.bands_db, frames, level.metre)
    told = frames[(frames >= part.clear[0]) & (frames < part.clear[1])]
    bpm = 60.0 * rate_hz / _even_step(told, level.period, drifting=part.drifting)
    sure = float(np.median(part.clarity))
    return Section(frames / rate_hz, bpm, level.metre, phase, sure, level.repetition)


def _from_the_first_sample(
    frames: Floats, period: float, power: NDArray[np.floating], rate_hz: float
) -> Floats:
    """With the beat on which a recording begins, if it begins on one."""
    if len(frames) < 2:
        return frames
    before = frames[0] - period
    if not -_EARLY * period <= before <= _UNSEEN_S * rate_hz:
        return frames
    near = np.round(np.append(before, frames)).astype(int)[:, None] + np.arange(3)
    loud = power[np.clip(near, 0, len(power) - 1)].max(axis=1)
    if loud[0] < _SOUNDING * np.median(loud[1:]):
        return frames
    at_once = power[0] >= _SOUNDING * np.median(loud[1:])
    return np.append(_LAG_S * rate_hz if at_once else max(before, _LAG_S * rate_hz), frames)


def _clearest(frames: int, clarity: Floats, rate_hz: float) -> tuple[int, int]:
    """The longest run of seconds whose pulse is clear, in frames: somebody may speak before or after."""
    clear = np.concatenate([[False], clarity >= _CLEAR * clarity.max(), [False]])
    edges = np.flatnonzero(clear[1:] != clear[:-1]).reshape(-1, 2)
    first, last = max(edges.tolist(), key=lambda run: run[1] - run[0])
    if last - first < _JUDGED_S:
        return 0, frames
    return round(first * rate_hz), frames if last == len(clarity) else round(last * rate_hz)


def _evened(tracks: Tracks, tempi: Floats, frames: tuple[int, int], rate_hz: float) -> Tracks:
    """These frames as if they went at the median tempo: what a level is chosen by, and nothing else, is so.

    Beats that come sooner and sooner lie on no grid, on which all that tells a beat is looked for.
    """
    first, last = frames
    at_s = np.arange(first, last) / rate_hz
    speed = np.interp(at_s, np.arange(len(tempi)), tempi) / np.median(tempi)
    passed = np.cumsum(speed) - speed[0]
    even = np.interp(np.arange(int(passed[-1]) + 1), passed, np.arange(first, last))
    taken = np.round(even).astype(int)
    return replace(
        tracks,
        samples=len(taken) * tracks.hop,
        flux_db=tracks.flux_db[taken],
        power=tracks.power[taken],
        bands_db=tracks.bands_db[taken],
    )


def _moved(section: Section, by_s: float) -> Section:
    return replace(section, beats_s=np.maximum(section.beats_s + by_s, 0.0))


def _strength(tracks: Tracks) -> Floats:
    """What beats fall on: new sounds in any band, the louder the better."""
    flux, loud = tracks.flux_db.astype(np.float64), accents(tracks)
    return np.asarray(flux / (flux.std() + 1e-9) + loud / (loud.std() + 1e-9))


def _heard(sharp_db: NDArray[np.floating], frames: Floats) -> bool:
    """Does something begin where the beats are?"""
    near = np.round(frames).astype(int)[:, None] + np.arange(-1, 3)
    at_beats = sharp_db[np.clip(near, 0, len(sharp_db) - 1)].max(axis=1)
    return bool(np.median(at_beats) >= _HEARD_DB)


def _even_step(frames: Floats, period: float, *, drifting: bool) -> float:
    """Frames from beat to beat: the slope of a line through steady beats.

    Else what was tuned to the sound, or, where the tempo drifts, the median step.
    """
    if len(frames) < 5:
        return period
    steps = np.diff(frames)
    number = np.concatenate([[0], np.cumsum(np.round(steps / period))])
    slope, start = np.polyfit(number, frames, 1)
    if np.abs(frames - start - slope * number).max() < 0.15 * period:
        return float(slope)
    return float(np.median(steps)) if drifting else period


def _tempi() -> Floats:
    return np.geomspace(SLOWEST_BPM, FASTEST_BPM, _TEMPI)


def _repetition(flux: NDArray[np.floating], frames_per_s: float) -> Floats:
    """``(seconds, tempi)``: autocorrelation around each second at each tempo's period, 0 to 1."""
    window = round(_WINDOW_S * frames_per_s)
    padded = np.pad(np.asarray(flux, np.float64), window // 2)
    starts = (np.arange(max(1, round(len(flux) / frames_per_s))) * frames_per_s).astype(int)
    hann = np.hanning(window)
    lags = 60.0 * frames_per_s / _tempi()
    whole = np.arange(window)
    share = np.maximum(np.fft.irfft(np.abs(np.fft.rfft(hann, 2 * window)) ** 2)[:window], 1e-9)
    rows = []
    for start in starts:
        view = padded[start : start + window]
        inside = view != 0
        centred = np.where(inside, view - view[inside].mean() if inside.any() else 0.0, 0.0) * hann
        raw = np.fft.irfft(np.abs(np.fft.rfft(centred, 2 * window)) ** 2)[:window]
        repeated = raw / share / max(raw[0] / share[0], 1e-12)
        # Two periods must repeat as well: half of what speaks for a tempo.
        once, twice = (np.interp(lags * n, whole, repeated) for n in (1, 2))
        rows.append(np.clip(0.5 * (once + twice), 0.0, 1.0))
    return np.array(rows)


def _tempo_path(found: Floats) -> Floats:
    """The tempo of each second: repeating, near the usual, and steady (Viterbi)."""
    octaves = np.log2(_tempi() / _USUAL_BPM)
    usual = np.exp(-0.5 * octaves**2)
    evidence = np.log(found * usual + 1e-3)
    change = -_STEADINESS * (octaves[:, None] - octaves[None, :]) ** 2
    score, links = evidence[0], []
    for row in evidence[1:]:
        options = score[:, None] + change
        links.append(options.argmax(axis=0))
        score = options.max(axis=0) + row
    path = [int(score.argmax())]
    for link in reversed(links):
        path.append(int(link[path[-1]]))
    return np.asarray(_tempi()[path[::-1]])
