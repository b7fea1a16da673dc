"""Files as a store needs them: written durably, linked, and recognised again."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from shared.errors import Unavailable
from shared.homes.objects import BLOCK_BYTES


def identity_of(status: os.stat_result) -> str:
    """Tells one written file from every other, and from itself after a change by hand."""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn the system's errors, a full disk among them, into ``Unavailable``."""
    try:
        yield
    except OSError as error:
        raise Unavailable("the disk", error.strerror or "I/O error") from error


def write_new(source: BinaryIO, to: Path) -> str:
    """Copy to a new file, which is not synced; returns the MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    with to.open("xb") as file:
        while block := source.read(BLOCK_BYTES):
            digest.update(block)
            file.write(block)
    return base64.b64encode(digest.digest()).decode()


def md5_of(path: Path) -> str:
    """Base64, as Google Cloud Storage gives it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return base64.b64encode(digest.digest()).decode()


def sync(path: Path) -> None:
    """Make a file's bytes, or a folder's names, outlast a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(paths: Sequence[Path], folder: Path) -> None:
    """Make new files' bytes, and their names in ``folder``, outlast a power cut.

    Many of them in one call, where the system has one for a whole file system.
    """
    import ctypes  # 8 ms that reading does not need

    whole = getattr(ctypes.CDLL(None), "syncfs", None) if len(paths) > 1 else None
    if whole is None:
        for path in (*paths, folder):
            sync(path)
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if whole(descriptor) != 0:
            raise OSError("syncfs failed")
    finally:
        os.close(descriptor)


def link_or_copy(source: Path, to: Path) -> None:
    """Give a file that is never written to a second name, or copy it where that cannot be."""
    try:
        to.hardlink_to(source)
    except OSError:  # no links on this file system, or too many of this file
        shutil.copyfile(source, to)
        sync(to)


def open_if(path: Path, identity: str) -> BinaryIO | None:
    """Open the file if it is just the one that was written."""
    with disk_errors():
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        if identity_of(os.fstat(file.fileno())) == identity:
            return file
        file.close()
        return None


def blocks_of(file: BinaryIO) -> Iterator[bytes]:
    """The rest of the file, block by block; closes it."""
    with file, disk_errors():
        at_once = min(BLOCK_BYTES, max(os.fstat(file.fileno()).st_size, 1))  # so much is set aside
        while block := file.read(at_once):
            yield block
