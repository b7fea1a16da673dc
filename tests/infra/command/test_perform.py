"""``rushes perform --out``: what a musician takes home."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from infra.command.main import rushes
from shared.errors import Unavailable, ValidationError

PATTERN = Path(__file__).parents[3] / "docs" / "examples" / "rehearsal.json"


def perform(out: Path, *more: str) -> dict[str, Any]:
    words = ["perform", str(PATTERN), "--duration", "1", "--out", str(out), "--json", *more]
    where = ["--data", str(out.parent / "home")]
    done = CliRunner().invoke(rushes, [*words, *where], catch_exceptions=False)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.heavy
def test_each_performance_is_a_results_folder_of_its_own(tmp_path: Path) -> None:
    told = [perform(tmp_path / "walk"), perform(tmp_path / "walk", "--tempo", "150")]
    names = [Path(one["folder"]).name for one in told]
    assert names == ["rehearsal.rushes", "rehearsal (2).rushes"]
    folder = tmp_path / "walk" / names[0]
    page = (folder / "index.html").read_text()
    for name in ("rehearsal performance.wav", "stems/rehearsal bass.wav", "pictures/pattern.png"):
        assert (folder / name).stat().st_size > 0
        assert f"./{name.replace(' ', '%20')}" in page
    assert "1 beats" not in page and "LUFS" in page
    words = ["perform", str(PATTERN), "--duration", "1", "--data", str(tmp_path / "home")]
    assert "--out DIR leaves the sound" in CliRunner().invoke(rushes, words).stderr


def test_a_folder_that_cannot_be_is_told_before_anything_is_played(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(Unavailable, match="not a directory"):
        perform(tmp_path / "taken" / "below")


def test_a_tempo_that_is_no_number_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="tempo_bpm: Input should be a finite number"):
        perform(tmp_path / "walk", "--tempo", "nan")
