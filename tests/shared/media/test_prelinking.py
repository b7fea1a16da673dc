"""A start of ffmpeg that asks the right libraries first, and finds the very same symbols."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.media import prelinking
from shared.media.ffmpeg import run
from shared.media.prelinking import asked_first, bindings


@pytest.fixture(autouse=True)
def fresh_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One that has found out nothing yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked_first.cache_clear()
    yield
    asked_first.cache_clear()


@pytest.fixture
def ffprobe() -> str:
    found = shutil.which("ffprobe")
    assert found is not None
    return found


def in_a_new_process(program: str) -> str:
    asked_first.cache_clear()
    return asked_first(program)


@pytest.mark.heavy
def test_each_symbol_is_found_where_it_was(ffprobe: str) -> None:
    named = asked_first(ffprobe)
    if not named:
        pytest.skip("this ffprobe's loader tells nothing, or has nothing to look for")
    assert bindings(ffprobe, named.split(":")) == bindings(ffprobe)
    assert b"ffprobe version" in run(["-version"], tool="ffprobe", timeout_s=30).stdout


@pytest.mark.heavy
def test_it_is_found_out_anew_where_a_library_was_installed(
    ffprobe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = asked_first(ffprobe)
    (kept,) = (tmp_path / "cache" / "rushes" / "probes").iterdir()
    kept.write_text("/what/was/kept.so")
    assert in_a_new_process(ffprobe) == "/what/was/kept.so"
    installed = tmp_path / "ld.so.cache"
    installed.write_text("another library")
    monkeypatch.setattr(prelinking, "_LIBRARIES_CHANGED", installed)
    assert in_a_new_process(ffprobe) == found


def test_a_script_of_that_name_is_left_as_it_is(tmp_path: Path) -> None:
    script = tmp_path / "ffmpeg"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    script.chmod(0o755)
    assert asked_first(str(script)) == ""
    assert not (tmp_path / "ran").exists()


def test_what_does_not_say_its_version_is_left_as_it_is(tmp_path: Path) -> None:
    tool = tmp_path / "ffprobe"
    shutil.copy(shutil.which("false") or "/bin/false", tool)
    assert asked_first(str(tool)) == ""
    assert asked_first(str(tmp_path / "nowhere")) == ""


def test_what_a_busy_machine_did_not_find_out_is_asked_again(
    ffprobe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as busy:
        busy.setattr(prelinking, "_TIMEOUT_S", 0.0)
        assert asked_first(ffprobe) == ""
    assert not (tmp_path / "cache").exists()
