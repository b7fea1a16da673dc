from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import MissingDependency, ValidationError
from shared.watch import health

Install = Callable[[str], None]


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a shell script before every other ffmpeg."""

    def install(script: str) -> None:
        (tmp_path / "ffmpeg").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "ffmpeg").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    health.report.cache_clear()
    yield install
    health.report.cache_clear()


def package(monkeypatch: pytest.MonkeyPatch, distribution: str, check: str) -> None:
    row = health.Requirement("0.10", "install it", distribution=distribution, check=check)
    monkeypatch.setitem(health.REQUIREMENTS, "librosa", row)


def test_what_is_installed_is_found() -> None:
    found = {report.name: report for report in health.check_all()}
    assert list(found) == list(health.REQUIREMENTS)
    assert found["ffmpeg"].status == "ok"
    assert found["ffmpeg"].version == found["ffprobe"].version


@pytest.mark.parametrize(
    ("printed", "status", "version"),
    [
        ("ffmpeg version 5.1.9-0+deb12u1 Copyright", "ok", "5.1.9-0+deb12u1"),
        ("ffmpeg version n7.0 Copyright", "ok", "7.0"),
        ("ffmpeg version N-109542-gabc Copyright", "ok", "N-109542-gabc"),
        ("ffmpeg version 4.4.2 Copyright", "failed", "4.4.2"),
    ],
)
def test_versions(tool: Install, printed: str, status: str, version: str) -> None:
    tool(f"echo '{printed}'")
    report = health.check("ffmpeg")
    assert (report.status, report.version) == (status, version)


def test_an_old_but_sufficient_version_is_noted(tool: Install) -> None:
    tool("echo 'ffmpeg version 5.1.9 Copyright'")
    assert health.check("ffmpeg").note == "6.0 or later is preferred"
    tool("echo 'ffmpeg version 6.0 Copyright'")
    assert health.check("ffmpeg").note is None


def test_a_failing_tool_says_why(tool: Install) -> None:
    tool("echo 'libavcodec.so.59: cannot open shared object file' >&2; exit 127")
    report = health.check("ffmpeg")
    assert report.status == "failed"
    assert report.error is not None and "libavcodec.so.59" in report.error


def test_a_hanging_tool_is_stopped(tool: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_TIMEOUT_S", 0.5)
    tool("sleep 600")
    began = time.monotonic()
    assert health.check("ffmpeg").status == "slow"
    assert time.monotonic() - began < 120


def test_a_missing_tool_and_package(monkeypatch: pytest.MonkeyPatch) -> None:
    which = {"setpriv": "/usr/bin/setpriv"}
    package(monkeypatch, "no-such-distribution", "")
    assert health.check("librosa").status == "missing"
    monkeypatch.setattr("shared.processes.shutil.which", which.get)
    monkeypatch.setattr("shared.processes.sys.platform", "other")
    report = health.check("ffmpeg")
    assert report.status == "missing"
    assert report.error is not None and "apt install ffmpeg" in report.error


def test_a_package_that_cannot_be_imported_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    package(monkeypatch, "pydantic", "raise ImportError('numba is broken')")
    report = health.check("librosa")
    assert report.status == "failed"
    assert report.error is not None and "numba is broken" in report.error


def test_a_package_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_TIMEOUT_S", 0.5)
    package(monkeypatch, "pydantic", "import time; time.sleep(600)")
    assert health.check("librosa").status == "slow"


def test_a_page_asks_again_only_for_what_timed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_ANSWERS", {})
    monkeypatch.setattr(health, "PROBE_TIMEOUT_S", 0.5)
    package(monkeypatch, "pydantic", "import time; time.sleep(600)")
    only = {"librosa": health.REQUIREMENTS["librosa"]}
    monkeypatch.setattr(health, "REQUIREMENTS", only)
    assert [found.status for found in health.known_all()] == ["slow"]
    monkeypatch.setattr(health, "PROBE_TIMEOUT_S", 120.0)
    monkeypatch.setattr(health, "REQUIREMENTS", {"librosa": replace(only["librosa"], check="")})
    assert [found.status for found in health.known_all()] == ["ok"]
    monkeypatch.setattr(health, "check", lambda name: pytest.fail("it was asked again"))
    assert [found.status for found in health.known_all()] == ["ok"]


def test_engines_are_told_once_a_process(tool: Install) -> None:
    tool("echo 'ffmpeg version 6.1 Copyright'")
    assert health.dependency("ffmpeg").version == "6.1"
    tool("exit 1")
    assert health.dependency("ffmpeg").available
    assert health.require("ffmpeg") == "6.1"


def test_what_is_required_and_unusable_is_an_error(tool: Install) -> None:
    tool("echo 'ffmpeg version 4.4 Copyright'")
    with pytest.raises(MissingDependency) as caught:
        health.require("ffmpeg")
    told = caught.value.to_json()
    assert (told["dependency"], told["required_version"]) == ("ffmpeg", "5.1")
    assert "4.4 is too old" in told["message"]


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="ffprobe"):
        health.check("ffmpge")


@pytest.mark.heavy
def test_probing_imports_nothing_heavy_here() -> None:
    code = (
        "import sys; from shared.watch import health; health.check_all();"
        "print([m for m in ('torch', 'librosa', 'cv2', 'numpy', 'demucs') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["demucs", "librosa", "faster-whisper", "opencv"])
def test_no_probe_imports_torch(name: str) -> None:
    code = health.REQUIREMENTS[name].check + "\nimport sys; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip(f"{name} is not installed")
    assert done.returncode == 0, done.stderr
