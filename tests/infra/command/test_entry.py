"""The script ``rushes`` before its modules are loaded."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.command.main import rushes

_INTERRUPTED_IN_AN_IMPORT = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored

class Impatient:
    def find_spec(self, name, *_):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Impatient())
from {module} import {function}
{function}()
"""


@pytest.fixture
def script() -> tuple[str, str]:
    told = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
    module, _, function = told["project"]["scripts"]["rushes"].partition(":")
    return module, function


def test_interrupted_while_it_loads_it_ends_without_a_traceback(script: tuple[str, str]) -> None:
    code = _INTERRUPTED_IN_AN_IMPORT.format(module=script[0], function=script[1])
    done = subprocess.run(
        [sys.executable, "-c", code, "process", "take.wav"],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr, done.stdout) == (-signal.SIGINT, b"", b"")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("serve", "up?"),
        ("delete", "erase?"),
        ("ls", "assets or artifacts?"),
        ("artefacts", "artifacts?"),
    ],
)
def test_another_programs_word_is_told_ours(word: str, told: str) -> None:
    said = CliRunner().invoke(rushes, [word])
    assert said.exit_code == 2 and said.output.rstrip().endswith(f"Did you mean {told}")
