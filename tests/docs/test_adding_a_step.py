"""docs/adding-a-step.md is followed to the letter in a copy of the tree, and the suite accepts it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding-a-step.md"
pytestmark = pytest.mark.timeout(600)
COPIED = ("shared", "functions", "infra", "terraform", "docs", "tests")
SUITE = (
    "tests/shared/test_pipeline.py",
    "tests/shared/test_house.py",
    "tests/docs/test_docs.py",
    "tests/terraform",
    "tests/functions/api/test_openapi.py",
    "tests/functions/api/test_steps.py::test_each_step_has_a_path_of_its_own",
    "tests/functions/api/test_steps.py::test_no_param_is_called_as_what_stands_beside_the_params",
    "tests/functions/console/test_console.py",
    "tests/infra/test_capacity.py::test_what_was_measured_or_guessed_is_a_step_still",
    "tests/infra/test_capacity.py::test_a_step_that_nobody_measured_counts_by_its_row_and_is_flagged",
)


@dataclass(frozen=True)
class Recipe:
    """What the page tells one to do."""

    engine_path: str
    engine: str
    row: str
    generate: str
    attempt: str


def recipe() -> Recipe:
    text = PAGE.read_text()
    engine, row = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (generate,) = re.findall(r"```\n(python .*?)\n```", text)
    path = re.search(r"`(functions/\w+/\w+\.py)`", text)
    attempt = re.search(r"Try it: `rushes (.*?)`", text)
    assert path and attempt
    return Recipe(path[1], engine, row, generate, attempt[1])


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with the page's step in it."""
    copy, told = tmp_path_factory.mktemp("tree"), recipe()
    left_out = shutil.ignore_patterns("__pycache__", "node_modules", ".terraform", "*.tfstate*")
    for name in COPIED:
        shutil.copytree(ROOT / name, copy / name, ignore=left_out)
    for name in ("pyproject.toml", "constraints.txt", "Makefile", "README.md"):
        shutil.copy(ROOT / name, copy / name)
    assert not (copy / told.engine_path).exists()
    (copy / told.engine_path).write_text(told.engine)
    table = copy / "shared" / "pipeline.py"
    begin, end = "STEPS: tuple[Step, ...] = (\n", "\n)\n"
    before, _, after = table.read_text().partition(begin)
    rows, _, rest = after.partition(end)
    row = textwrap.indent(told.row.rstrip(), "    ")
    table.write_text(f"{before}{begin}{rows}\n{row},{end}{rest}")
    in_tree(copy, *shlex.split(told.generate)[1:])
    return copy


def in_tree(tree: Path, *arguments: str | Path) -> str:
    """Run Python in the copy; its modules come from there."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.heavy
def test_the_suite_accepts_it(tree: Path) -> None:
    said = in_tree(tree, "-m", "pytest", "-q", "-x", "-m", "not heavy and not emulator", *SUITE)
    assert re.search(r"\d{3,} passed", said), said


@pytest.mark.heavy
def test_it_is_called_by_its_title_and_counted_by_its_row(tree: Path) -> None:
    assert "| `detect.silence` | Silence | audio |" in (tree / "docs" / "pipeline.md").read_text()
    assert "| `POST /audio/silence/detect` |" in (tree / "docs" / "api.md").read_text()
    functions = json.loads((tree / "terraform" / "pipeline.json").read_text())["functions"]
    assert "detect.silence" in functions["detect"]["steps"]
    shown = in_tree(tree, "-m", "infra.capacity", "day", "--audio-hours", "10")
    assert "detect *" in shown and "detect.silence" in shown


@pytest.mark.heavy
def test_it_runs_as_the_page_says(tree: Path, tmp_path: Path) -> None:
    rate_hz = 16_000
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz)
    recording = tmp_path / "take.wav"
    soundfile.write(recording, np.concatenate([tone, np.zeros(rate_hz // 2), tone]), rate_hz)
    words = [str(recording) if word == "FILE" else word for word in recipe().attempt.split()]
    home = ("--data", tmp_path / "home")
    shown = in_tree(tree, "-m", "infra.command.main", *words, *home)
    assert re.search(r"detect\.silence +Silence +done", shown)
    told = in_tree(tree, "-m", "infra.command.main", *words, *home, "--json")
    (run,) = json.loads(told)["runs"]
    (artifact,) = run["steps"][1]["artifacts"]
    assert artifact["kind"] == "audio_silence" and artifact["meta"]["silent_ms"] == 500
    content = json.loads(Path(artifact["path"]).read_text())
    assert content["starts_ms"] == [1000, 1100, 1200, 1300, 1400]
