"""Where somebody speaks: Silero's voice activity, whose weights lie in faster-whisper's wheel.

The network was trained on speech at a usual level and without rumble. So each stretch is first freed
of what lies below 90 Hz and brought to that level: of seven phrases in a recording with a low hum
and a hoarse voice it then finds all, untreated three. And where a telephone has taken the voice's
fundamentals, they are made anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from shared.errors import MissingDependency
from shared.media.linear_filter import sos_filtered
from shared.media.mapped import let_go

RATE_HZ = 16_000
FRAME_SAMPLES = 512
FRAME_MS = 1000 * FRAME_SAMPLES / RATE_HZ
"""32 ms: one probability each."""

_CHUNK_FRAMES = 3_750
"""2 minutes are levelled at once; memory does not grow with the recording."""
_PIECE_FRAMES = 256
"""The network takes 8 s at a time: it holds 15 KiB a frame while it thinks."""
_WARM_UP_FRAMES = 312
"""The network remembers; 10 s before each chunk bring it to what it would remember."""
_COLD_FRAMES = 62
"""With nothing behind it, it misses speech that a recording begins with in the middle, half a second of a
telephone's: it hears the first 2 s twice, and is believed the second time."""
_LEVEL = 0.1
"""RMS of speech as the network likes it, -20 dBFS."""
_MOST_GAIN = 30.0
_SOFTEST, _LOUD_SHARE = 0.1, 98
"""Nothing is lifted that is 20 dB softer than the recording's loudest fiftieth: ambience before speech
that is brought to its level makes the network deaf to the first words."""
_NOTHING = 1e-7
"""-140 dBFS. A filter rings on into digital silence, where numbers that small slow the network down."""
_NEAR_FRAMES = 157
"""Level is judged within 2.5 s around, and whether a band is missing."""
_FUNDAMENTALS_HZ, _TELEPHONE_HZ, _ABOVE_HZ = (80, 250), (300, 3_400), (4_200, 7_600)
_FEW_BELOW, _FEW_ABOVE = 10**-1.5, 0.01
"""A telephone lets through no more than so much of what it lets through in its band: -15 and -20 dB."""
_LEAST_SPEECH_MS = 100

_ABOVE_RUMBLE = np.array(
    [
        *(0.9548695325210005, -1.909739065042001, 0.9548695325210005),
        *(1.0, -1.9355630044361165, 0.9367725109158135),
        *(1.0, -2.0, 1.0, 1.0, -1.972083833248343, 0.9733161610875055),
    ]
).reshape(2, 6)
"""``scipy.signal.butter(4, 90, "highpass", fs=RATE_HZ, output="sos")``: importing that is dear."""
_FUNDAMENTALS = np.array(
    [
        *(0.001605703217367416, 0.003211406434734832, 0.001605703217367416),
        *(1.0, -1.9089631957995714, 0.919311779697023),
        *(1.0, -2.0, 1.0, 1.0, -1.9664456491830637, 0.9680267211121457),
    ]
).reshape(2, 6)
"""``scipy.signal.butter(2, (90, 300), "bandpass", fs=RATE_HZ, output="sos")``."""


@dataclass(frozen=True)
class SpeechSpan:
    """A stretch of speech, samples ``[start, stop)`` at 16 kHz."""

    start: int
    stop: int
    confidence: float
    """The mean probability inside, 0 to 1."""


