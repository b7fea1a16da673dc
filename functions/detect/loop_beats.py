"""Tempo and beats from onset strength.

Tempo: the comb of the autocorrelation's multiples, weighed by how common a tempo is. Beats: dynamic
programming after D. Ellis, "Beat Tracking by Dynamic Programming", Journal of New Music Research
36(1), 2007, equations 1 to 6. librosa has both, but compiles numba kernels at the first call.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.float64]
"""A value a frame."""

SLOWEST_BPM, FASTEST_BPM = 55.0, 215.0
COMMON_BPM = 125.0
_TEETH = 8
TIGHTNESS = 100.0
"""Ellis' alpha, in deviations of the onset strength."""


def tempo_salience(flux_db: Frames, frame_rate_hz: float) -> tuple[Frames, Frames]:
    """Tempos in bpm, 0.2 % apart, and how much speaks for each (largest: best).

    The comb's teeth at 1 to 8 beats make the estimate finer than a frame.
    """
    tempos_bpm = np.exp(np.arange(np.log(SLOWEST_BPM), np.log(FASTEST_BPM), 0.002))
    lags = 60.0 * frame_rate_hz / tempos_bpm
    correlation = _autocorrelation(flux_db - flux_db.mean())
    teeth = np.arange(1, _TEETH + 1)
    places = np.outer(lags, teeth)
    inside = places < correlation.size - 1
    values = np.interp(places, np.arange(correlation.size), correlation) * inside
    comb = (values / np.sqrt(teeth)).sum(axis=1) / np.maximum(
        (inside / np.sqrt(teeth)).sum(axis=1), 1
    )
    return tempos_bpm, np.maximum(comb, 0.0) * tempo_prior(tempos_bpm)


def tempo_prior(tempos_bpm: Frames) -> Frames:
    """How common tempos are: a bell over octaves around ``COMMON_BPM``."""
    prior: Frames = np.exp(-0.5 * (np.log2(tempos_bpm / COMMON_BPM) / 0.7) ** 2)
    return prior


def _autocorrelation(values: Frames) -> Frames:
    """Unbiased for the lags that matter, 1.0 at lag 0."""
    import scipy.fft

    count = values.size
    spectrum = scipy.fft.rfft(values, scipy.fft.next_fast_len(2 * count))
    raw = scipy.fft.irfft(np.square(np.abs(spectrum)))[:count]
    unbiased: Frames = raw / np.maximum(np.arange(count, 0, -1), count / 4) * count
    return unbiased / max(float(unbiased[0]), 1e-12)


def track_beats(flux_db: Frames, period: float) -> NDArray[np.int64]:
    """The frames of the beats, about ``period`` frames apart; none where nothing sounds."""
    deviation = float(flux_db.std())
    if flux_db.size < 2 * period or deviation < 1e-6:
        return np.zeros(0, np.int64)
    local = _smoothed(flux_db / deviation, period)
    score, link = _best_paths(local, period)
    # The last beat: the last peak of the score that is at least half its usual height.
    peaks = np.flatnonzero((score[1:-1] > score[:-2]) & (score[1:-1] >= score[2:])) + 1
    if not peaks.size:
        return np.zeros(0, np.int64)
    last = peaks[score[peaks] >= 0.5 * np.median(score[peaks])][-1]
    beats = [int(last)]
    while link[beats[-1]] >= 0:
        beats.append(int(link[beats[-1]]))
    return _trimmed(np.array(beats[::-1], np.int64), local)


def _trimmed(beats: NDArray[np.int64], local: Frames) -> NDArray[np.int64]:
    """Without the beats before the first sound and after the last."""
    heard = np.flatnonzero(local[beats] > 0.5 * np.sqrt(np.mean(np.square(local[beats]))))
    return beats[heard[0] : heard[-1] + 1] if heard.size else beats[:0]


def _smoothed(flux: Frames, period: float) -> Frames:
    reach = round(period)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) * 32.0 / period) ** 2)
    return np.convolve(flux, bell)[reach : reach + flux.size]


def _best_paths(local: Frames, period: float) -> tuple[Frames, NDArray[np.int64]]:
    """Ellis' C* and P*: the best score of a beat sequence ending at each frame, and its last step."""
    steps = np.arange(round(2 * period), round(period / 2) - 1, -1)
    cost = -TIGHTNESS * np.log(steps / period) ** 2
    score = local.copy()
    link = np.full(local.size, -1, np.int64)
    threshold = 0.01 * float(local.max())
    begun = False
    for frame in range(local.size):
        first = frame - int(steps[0])
        skip = max(0, -first)
        if skip < steps.size:
            ways = score[first + skip : frame - int(steps[-1]) + 1] + cost[skip:]
            best = int(np.argmax(ways))
            score[frame] += ways[best]
            begun = begun or local[frame] >= threshold
            if begun:
                link[frame] = first + skip + best
    return score, link


def bar_phase(beats: NDArray[np.int64], low_db: Frames, beats_per_bar: int) -> int:
    """Which of the first ``beats_per_bar`` beats begins a bar: where the low end rises most.

    ``low_db``: level of the lowest band, a value a frame. The first beat wins unless another is
    clearly better, for recordings tend to begin with a bar.
    """
    after = low_db[np.minimum(beats[:, None] + np.arange(3), low_db.size - 1)].max(axis=1)
    before = low_db[np.maximum(beats - 3, 0)]
    rise_db = np.maximum(after - before, 0.0)
    phases = range(min(beats_per_bar, beats.size))
    means = np.array([rise_db[phase::beats_per_bar].mean() for phase in phases] or [0.0])
    return 0 if means[0] >= 0.85 * means.max() else int(np.argmax(means))
