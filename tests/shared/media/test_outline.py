"""The picture of a recording's outline."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shared.media.outline import draw_outline


def test_each_row_of_cuts_is_drawn_in_its_own_strip(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "outline.png"
    rows = {"upper": [(0.0, 0.5)], "lower": [(0.5, 1.0)]}
    draw_outline(path, np.zeros(100, np.float32), rows, "title", 12.0)
    picture = np.asarray(Image.open(path).convert("RGB"))
    filled = (picture == (0xFF, 0xE3, 0xB0)).all(axis=2)
    assert filled[60, 400] and not filled[60, 1200]
    assert filled[300, 1200] and not filled[300, 400]


def test_an_empty_recording_has_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "outline.png"
    draw_outline(path, np.zeros(0, np.float32), {"hits": []}, "0 hits", 0.0)
    assert path.read_bytes().startswith(b"\x89PNG")
