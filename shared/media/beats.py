"""Beats out of onset strength: Ellis's dynamic programming, with a tempo that may drift.

The method is that of ``librosa.beat`` (D. Ellis, "Beat tracking by dynamic programming", 2007),
written with numpy alone, for librosa's own compiles for half a minute on a cold cache; a test holds
it against the installed librosa. It differs where librosa rounds: periods are not whole frames, the
tempo is judged anew each second, and beats lie between frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SLOWEST_BPM, FASTEST_BPM = 50.0, 220.0
_USUAL_BPM = 120.0
_TEMPI = 128
_WINDOW_S = 8.0
_STEADINESS = 40.0
"""How dear a change of tempo is from one second to the next, by the square of its octaves."""
_TIGHTNESS = 100.0


@dataclass(frozen=True)
class Beats:
    """What was found in one stretch of music."""

    times_s: Floats
    """From the stretch's beginning."""
    bpm: float
    """The median tempo; 0 without beats."""
    clarity: float
    """How far the onsets repeat at that tempo: 0 for noise, 1 for a machine."""


def pulse_clarity(flux: NDArray[np.floating], frames_per_s: float) -> Floats:
    """How far onsets repeat at the best tempo, a value a second of ``flux``, 0 to 1."""
    return np.asarray(_repetition(flux, frames_per_s).max(axis=1, initial=0.0))


def track_beats(flux: NDArray[np.floating], frames_per_s: float, bpm: float | None = None) -> Beats:
    """Beats of one stretch of music; ``flux`` is its onset strength, frame ``i`` at ``i / frames_per_s``.

    ``bpm`` fixes the tempo where it is known.
    """
    if len(flux) < frames_per_s or not flux.any():
        return Beats(np.zeros(0), 0.0, 0.0)
    found = _repetition(flux, frames_per_s)
    tempi = np.full(len(found), bpm) if bpm else _tempo_path(found)
    periods = 60.0 * frames_per_s / tempi
    at = np.clip((np.arange(len(flux)) / frames_per_s).astype(int), 0, len(periods) - 1)
    strength = _smoothed(flux, float(np.median(periods)))
    frames = _trimmed(_best_chain(strength, periods[at]), strength)
    if len(frames) < 2:
        return Beats(np.zeros(0), 0.0, 0.0)
    times_s = _between_frames(frames, strength) / frames_per_s
    clarity = float(np.median(found.max(axis=1)))
    return Beats(times_s, float(60.0 / np.median(np.diff(times_s))), clarity)


def bar_phase(accents: NDArray[np.floating], beats_per_bar: int = 4) -> int:
    """Which of the first beats begins a bar: the one whose like stand out, or the first where none does.

    ``accents``: how strong the low end is at each beat.
    """
    if len(accents) < 2 * beats_per_bar:
        return 0
    means = np.array([accents[phase::beats_per_bar].mean() for phase in range(beats_per_bar)])
    best = int(np.argmax(means))
    others = np.delete(means, best)
    return best if means[best] > 1.5 * others.max(initial=0.0) else 0


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


def _smoothed(flux: NDArray[np.floating], period: float) -> Floats:
    """Onset strength in deviations, blurred by a 32nd of the period (librosa's local score)."""
    reach = int(period)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) * 32.0 / period) ** 2)
    scaled = np.asarray(flux, np.float64) / (np.std(flux) + 1e-9)
    return np.asarray(np.convolve(np.pad(scaled, reach), bell, "valid"))


def _best_chain(strength: Floats, periods: Floats) -> NDArray[np.int64]:
    """Frames that are strong and about a period apart (Ellis 2007, equations 3 to 5)."""
    total = strength.copy()
    links = np.full(len(strength), -1)
    costs = {period: _costs(period) for period in np.unique(periods)}
    begun = False
    for frame in range(len(strength)):
        back, cost = costs[periods[frame]]
        within = np.searchsorted(back, frame, side="right")
        begun = begun or strength[frame] >= 0.01 * strength.max()
        if within and begun:
            options = total[frame - back[:within]] - cost[:within]
            best = int(options.argmax())
            total[frame] += options[best]
            links[frame] = frame - back[best]
    chain = [_last_beat(total)]
    while links[chain[-1]] >= 0:
        chain.append(int(links[chain[-1]]))
    return np.array(chain[::-1])


def _costs(period: float) -> tuple[NDArray[np.int64], Floats]:
    back = np.arange(max(1, round(period / 2)), int(2 * period) + 1)
    return back, _TIGHTNESS * np.log(back / period) ** 2


def _last_beat(total: Floats) -> int:
    """The last peak of the running score that is at least half of the usual one."""
    peaks = np.flatnonzero((total[1:-1] > total[:-2]) & (total[1:-1] >= total[2:])) + 1
    if not len(peaks):
        return int(total.argmax())
    return int(peaks[total[peaks] >= 0.5 * np.median(total[peaks])][-1])


def _trimmed(frames: NDArray[np.int64], strength: Floats) -> NDArray[np.int64]:
    """Without the weak beats at both ends, where no music is yet or any more."""
    held = np.convolve(np.pad(strength[frames], 2), np.hanning(5) / 2, "valid")
    strong = np.flatnonzero(held >= 0.5 * np.sqrt(np.mean(held**2)))
    return frames[strong[0] : strong[-1] + 1] if len(strong) else frames[:0]


def _between_frames(frames: NDArray[np.int64], strength: Floats) -> Floats:
    """Each beat at the top of the parabola through its frame and the neighbours."""
    inner = np.clip(frames, 1, len(strength) - 2)
    before, at, after = (strength[inner + step] for step in (-1, 0, 1))
    bend = before - 2 * at + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1.0), 0.0)
    return np.asarray(inner + np.clip(shift, -0.5, 0.5))
