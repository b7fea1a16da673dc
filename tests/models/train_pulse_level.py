"""Train the choice between a tempo and its multiples: ``shared/sound/pulse_level.json``.

    python -m tests.models.train_pulse_level

A conditional logit: of a piece's options the chance of each goes with the exponential of its weighted
features; the weights make the true ones likeliest (McFadden, "Conditional Logit Analysis of Qualitative
Choice Behavior", 1974). Material: ``groove_synth``'s pieces and ``synth``'s grooves, nothing recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from shared.sound.beats import widest_pulse
from shared.sound.pulse_level import Option, options
from tests.functions.detect import synth
from tests.models.groove_synth import RATE_HZ, SECONDS, Piece, pieces
from tests.onset_tracks import analyse

Floats = NDArray[np.float64]

SEED, COPIES = 7, 1
SHRUNK = 3.0
"""How dear weights are, by half their squares in deviations of their features."""
NEAR = 0.03
GROOVES = (
    *((synth.ROCK, 2), (synth.BUSY, 2), (synth.SIXTEENTHS, 4), (synth.HOUSE, 2)),
    *((synth.WALTZ, 2), (synth.SIX_EIGHT, 3)),
)


def material() -> Iterator[Piece]:
    """Everything that the weights are fitted to."""
    yield from pieces(SEED, COPIES)
    for pattern, steps in GROOVES:
        for bpm in (60.0, 80.0, 100.0, 120.0, 140.0, 160.0, 180.0, 200.0):
            truth = synth.groove(pattern, bpm, steps_per_beat=steps, rate_hz=RATE_HZ)
            per_bar = len(pattern["kick"]) // steps
            samples = truth.samples[: round(SECONDS * RATE_HZ)]
            yield Piece(samples, bpm, truth.beats_s, per_bar, truth.beats_s[::per_bar])


def options_of(piece: Piece) -> list[Option]:
    """As ``hear_beats`` has them, of the whole piece."""
    tracks = analyse([piece.samples[:, None]], RATE_HZ)
    part, base = widest_pulse(tracks)
    return options(part, base, tracks.frames_per_s)


def fitted(rows: list[tuple[Floats, NDArray[np.bool_]]]) -> Floats:
    """A weight a feature. ``rows``: the options' features of each piece, and which are the beat."""
    spread = np.concatenate([features for features, _ in rows]).std(axis=0) + 1e-9

    def unlikely(weights: Floats) -> tuple[float, Floats]:
        loss, slope = 0.5 * SHRUNK * weights @ weights, SHRUNK * weights
        for features, true in rows:
            scores = features / spread @ weights
            chances = np.exp(scores - scores.max())
            chances /= chances.sum()
            right = np.where(true, chances, 0.0)
            loss -= np.log(right.sum() + 1e-12)
            slope = slope + (chances - right / (right.sum() + 1e-12)) @ (features / spread)
        return float(loss), slope

    found = minimize(unlikely, np.zeros(len(spread)), jac=True, method="L-BFGS-B")
    return np.asarray(found.x / spread)


def main() -> None:
    rows, names = [], []
    for piece in material():
        offered = options_of(piece)
        names = list(offered[0].features)
        bpms = np.array([60 * RATE_HZ / 512 / option.period for option in offered])
        true = np.abs(bpms / piece.bpm - 1) < NEAR
        if true.any():
            rows.append((np.array([list(option.features.values()) for option in offered]), true))
    weights = fitted(rows)
    told = {name: round(float(weight), 3) for name, weight in zip(names, weights, strict=True)}
    path = Path(__file__).parents[2] / "shared/sound/pulse_level.json"
    path.write_text(json.dumps(told, indent=1) + "\n")
    right = sum(bool(true[np.argmax(features @ weights)]) for features, true in rows)
    print(f"{right} of {len(rows)} right")


if __name__ == "__main__":
    main()
