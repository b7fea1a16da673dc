"""The five-minute walks: every command of theirs is run, one after the other, as a newcomer would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from infra.command.main import rushes
from tests.functions.video import shortened

ROOT = Path(__file__).parents[2]
START = ROOT / "docs" / "start"
DEMO = ROOT / "infra" / "demo" / "demo.mp4"
BARS_END_S = 8.5
USERS = ("sound-designer", "podcaster", "editor", "musician", "operator")
_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MOST_WORDS = 330
"""Five minutes of reading and typing."""


def commands(user: str) -> list[str]:
    blocks = _SHELL.findall((START / f"{user}.md").read_text())
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_there_is_one_for_each_user_and_the_readme_leads_there() -> None:
    assert {path.stem for path in START.glob("*.md")} == set(USERS)
    readme = (ROOT / "README.md").read_text()
    assert all(f"docs/start/{user}.md" in readme for user in USERS)


@pytest.mark.parametrize("user", USERS)
def test_a_walk_is_short_and_its_commands_exist(user: str) -> None:
    assert len((START / f"{user}.md").read_text().split()) < MOST_WORDS
    ctx = click.Context(rushes)
    for line in commands(user):
        if line.startswith(".venv/bin/rushes "):
            assert rushes.get_command(ctx, line.split()[1]) is not None, line


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder like the repository's after `make demo`, with a home of its own.

    The demo's clip ends in its drums: all that a walk looks for is in there, in less than half the time.
    """
    folder = tmp_path_factory.mktemp("walk")
    (folder / "docs").symlink_to(ROOT / "docs")
    (folder / "infra" / "demo").mkdir(parents=True)
    shortened(folder / "infra" / "demo" / "demo.mp4", BARS_END_S, DEMO)
    command = folder / ".venv" / "bin" / "rushes"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m infra.command.main "$@"\n')
    command.chmod(0o755)
    yield folder


@pytest.mark.heavy
@pytest.mark.timeout(900)
@pytest.mark.parametrize("user", USERS)
def test_every_command_of_a_walk_works(user: str, place: Path) -> None:
    told = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    for line in commands(user):
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=place,
            env=told,
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.strip(), line
