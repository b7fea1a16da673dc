"""What kind of sound a hit is: a drum's name, or a word for how it sounds.

A small network (85 features, one hidden layer of 48, 7 classes) on the spectrum of the attack and
of what follows, the envelope and a few shapes. It was trained by
``tests/models/train_hit_kinds.py`` on synthesised drums and Sonic Pi's CC0 samples; its figures on
kits that it never heard stand in docs/quality/music.md. Where it is not sure the hit is called by what
can be measured: a ``note``, ``clang``, ``knock``, ``click``, ``thud``, ``swish``, ``noise``, or
just ``hit``.

All is measured of the loudest channel at a peak of 1, so level doesn't count. Single strokes are
what it knows: of a kick with a hat on it it hears either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.detect.segments import Samples
from shared.sound.pitch import quick_size

Values = NDArray[np.floating[Any]]
"""float64 unless a sound is just being read."""

DRUMS = ("kick", "snare", "hat", "cymbal", "tom", "clap")
CLASSES = (*DRUMS, "other")
"""In the order of the network's outputs."""
SURE = 0.8
"""A drum is named from this probability on.

Chosen on five kits; on ten others 196 of 230 names are right from here on, and 242 of 320 from 0.5
on (docs/quality/music.md): the higher, the fewer drums have a name."""
LISTENS_S = 0.5
"""Seconds from the attack on that are looked at."""
_SHORTEST_S = 0.01
"""A shorter sound tells nothing."""

_WEIGHTS = Path(__file__).with_name("hit_kinds.json")
_FFT_S = 0.18
"""Spectra are of the power of two at or above so many seconds: bins of 3 to 6 Hz."""
_PARTS_S = (0.0, 0.012, 0.05, 0.12, 0.3)
"""Borders of the parts whose spectra are compared, from the attack on."""
_BANDS_HZ = np.geomspace(40.0, 16_000.0, 17)
"""Borders of 16 bands, evenly spaced in octaves."""
_STEPS_S = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
"""Ends of the envelope's steps."""
_FLOOR_DB = -50.0
"""What lies further below the strongest counts as this."""
_FARTHEST = 4.0
"""No feature counts as further from the training's mean, in standard deviations."""
_TINY = 1e-12
"""Keeps logarithms and quotients of silence finite."""


@dataclass(frozen=True)
class Kind:
    """What a hit is called."""

    name: str
    probability: float
    """Of the drum's name, 0 to 1; 0 where it is called by its sound."""


def kind_of(sound: Samples, sample_rate_hz: int, pitched: bool) -> Kind:
    """Of ``(samples, channels)`` that begin with their attack; ``pitched``: it has a clear pitch.

    ``hit`` with probability 0 for what is silent or shorter than 10 ms.
    """
    mono = _mono(sound, sample_rate_hz)
    if len(mono) < _SHORTEST_S * sample_rate_hz or not mono.any():
        return Kind("hit", 0.0)
    shape = _Shape(mono, sample_rate_hz)
    chances = probabilities(shape.features)
    name, probability = drum_of(chances)
    if probability >= SURE:
        return Kind(name, probability)
    return Kind(_by_sound(shape, pitched), 0.0)


def drum_of(chances: Values) -> tuple[str, float]:
    """The drum that is meant, and how probably; one of metal that might be either is a cymbal."""
    known = dict(zip(CLASSES, chances.tolist(), strict=True))
    name = max(DRUMS, key=lambda drum: known[drum])
    metal = known["hat"] + known["cymbal"]
    if name in ("hat", "cymbal") and known[name] < SURE:
        return "cymbal", metal
    return name, known[name]


def features_of(sound: Samples, sample_rate_hz: int) -> Values:
    """What the network looks at, ``(85,)``, whatever the rate and the level."""
    return _Shape(_mono(sound, sample_rate_hz), sample_rate_hz).features


def probabilities(features: Values) -> Values:
    """Of each class, ``(..., classes)``, adding up to 1; ``features``: ``(..., 85)``.

    Standardised by the training's mean and spread, one rectified layer, softmax.
    """
    net = _network()
    usual = np.clip((features - net["mean"]) / net["spread"], -_FARTHEST, _FARTHEST)
    hidden = np.maximum(usual @ net["w1"] + net["b1"], 0.0)
    scores = hidden @ net["w2"] + net["b2"]
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


@cache
def _network() -> Mapping[str, Values]:
    """Weights, biases, and the training's mean and spread, by name; read once a process."""
    stored: dict[str, Any] = json.loads(_WEIGHTS.read_text())
    return {name: np.array(values, np.float64) for name, values in stored["weights"].items()}


