"""How well hits are named, on Hydrogen's drum kits, which nobody trained on.

    apt-get download hydrogen-data hydrogen-drumkits && for kit in *.deb; do dpkg -x $kit kits; done
    python -m tests.bench.quality_hits kits/usr/share/hydrogen/data/drumkits

Prints the table of confusion at ``SURE``. What a kit calls its instruments is the truth.
"""

from __future__ import annotations

import argparse
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from functions.detect.hit_kinds import (
    CLASSES,
    DRUMS,
    LISTENS_S,
    SURE,
    Values,
    drum_of,
    features_of,
    probabilities,
)

NAMES = (
    ("cymbal", r"(ride|paiste|crash).*bell|^bell$|ride.?cup"),
    (
        "other",
        r"stick|rim ?click|cajon|bongo|conga|clave|cow ?bell|wood|glass|maraca|shaker|tambour",
    ),
    ("other", r"agogo|snap|zap|fx|whistle|bell|click|djembe|scratch|brush|guiro"),
    ("clap", r"clap"),
    ("kick", r"kick|bass ?drum|bd"),
    ("snare", r"snare|sn\b"),
    ("tom", r"tom"),
    ("hat", r"hat|hh"),
    ("cymbal", r"crash|ride|splash|china|cymbal"),
)
"""Class and what a kit calls its instruments, the first that fits."""


CHOSEN_WITH = (
    *("ColomboAcousticDrumkit", "ElectricEmpireKit", "GMRockKit", "Millo_MultiLayered2"),
    "TR808EmulationKit",
)
"""Recipes and settings were chosen by what became of these; the others were only looked at."""


def truth_of(name: str) -> str | None:
    """``None``: its name does not say."""
    return next((kind for kind, words in NAMES if re.search(words, name.lower())), None)


def samples(kits: Path) -> Iterator[tuple[str, str, Path]]:
    """Kit, class, file."""
    for kit in sorted(kits.glob("*/drumkit.xml")):
        text = re.sub(rb' xmlns="[^"]*"', b"", kit.read_bytes())
        seen: set[str] = set()
        for instrument in ET.fromstring(text).iter("instrument"):
            kind = truth_of(instrument.findtext("name") or "")
            for file in instrument.iter("filename"):
                path = kit.parent / (file.text or "")
                if kind and file.text not in seen and path.is_file() and "empty" not in path.name:
                    seen.add(path.name)
                    yield kit.parent.name, kind, path


def heard(path: Path) -> Values | None:
    """Its features from the attack on; ``None``: silence."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    loud = np.abs(sound).max(axis=1) > 0.05 * np.abs(sound).max(initial=1e-9)
    if not loud.any():
        return None
    first = max(0, int(np.argmax(loud)) - rate // 1000)
    return features_of(sound[first : first + round(LISTENS_S * rate)], rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kits", type=Path, nargs="+")
    rows = [row for folder in parser.parse_args().kits for row in samples(folder)]
    found = [(kit in CHOSEN_WITH, kind, heard(path)) for kit, kind, path in rows]
    for chosen_with, title in ((True, "kits that choices were made with"), (False, "other kits")):
        pairs = [
            (kind, one) for with_, kind, one in found if one is not None and with_ is chosen_with
        ]
        print(f"\n{title}: {len(pairs)} sounds")
        _tell([(kind, drum_of(probabilities(one))) for kind, one in pairs])


def _tell(pairs: Sequence[tuple[str, tuple[str, float]]]) -> None:
    for sure in (0.5, 0.8, 0.9, 0.95):
        named = [(kind, name) for kind, (name, chance) in pairs if chance >= sure]
        right = sum(name == kind or (kind, name) == ("hat", "cymbal") for kind, name in named)
        drums = sum(kind in DRUMS for kind, _ in pairs)
        print(f"{sure:.2f}: precision {right}/{len(named)}, drums named rightly {right}/{drums}")
    counts = Counter((kind, name if chance >= SURE else "other") for kind, (name, chance) in pairs)
    print("| is | " + " | ".join(CLASSES) + " |\n|" + " --- |" * (len(CLASSES) + 1))
    for kind in CLASSES:
        print(f"| {kind} | " + " | ".join(str(counts[kind, name]) for name in CLASSES) + " |")


if __name__ == "__main__":
    main()
