"""What a voice sounds like, as a vector: Resemblyzer's network (GE2E), run in numpy.

Wan, Wang, Papir and Lopez Moreno, "Generalized end-to-end loss for speaker verification", ICASSP 2018.
Three LSTM layers of 256 units over 40 mel bands each 10 ms, a linear layer and a ReLU; the vector has
length 1. Of pieces of 1.6 s, two of one voice are alike (their product) by 0.8, of two voices by 0.5.

    piece -> brought to -30 dBFS -> power in 40 mel bands -> LSTMs -> the last frame's state -> vector

The bands' power goes in as it is, without a logarithm: so the network was trained. In numpy, so that nobody
has to install torch for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from functions.transcribe.torch_file import read_weights
from shared.contracts.step_engine import Dependency
from shared.media.vad import RATE_HZ
from shared.settings import settings

Floats = NDArray[np.float32]

NAME, FILE = "resemblyzer", "pretrained.pt"
PIECE_FRAMES = 160
"""1.6 s, as it was trained on."""
_HOP, _WINDOW, _BANDS = 160, 400, 40
_LEVEL = 10 ** (-30 / 20)
"""-30 dBFS, as it was trained on."""
_AT_ONCE = 64


def voice_weights() -> Dependency:
    """Are they there? As ``backend_info`` shows it."""
    if _place().is_file():
        return Dependency(True, "0.1.4")
    hint = f"they are not in {settings().models} (RUSHES_MODELS): `rushes models install {NAME}`"
    return Dependency(False, error=f"{NAME}: {hint}")


def voice_vectors(pieces: Sequence[Floats], progress: Callable[[float], None]) -> Floats:
    """``(pieces, 256)``: the vector of each piece of sound at 16 kHz, ``(samples,)``, up to 1.6 s long.

    Pieces of one length are heard at once, by one thread: products this small take longer by several, and
    their last bits would hang on how many. Raises ``BackendFailed``.
    """
    from threadpoolctl import threadpool_limits

    network = _network(_place())
    found = np.zeros((len(pieces), 256), np.float32)
    lengths = np.array([max(1, min(len(piece) // _HOP, PIECE_FRAMES)) for piece in pieces])
    done = 0
    with threadpool_limits(1, user_api="blas"):
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length)
            for first in range(0, len(same), _AT_ONCE):
                part = same[first : first + _AT_ONCE]
                mels = np.stack([_mel(pieces[index])[:length] for index in part])
                found[part] = network.vectors(mels)
                done += len(part)
                progress(done / len(pieces))
    return found


def _place() -> Path:
    return settings().models / NAME / FILE


@lru_cache(maxsize=1)
def _network(path: Path) -> _Network:
    return _Network(path)


class _Network:
    def __init__(self, path: Path) -> None:
        known = read_weights(path, "model_state")
        self._layers = [
            (
                np.ascontiguousarray(known[f"lstm.weight_ih_l{layer}"].T),
                np.ascontiguousarray(known[f"lstm.weight_hh_l{layer}"].T),
                known[f"lstm.bias_ih_l{layer}"] + known[f"lstm.bias_hh_l{layer}"],
            )
            for layer in range(3)
        ]
        self._linear = np.ascontiguousarray(known["linear.weight"].T)
        self._bias = known["linear.bias"]

    def vectors(self, mels: Floats) -> Floats:
        """``(pieces, 256)`` of ``(pieces, frames, bands)``."""
        states = mels
        for inward, back, bias in self._layers:
            states = _lstm(states, inward, back, bias)
        raw = np.maximum(states[:, -1] @ self._linear + self._bias, 0)
        return np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True), np.float32)


def _lstm(states: Floats, inward: Floats, back: Floats, bias: Floats) -> Floats:
    """The hidden states at each frame (Hochreiter and Schmidhuber 1997; gates in torch's order).

    ``states``: ``(pieces, frames, inputs)``; ``inward``: ``(inputs, 4 units)``; ``back``: ``(units, 4
    units)``; out: ``(pieces, frames, units)``, from a state of zeros on.
    """
    count, frames, _ = states.shape
    units = back.shape[0]
    given = states @ inward + bias
    hidden = np.zeros((count, units), np.float32)
    cell = np.zeros((count, units), np.float32)
    made = np.empty((count, frames, units), np.float32)
    for frame in range(frames):
        gates = given[:, frame] + hidden @ back
        let_in, forget, let_out = (
            _sigmoid(gates[:, at * units : (at + 1) * units]) for at in (0, 1, 3)
        )
        cell = forget * cell + let_in * np.tanh(gates[:, 2 * units : 3 * units])
        hidden = let_out * np.tanh(cell)
        made[:, frame] = hidden
    return made


def _sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-x)), by the tangent, which does not overflow."""
    return np.asarray(0.5 * np.tanh(0.5 * values) + 0.5, np.float32)


def _mel(piece: Floats) -> Floats:
    """``(frames, 40)``: power in mel bands each 10 ms, of the piece at the level of training.

    Windows of 25 ms (Hann), the first around the first sample. Silence stays silence.
    """
    level = float(np.sqrt(np.square(piece, dtype=np.float64).mean())) + 1e-9
    sound = np.pad(np.asarray(piece * (_LEVEL / level), np.float32), _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    spectrum = np.fft.rfft(frames * np.hanning(_WINDOW + 1)[:-1].astype(np.float32), axis=1)
    power = np.square(np.abs(spectrum)).astype(np.float32)
    return np.asarray(power @ _filters().T, np.float32)


@lru_cache(maxsize=1)
def _filters() -> Floats:
    """``(40, 201)``: librosa's mel filters (Slaney's scale and norm), which faster-whisper has, too."""
    from faster_whisper.feature_extractor import FeatureExtractor

    made = FeatureExtractor.get_mel_filters(RATE_HZ, _WINDOW, _BANDS)
    return np.asarray(made, np.float32)