def _mono(sound: Samples, sample_rate_hz: int) -> Values:
    """The loudest channel: mixing two that are out of phase would thin it.

    ``(samples,)`` of half a second at most, at a peak of 1; one zero for no samples.
    """
    channels = numbers(sound[: round(LISTENS_S * sample_rate_hz)].T)
    if not channels.size:
        return np.zeros(1)
    loudest = int(np.argmax(np.square(channels, dtype=np.float64).sum(axis=1)))
    mono = channels[loudest].astype(np.float64)
    return np.asarray(mono / max(float(np.abs(mono).max()), _TINY))


def numbers(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A copy that lies in memory as it is read; 0 for what is no number."""
    values = np.array(values, np.float32, order="C")
    return values if np.isfinite(values).all() else np.nan_to_num(values)


class _Shape:
    """The measurements, of one channel at a peak of 1."""

    def __init__(self, mono: Values, sample_rate_hz: int) -> None:
        self.rate = sample_rate_hz
        self.mono = mono
        parts = [self._cut(a, b) for a, b in pairwise(_PARTS_S)]
        size = 1 << (round(_FFT_S * sample_rate_hz) - 1).bit_length()
        self.hz: Values = np.arange(size // 2 + 1) * (sample_rate_hz / size)
        self.spectra = np.stack([_power(part, size) for part in parts])
        self.envelope_db = self._envelope()

    def _cut(self, start_s: float, stop_s: float) -> Values:
        """The samples from one time to another, in seconds from the attack on."""
        return self.mono[round(start_s * self.rate) : round(stop_s * self.rate)]

    @property
    def features(self) -> Values:
        """All of them, ``(85,)``, each scaled to be of the order of 1.

        64 levels of bands, 7 of the envelope, 4 centres, 4 flatnesses, 3 lows, and 3 shapes.
        """
        audible = (self.hz > 30) & (self.hz < 16_000)
        centres = [_centre(power, self.hz) for power in self.spectra]
        flatness = [_flatness(power[audible]) for power in self.spectra]
        return np.concatenate(
            [
                self._bands_db().ravel() / 10,
                self.envelope_db / 10,
                np.array(centres) - 9.0,
                flatness,
                self._low_peaks(),
                [self._bumps(), self.periodicity, 100 * self.rise_s],
            ]
        )

    @property
    def centre_hz(self) -> float:
        """The spectrum's centre in the first 200 ms, by power: soft noise hardly moves it."""
        whole = self._cut(0.0, 0.2)
        power = power_of(np.fft.rfft(whole - whole.mean()))
        hz = np.fft.rfftfreq(len(whole), 1 / self.rate)
        return float((hz * power).sum() / max(float(power.sum()), _TINY))

    def _bands_db(self) -> Values:
        """Levels below the strongest, ``(parts, bands)``, -50 to 0 dB."""
        edges = np.searchsorted(self.hz, _BANDS_HZ)
        total = np.cumsum(np.pad(self.spectra, ((0, 0), (1, 0))), axis=1)
        last = total.shape[1] - 1
        bands = np.diff(total[:, np.minimum(edges, last)], axis=1)
        level = 10 * np.log10(np.maximum(bands, _TINY))
        return np.asarray(np.maximum(level - level.max(), _FLOOR_DB))

    def _envelope(self) -> Values:
        """Levels of the steps below the loudest step, ``(7,)``, -50 to 0 dB."""
        edges = [0, *(round(step * self.rate) for step in _STEPS_S)]
        means = [
            float(np.square(self.mono[a:b]).mean()) if len(self.mono) > a else 0.0
            for a, b in pairwise(edges)
        ]
        level = 10 * np.log10(np.maximum(means, _TINY))
        return np.asarray(np.maximum(level - level.max(), _FLOOR_DB))

    def _low_peaks(self) -> Values:
        """Where each part but the first is strongest below 500 Hz, in octaves from 64 Hz.

        ``(3,)``, of 30 Hz and more: a kick falls.
        """
        low = np.flatnonzero((self.hz > 30) & (self.hz < 500))
        if not low.size:
            return np.zeros(len(self.spectra) - 1)
        peaks = self.hz[low[np.argmax(self.spectra[1:, low], axis=1)]]
        return np.asarray(np.log2(np.maximum(peaks, 30.0) / 64.0))

    def _bumps(self) -> float:
        """How much the first 60 ms go up and down every 6 to 18 ms: a clap is many hands.

        The highest autocorrelation of the log level at those lags less the lowest at 2 to 9 ms, in
        parts of its energy.
        """
        step = max(1, self.rate // 1000)
        head = np.diff(self.mono[: 60 * step], prepend=0.0)
        if len(head) < 60 * step:
            head = np.pad(head, (0, 60 * step - len(head)))
        level = np.log10(np.square(head).reshape(60, -1).mean(axis=1) + 1e-6)
        level = level - level.mean()
        energy = float((level**2).sum())
        lags = [float((level[lag:] * level[:-lag]).sum()) for lag in range(2, 19)]
        dip = min(lags[:8])
        return (max(lags[4:]) - dip) / max(energy, _TINY)

    @property
    def periodicity(self) -> float:
        """How nearly what follows the attack repeats itself every 1 to 20 ms, 0 to 1."""
        part = self._cut(0.02, 0.12)
        if len(part) < self.rate // 25 or not np.any(part):
            return 0.0
        size = quick_size(len(part) + self.rate // 50)
        alike = np.fft.irfft(power_of(np.fft.rfft(part - part.mean(), size)), size)
        lags = alike[self.rate // 1000 : min(self.rate // 50, len(part))]
        return float(max(lags.max(), 0.0) / max(alike[0], _TINY))

    @property
    def rise_s(self) -> float:
        """How late the loudest millisecond comes."""
        step = max(1, self.rate // 1000)
        whole = self.mono[: len(self.mono) // step * step].reshape(-1, step)
        return int(np.argmax(np.square(whole).sum(axis=1))) / 1000 if len(whole) else 0.0

    def fall_s(self, below_db: float) -> float:
        """How long after its peak it has fallen by so much, in steps of 5 ms.

        All that is left, where it has not.
        """
        step = max(1, self.rate // 200)
        whole = self.mono[: len(self.mono) // step * step].reshape(-1, step)
        if not len(whole):
            return 0.0
        power = np.square(whole).mean(axis=1)
        top = int(np.argmax(power))
        low = np.flatnonzero(power[top:] < power[top] * 10 ** (-below_db / 10))
        return float(low[0] if low.size else len(power) - top) * step / self.rate


def _by_sound(shape: _Shape, pitched: bool) -> str:
    """A word for what it sounds like, the first that fits; ``hit`` where none does."""
    centre_hz, fall_s = shape.centre_hz, shape.fall_s(20.0)
    middle = (shape.hz > 200) & (shape.hz < 12_000)
    flat = _flatness(shape.spectra[1:3].sum(axis=0)[middle])
    hiss = flat > 0.3 and centre_hz > 1_500
    words = {
        "note": pitched and fall_s > 0.08,
        "click": fall_s < 0.03 and centre_hz > 2_000,
        "thud": fall_s < 0.25 and centre_hz < 200,
        "knock": fall_s < 0.12 and centre_hz < 2_500,
        "clang": fall_s > 0.12 and centre_hz > 500 and flat < 0.12,
        "swish": hiss and shape.rise_s > 0.015,
        "noise": hiss,
        "hit": True,
    }
    return next(word for word, fits in words.items() if fits)


def _power(part: Values, size: int) -> Values:
    """A part's power spectrum under a falling window, ``(size // 2 + 1,)``; 0 for no samples."""
    if not len(part):
        return np.zeros(size // 2 + 1)
    part = part[:size]
    return power_of(np.fft.rfft(part * _falling(len(part)), size))


@lru_cache(maxsize=8)
def _falling(count: int) -> Values:
    """The second half of a Hann window, 1 to 0: what begins a part counts most.

    Kept, for most parts are as long as those of the hit before.
    """
    return np.asarray(np.hanning(2 * count)[count:])


def power_of(spectrum: NDArray[np.complexfloating[Any]]) -> Values:
    """The squares of its magnitudes, in a quarter of the time that the roots between would take."""
    return np.asarray(np.square(spectrum.real) + np.square(spectrum.imag))


def _centre(power: Values, hz: Values) -> float:
    """The spectrum's centre by magnitude, as log2 of Hz (20 at least); 0 for silence."""
    magnitude = np.sqrt(power)
    total = float(magnitude.sum())
    return (
        float(np.log2(max(float((hz * magnitude).sum()) / total, 20.0))) if total > _TINY else 0.0
    )


def _flatness(power: Values) -> float:
    """Geometric over arithmetic mean of a power spectrum, 0 (one tone) to 1 (noise)."""
    if power.size < 8 or float(power.sum()) < _TINY:
        return 0.0
    return float(np.exp(np.log(power + _TINY).mean()) / (power.mean() + _TINY))
