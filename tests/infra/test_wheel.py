"""What `pip install .` puts into a clean environment works there, far from the source tree."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from infra.images.requirements import requirements

ROOT = Path(__file__).parents[2]
CONSOLE = ROOT / "functions" / "console"
BUILT_FROM = ("shared", "functions", "infra")
SERVED = (".svg", ".css", ".js")

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, for setuptools leaves its own files beside what it builds."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in BUILT_FROM:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source / name)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", out, source)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of a clean environment that holds the wheel.

    It sees this environment's libraries, but not how this environment finds the source tree: that is
    written in its .pth files, which are read only where they are installed.
    """
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip("--python", folder / "bin" / "python", "install", "--no-deps", "--no-index", wheel)
    (packages,) = folder.glob("lib/python*/site-packages")
    libraries = [path for path in sys.path if path.endswith("-packages")]
    (packages / "libraries.pth").write_text("\n".join(libraries) + "\n")
    return folder / "bin"


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def address(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`rushes up`, from a folder that holds nothing."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with subprocess.Popen(
        [installed / "rushes", "up"],
        cwd=folder,
        env={**clean_environment(), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as serving:
        assert serving.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", serving.stdout.readline())
        try:
            assert found
            yield found.group()
        finally:
            serving.send_signal(signal.SIGINT)


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=120) as answer:
        content: bytes = answer.read()
        return content


def test_every_file_of_the_console_is_served(address: str) -> None:
    page = fetched(f"{address}/").decode()
    (release,) = set(re.findall(r'src="(\w+)/js/', page))
    files = [path for path in CONSOLE.rglob("*") if path.suffix in SERVED]
    assert len(files) > 40
    for path in files:
        at = f"{address}/console/{release}/{path.relative_to(CONSOLE)}"
        assert fetched(at) == path.read_bytes(), path.name


def test_every_engine_is_there(address: str) -> None:
    described = json.loads(fetched(f"{address}/openapi.json"))
    table = json.loads(fetched(f"{address}/pipeline"))["steps"]
    assert len(table) > 15 and {row["path"] for row in table} <= set(described["paths"])
    assert b"swagger" in fetched(f"{address}/docs").lower()


def test_a_recording_is_processed(installed: Path, tmp_path: Path) -> None:
    rate_hz = 48_000
    tone = 0.1 * np.sin(2 * np.pi * 997 * np.arange(2 * rate_hz) / rate_hz)
    soundfile.write(tmp_path / "tone.wav", tone, rate_hz)
    done = subprocess.run(
        [installed / "rushes", "process", "tone.wav", "--steps", "transform.loudness", "--json"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    (artifact,) = run["steps"][1]["artifacts"]
    # A sine of 997 Hz at full scale is -3.01 LUFS (BS.1770), and this one is 20 dB below.
    assert artifact["meta"]["integrated_lufs"] == pytest.approx(-23.0, abs=0.1)
    where = subprocess.run(
        [installed / "python", "-c", "import shared, functions; print(shared.__file__)"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(installed.parent) in where.stdout, "the source tree was used"


def test_it_asks_for_all_that_the_embedded_home_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        (name,) = [name for name in file.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = file.read(name).decode()
    (own,) = re.findall(r"^Requires-Dist: rushes\[(.*)\]$", metadata, re.MULTILINE)
    needed = {"probe", "detect", "sample", "transcribe", "transform", "anonymise", "render"}
    assert {*needed, "edit", "perform", "api", "webhooks"} == set(own.split(","))
    assert not [line for line in requirements(ROOT / "pyproject.toml", "sweep") if "[" in line[:8]]
