"""The README's pictures: there, small, and such as the script takes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from infra.demo import pictures
from infra.demo.pictures import CONSOLE, FOLDER, take
from tests.functions.video import shortened

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
MOST_BYTES = 200_000


@pytest.mark.parametrize("name", [CONSOLE, FOLDER])
def test_the_readme_shows_it(name: str) -> None:
    assert f"docs/pictures/{name}" in (ROOT / "README.md").read_text()
    assert (PICTURES / name).stat().st_size < MOST_BYTES


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_the_script_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the clip's first eight seconds, which have all that the pictures show."""
    monkeypatch.setattr(pictures, "CLIP", shortened(tmp_path / "demo.mp4", 8.5, pictures.CLIP))
    take(tmp_path)
    for name in (CONSOLE, FOLDER):
        with Image.open(tmp_path / name) as now, Image.open(PICTURES / name) as shown:
            assert now.size == shown.size, "run `make pictures`"
            assert len(now.convert("RGB").resize((64, 64)).getcolors(64 * 64)) > 100
