"""Train the classifier of hits' kinds: ``functions/detect/hit_kinds.json``.

    apt-get download sonic-pi-samples && dpkg -x sonic-pi-samples_*.deb kits
    python -m tests.models.train_hit_kinds kits/usr/share/sonic-pi/samples

Material: ``drum_synth``'s recipes, and the one-shots of Sonic Pi (CC0 1.0, see the package's copyright
file). The same versions of numpy and scikit-learn give the same weights. ``tests.bench.quality_hits``
tells how good they are on drums that were not among these.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from sklearn.neural_network import MLPClassifier

from functions.detect.hit_kinds import CLASSES, features_of
from tests.models.drum_synth import RATE_HZ, RECIPES, Sound, recorded

SEED = 20
EACH = 800
"""Synthesised sounds of each class."""
COPIES = 16
"""Of each of Sonic Pi's, each recorded otherwise."""
SHAKES, SHAKEN_BY = 3, 0.5
"""Each is shown so often, its features shaken so far (in standard deviations): what was synthesised lies
closer together than what is recorded."""
HIDDEN = 48
DIGITS = 4

SONIC_PI = {
    **dict.fromkeys(
        ("bd", "drum_bass", "drum_heavy_kick", "elec_hollow_kick", "elec_soft_kick"), "kick"
    ),
    **dict.fromkeys(
        ("sn", "drum_snare", "elec_hi_snare", "elec_lo_snare", "elec_mid_snare"), "snare"
    ),
    **dict.fromkeys(("elec_snare", "elec_filt_snare"), "snare"),
    **dict.fromkeys(("drum_cymbal_closed", "drum_cymbal_pedal", "drum_cymbal_open"), "hat"),
    **dict.fromkeys(
        ("drum_cymbal_hard", "drum_cymbal_soft", "drum_splash", "elec_cymbal"), "cymbal"
    ),
    **dict.fromkeys(("drum_tom", "elec_fuzz_tom"), "tom"),
    **dict.fromkeys(("bass", "guit", "glitch_bass", "perc", "tabla", "drum_cowbell"), "other"),
    **dict.fromkeys(("elec_b", "elec_chime", "elec_p", "elec_t", "elec_wood"), "other"),
    **dict.fromkeys(("ambi", "mehackit", "misc", "vinyl"), "other"),
}
"""How its files' names begin -> class; the longest that fits counts, and what fits none is left out."""


def class_of(name: str) -> str | None:
    """Of a sample of Sonic Pi's."""
    fitting = [start for start in SONIC_PI if name.startswith(start)]
    return SONIC_PI[max(fitting, key=len)] if fitting else None


def synthesised(rng: np.random.Generator) -> Iterator[tuple[str, Sound]]:
    for name, recipe in RECIPES.items():
        for _ in range(EACH * (2 if name == "other" else 1)):
            yield name, recorded(recipe(rng), rng)


def sampled(folder: Path, rng: np.random.Generator) -> Iterator[tuple[str, Sound]]:
    for path in sorted(folder.glob("*.flac")):
        name = class_of(path.stem)
        if name is None:
            continue
        sound, rate = soundfile.read(path, always_2d=True)
        sound = from_attack(sound[:, 0])[:RATE_HZ]
        if rate != RATE_HZ:
            continue
        for _ in range(COPIES):
            yield name, recorded(sound, rng)


def from_attack(sound: Sound) -> Sound:
    """From a millisecond before it is first within 26 dB of its peak."""
    loud = np.abs(sound) > 0.05 * np.abs(sound).max()
    return sound[max(0, int(np.argmax(loud)) - RATE_HZ // 1000) :]


def train(folder: Path) -> dict[str, list[object]]:
    """The network's weights, rounded."""
    rng = np.random.default_rng(SEED)
    pairs = [*synthesised(rng), *sampled(folder, rng)]
    wide = (sound.astype(np.float32)[:, None] for _, sound in pairs)
    features = np.stack([features_of(sound, RATE_HZ) for sound in wide])
    labels = np.array([CLASSES.index(name) for name, _ in pairs])
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-3
    usual = np.tile(np.clip((features - mean) / spread, -4.0, 4.0), (SHAKES, 1))
    usual += SHAKEN_BY * rng.standard_normal(usual.shape)
    net = MLPClassifier((HIDDEN,), alpha=0.1, max_iter=12, random_state=SEED)
    net.fit(usual, np.tile(labels, SHAKES))
    (w1, w2), (b1, b2) = net.coefs_, net.intercepts_
    weights = {"mean": mean, "spread": spread, "w1": w1, "b1": b1, "w2": w2, "b2": b2}
    return {name: np.round(values, DIGITS).tolist() for name, values in weights.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", type=Path, help="Sonic Pi's folder of samples")
    args = parser.parse_args()
    path = Path(__file__).parents[2] / "functions/detect/hit_kinds.json"
    body = {"classes": list(CLASSES), "weights": train(args.samples)}
    path.write_text(json.dumps(body, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
