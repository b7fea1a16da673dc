"""What the tests of the performer share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]
EXAMPLE = REPOSITORY / "docs" / "examples" / "rehearsal.json"
MIDI_FILES = REPOSITORY.parent / "shared" / "media" / "timeline"


def pattern(**changes: Any) -> dict[str, Any]:
    """A small pattern: two bars of hats at 120 BPM."""
    return {
        "format": "rushes.pattern",
        "version": 1,
        "tail_beats": 0,
        "instruments": [{"name": "hats", "sound": "hat"}],
        "lanes": [{"name": "hats", "instrument": "hats", "notes": "x . x:60 . | x . x:60 ."}],
        **changes,
    }


def write(folder: Path, data: Any) -> Path:
    path = folder / "pattern.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), "utf-8")
    return path
