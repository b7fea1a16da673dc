"""What a probe found is not asked again, until what it asked has changed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.errors import MissingDependency
from shared.watch import health

Install = Callable[[str], None]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    health.report.cache_clear()
    yield
    health.report.cache_clear()


@pytest.fixture
def tool(tmp_path: Path) -> Install:
    """An ffmpeg that writes down how often it was asked."""

    def install(script: str) -> None:
        path = tmp_path / "ffmpeg"
        path.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\n{script}\n")
        path.chmod(0o755)

    return install


def times_asked(folder: Path) -> int:
    return len((folder / "asked").read_text().splitlines())


def version_in_a_new_process() -> str:
    health.report.cache_clear()
    return health.require("ffmpeg")


def test_the_next_process_does_not_ask_again(tool: Install, tmp_path: Path) -> None:
    tool("echo 'ffmpeg version 6.1 Copyright'")
    assert [version_in_a_new_process() for _ in range(3)] == ["6.1"] * 3
    assert times_asked(tmp_path) == 1


def test_another_program_of_that_name_is_asked(tool: Install, tmp_path: Path) -> None:
    tool("echo 'ffmpeg version 6.1 Copyright'")
    version_in_a_new_process()
    tool("echo 'ffmpeg version 7.0.2 Copyright'")
    assert version_in_a_new_process() == "7.0.2"
    assert times_asked(tmp_path) == 2


def test_a_bad_answer_is_not_kept(tool: Install) -> None:
    tool("exit 1")
    with pytest.raises(MissingDependency):
        version_in_a_new_process()
    tool("echo 'ffmpeg version 6.1 Copyright'")
    assert version_in_a_new_process() == "6.1"


def test_health_is_asked_of_the_machine_itself(tool: Install, tmp_path: Path) -> None:
    tool("echo 'ffmpeg version 6.1 Copyright'")
    version_in_a_new_process()
    assert health.check("ffmpeg").version == "6.1"
    assert times_asked(tmp_path) == 2


def test_a_packages_answer_lasts_until_something_is_installed_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    about = site / "thing-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.2\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    importlib.invalidate_caches()
    row = health.Requirement(
        "1.0",
        "",
        distribution="thing",
        check=f"open({str(tmp_path / 'asked')!r}, 'a').write('x\\n')",
    )
    monkeypatch.setattr(health, "REQUIREMENTS", {**health.REQUIREMENTS, "thing": row})

    def asked() -> int:
        health.report.cache_clear()
        assert health.require("thing") == "1.2"
        return times_asked(tmp_path)

    assert [asked(), asked()] == [1, 1]
    (site / "another").mkdir()
    assert asked() == 2


def test_nowhere_to_keep_is_no_error(tool: Install, tmp_path: Path) -> None:
    tool("echo 'ffmpeg version 6.1 Copyright'")
    (tmp_path / "cache").write_text("a file where the folder would be")
    assert version_in_a_new_process() == version_in_a_new_process() == "6.1"
