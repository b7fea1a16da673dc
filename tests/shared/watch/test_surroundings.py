"""What engines go by on this machine is told apart from what they don't."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.settings import settings
from shared.watch import surroundings as looked_at
from shared.watch.surroundings import surroundings


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One with a little code, a model, a package and a tool."""
    for name in (
        "functions/detect",
        "models/tiny",
        "hub/models--tiny/snapshots/1",
        "site-packages",
    ):
        (tmp_path / name).mkdir(parents=True)
    for name in ("functions/detect/hits.py", "models/tiny/model.bin", "ffmpeg"):
        (tmp_path / name).touch()
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setattr(looked_at, "_PRODUCT", tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site-packages")])
    monkeypatch.setenv("RUSHES_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("PATH", str(tmp_path))
    yield
    settings.cache_clear()
    surroundings.cache_clear()


def found() -> str:
    """As another process finds them."""
    settings.cache_clear()
    surroundings.cache_clear()
    return surroundings()


def write(name: str) -> Callable[[Path, pytest.MonkeyPatch], object]:
    return lambda folder, _: (folder / name).write_text("other than before")


@pytest.mark.parametrize(
    "change",
    [
        write("functions/detect/hits.py"),
        write("functions/detect/new.json"),
        write("models/tiny/model.bin"),
        write("hub/models--tiny/snapshots/1/model.bin"),
        write("ffmpeg"),
        write("site-packages/librosa-0.12.dist-info"),
        lambda _, env: env.setenv("VIDEO_REGION_BACKEND", "stub"),
        lambda _, env: env.setenv("VIDEO_CAPTIONS_MODEL", "tiny"),  # its default, but named now
    ],
    ids=["code", "data", "weights", "hub", "tool", "package", "backend", "model"],
)
def test_what_an_engine_goes_by_is_seen(
    change: Callable[[Path, pytest.MonkeyPatch], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = found()
    assert found() == before
    change(tmp_path, monkeypatch)
    assert found() != before


def test_what_no_engine_goes_by_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = found()
    monkeypatch.setenv("RUSHES_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("RUSHES_DATA", str(tmp_path / "elsewhere"))
    (tmp_path / "functions/__pycache__").mkdir()
    (tmp_path / "functions/__pycache__/hits.pyc").touch()
    monkeypatch.setenv("RUSHES_MODELS", "models")
    monkeypatch.chdir(tmp_path)  # as the command may be told, where its workers have the whole path
    assert found() == before


def test_folders_that_lead_in_circles_come_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "models/round").symlink_to(tmp_path / "models")
    assert found() == found()