def speech_probabilities(
    samples: NDArray[np.float32], progress: Callable[[float], None] | None = None
) -> NDArray[np.float32]:
    """The probability of speech in each 32 ms of ``samples``, ``(samples,)`` at 16 kHz.

    ``samples`` may be a memory map: it is read in pieces. Raises ``MissingDependency``.
    """
    frames = -(-len(samples) // FRAME_SAMPLES)
    found = np.zeros(frames, np.float32)
    for first in range(0, frames, _CHUNK_FRAMES):
        last = min(first + _CHUNK_FRAMES, frames)
        begin = max(0, first - _WARM_UP_FRAMES)
        told = prepared(samples[begin * FRAME_SAMPLES : last * FRAME_SAMPLES])
        let_go(samples)
        heard_before = told[: _COLD_FRAMES * FRAME_SAMPLES] if first == 0 else told[:0]
        known = _network()(np.concatenate([heard_before, told])).ravel()
        found[first:last] = known[len(heard_before) // FRAME_SAMPLES :][first - begin :]
        if progress:
            progress(last / frames)
    return found


def prepared(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without rumble, near the network's level, and padded with silence to whole frames."""
    from scipy.ndimage import percentile_filter

    # Under one name, so that what each is made of goes: two minutes are 8 MiB.
    samples = np.pad(samples, (0, -len(samples) % FRAME_SAMPLES))
    samples = _with_fundamentals(samples)
    high_passed = sos_filtered(_ABOVE_RUMBLE, samples)
    del samples
    high_passed[(high_passed < _NOTHING) & (high_passed > -_NOTHING)] = 0.0
    frames = high_passed.reshape(-1, FRAME_SAMPLES)
    level = np.concatenate([np.square(some).mean(axis=1) for some in _pieces(frames)])
    level = np.sqrt(level) + 1e-9
    # The loud tenth is speech where there is any; a pause must not be lifted to its level.
    nearby = percentile_filter(level, 90, size=_NEAR_FRAMES, mode="nearest")
    nearby = np.maximum(nearby, _SOFTEST * np.percentile(level, _LOUD_SHARE))
    frames *= np.clip(_LEVEL / nearby, 1 / _MOST_GAIN, _MOST_GAIN)[:, None]
    np.clip(frames, -1.0, 1.0, out=frames)
    return np.asarray(frames, np.float32).ravel()


def _with_fundamentals(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """With the voice's fundamentals where a telephone has taken them, by which the network knows a voice.

    The harmonics that are left are a fundamental apart, so rectifying them makes it anew (B. Iser and
    G. Schmidt, "Bandwidth Extension of Telephony Speech", 2008, on nonlinear devices). ``samples`` are
    whole frames.
    """
    from scipy.ndimage import uniform_filter1d

    hann = np.hanning(FRAME_SAMPLES).astype(np.float32)
    powers = [
        _band_powers(np.square(np.abs(np.fft.rfft(some * hann))))
        for some in _pieces(samples.reshape(-1, FRAME_SAMPLES))
    ]
    below, within, above = (
        uniform_filter1d(power, _NEAR_FRAMES, mode="nearest")
        for power in np.concatenate(powers, axis=1)
    )
    narrow = (below < _FEW_BELOW * within) & (above < _FEW_ABOVE * within)
    if not narrow.any():
        return samples
    rectified = np.abs(samples) * np.repeat(narrow, FRAME_SAMPLES)
    return np.asarray(samples + sos_filtered(_FUNDAMENTALS, rectified), np.float32)


def _band_powers(spectra: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(3, frames)``: below a telephone's band, within it and above."""
    bands = (_FUNDAMENTALS_HZ, _TELEPHONE_HZ, _ABOVE_HZ)
    return np.stack([spectra[:, _bins(*band)].sum(axis=1) for band in bands])


def _pieces(frames: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """So many frames at a time that what is made of them on the way takes no memory to speak of."""
    for first in range(0, max(1, len(frames)), _PIECE_FRAMES):
        yield frames[first : first + _PIECE_FRAMES]


def _bins(low_hz: float, high_hz: float) -> slice:
    """Of a frame's spectrum."""
    return slice(round(low_hz * FRAME_SAMPLES / RATE_HZ), round(high_hz * FRAME_SAMPLES / RATE_HZ))


@lru_cache(maxsize=1)
def _network() -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    try:
        with _alone("faster_whisper"):
            vad = import_module("faster_whisper.vad")
    except ImportError as error:
        hint = f"install it with `pip install faster-whisper` ({error})"
        raise MissingDependency("faster-whisper", "1.0", hint) from None
    network: Any = copy(vad.get_vad_model())
    if hasattr(network, "session"):  # 1.1 had two of them
        network.session = _InPieces(network.session)
    return cast("Callable[[NDArray[np.float32]], NDArray[np.float32]]", network)


@contextmanager
def _alone(package: str) -> Iterator[None]:
    """Its modules without what the package itself imports: of faster-whisper the recogniser, PyAV and
    CTranslate2, 24 MiB. Whoever asks for more of it, or after that, gets all of it.
    """
    found = None if package in sys.modules else find_spec(package)
    if found is None:
        yield
        return
    bare = _Bare(package)
    bare.__path__ = list(found.submodule_search_locations or ())
    sys.modules[package] = bare
    try:
        yield
    finally:
        if sys.modules.get(package) is bare:
            for name in [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]:
                del sys.modules[name]


class _Bare(ModuleType):
    """Stands for a package; another thread that asks for what it holds has it imported."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


class _InPieces:
    """Stands for the network's session, which would take 2 minutes at once: piece by piece, what it
    remembers handed on, it says the same to the last bit.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def run(self, names: Sequence[str] | None, given: Mapping[str, Any]) -> list[Any]:
        """As onnxruntime's: ``input`` ``(frames, samples)``, the memory ``h`` and ``c``."""
        said: list[Any] = []
        frames, memory = given["input"], {"h": given["h"], "c": given["c"]}
        for first in range(0, len(frames), _PIECE_FRAMES):
            piece = frames[first : first + _PIECE_FRAMES]
            told, *kept = self._session.run(names, {"input": piece, **memory})
            memory = dict(zip(("h", "c"), kept, strict=True))
            said.append(told)
        return [np.concatenate(said), memory["h"], memory["c"]]


def speech_spans(
    probabilities: NDArray[np.float32],
    samples: int,
    *,
    min_silence_ms: int = 300,
    pad_ms: int = 100,
    threshold: float = 0.5,
) -> list[SpeechSpan]:
    """The stretches of speech in order, apart by what is left of each pause after padding.

    Speech begins at ``threshold`` and lasts until it has been 0.15 less likely than that for
    ``min_silence_ms``; less than 100 ms is none. Each stretch gets ``pad_ms`` at both ends, or half
    the pause.
    """
    runs = list(_runs(probabilities, threshold, max(1, round(min_silence_ms / FRAME_MS))))
    kept = [run for run in runs if (run[1] - run[0]) * FRAME_MS >= _LEAST_SPEECH_MS]
    edges = [0, *(frame for run in kept for frame in run), -(-samples // FRAME_SAMPLES)]
    pad = pad_ms * RATE_HZ // 1000
    spans = []
    for index, (first, last) in enumerate(kept):
        before, after = edges[2 * index], edges[2 * index + 3]
        lead = min(pad, (first - before) * FRAME_SAMPLES // (2 if index else 1))
        tail = min(pad, (after - last) * FRAME_SAMPLES // (2 if index + 1 < len(kept) else 1))
        stop = min(last * FRAME_SAMPLES + tail, samples)
        confidence = float(probabilities[first:last].mean())
        spans.append(SpeechSpan(first * FRAME_SAMPLES - lead, stop, confidence))
    return spans


def _runs(
    probabilities: NDArray[np.float32], threshold: float, pause_frames: int
) -> Iterator[tuple[int, int]]:
    """Frames ``[first, last)`` of each stretch, without padding."""
    first: int | None = None
    last = 0
    for frame, probability in enumerate(probabilities):
        if probability >= threshold:
            first = frame if first is None else first
        if first is None:
            continue
        if probability >= threshold - 0.15:
            last = frame + 1
        elif frame - last >= pause_frames - 1:
            yield first, last
            first = None
    if first is not None:
        yield first, last
