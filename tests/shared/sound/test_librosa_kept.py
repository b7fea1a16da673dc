"""Processes that begin at once on a new machine do not spoil each other's compiled code."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import MissingDependency
from shared.sound import librosa_kept

Making = Callable[[Callable[[Path], None]], None]


@pytest.fixture
def make_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Making:
    """Makes ready with something else for the half minute of compiling; it gets the folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("NUMBA_CACHE_DIR")

    def make(compiling: Callable[[Path], None]) -> None:
        def compiled() -> None:
            compiling(Path(os.environ["NUMBA_CACHE_DIR"]))

        monkeypatch.setattr(librosa_kept, "_import_called", compiled)
        librosa_kept._make_ready()

    return make


def is_locked(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_one_compiles_and_then_all_load(make_ready: Making, tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        make_ready(lambda folder: seen.append((folder.relative_to(tmp_path), is_locked(folder))))
    (first, alone), (second, also_alone) = seen
    assert (alone, also_alone) == (True, False)
    assert first == second and first.parent == Path("rushes/numba")


def test_what_was_broken_off_is_thrown_away(make_ready: Making) -> None:
    def broken_off(folder: Path) -> None:
        (folder / "core_1").mkdir()
        (folder / "core_1" / "half.nbc").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_ready(broken_off)
    left: list[list[Path]] = []
    make_ready(lambda folder: left.append(list(folder.iterdir())))
    assert left == [[]]


def test_a_folder_that_is_named_is_only_read(
    make_ready: Making, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "image"))
    make_ready(lambda folder: None)
    assert not list(tmp_path.iterdir())


def test_another_installation_has_its_own(
    make_ready: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []
    make_ready(folders.append)
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+avx2")
    make_ready(folders.append)
    assert len(set(folders)) == 2


def test_without_librosa_it_says_what_to_install(
    make_ready: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="pip install librosa"):
        librosa_kept.librosa_module("librosa.unheard_of")
