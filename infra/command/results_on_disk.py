"""A results folder on a disk: laid down, brought up to date, and nobody else's files touched.

What is ours stands in ``.rushes.json``, with size and time as we left it: only that is replaced or
removed. A file that people changed, or put there, is kept and told.

Sound, video and pictures take no room where the disk can help it. A clone (reflink) shares its blocks
with the store until one of them is written to. A hard link IS the store's file: an editor that saves
in place would change the store behind its back, so a link is read-only, which editors respect by
asking for another name. Texts are there to be edited, and copied always.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from shared.errors import Scarce, Unavailable
from shared.homes.home import Home
from shared.runs.gathering import opened, plain_path
from shared.runs.results_folder import Contents, Entry

MANIFEST = ".rushes.json"
_FICLONE = 0x40049409
"""Linux's request for a clone (ioctl_ficlone(2)); other systems refuse it."""
_LINKED_FROM_BYTES = 1 << 16
_EDITED = ("text/", "application/json", "application/x-subrip")

_MOST_MANIFEST_BYTES = 1 << 26
"""Ours have some 150 bytes for each file."""

Known = dict[str, list[Any] | None]
"""Path -> SHA-256, bytes and nanoseconds as we left it; ``None``: being written."""


@dataclass(frozen=True)
class Left:
    """What now lies on the disk."""

    folder: Path
    kept: tuple[str, ...] = field(default=())
    """Files of somebody else's where a result would have stood."""


def leave(
    home: Home,
    contents: Contents,
    parent: Path,
    *,
    ending: str = ".rushes",
    formats_stay: bool = False,
) -> Left:
    """Lay the folder down below ``parent``, or bring up to date the one that is there.

    A folder of another recording stays as it is, and this one's is called ``name (2).rushes``. Where
    ``parent`` is this one's folder itself, that is brought up to date, and none laid into it.
    ``formats_stay``: what is there in another format, and comes in this one, is not removed.
    Raises ``Scarce`` where the disk is full, ``Unavailable`` where ``parent`` cannot be written.
    """
    with _told(parent):
        parent.mkdir(parents=True, exist_ok=True)
        is_such = parent.resolve().name.endswith(ending) and (parent / MANIFEST).is_file()
        if is_such and _ours(parent, contents) is not None:
            return leave_in(home, contents, parent)
        for number in count(1):
            more = f" ({number})" if number > 1 else ""
            folder = parent / f"{contents.stem}{more}{ending}"
            folder.mkdir(exist_ok=True)
            with _alone(folder):
                known = _ours(folder, contents)
                if known is not None:
                    writing = _Writing(home, contents, folder, known, formats_stay)
                    return writing.bring_up_to_date()
    raise AssertionError("numbers do not end")


def leave_in(home: Home, contents: Contents, folder: Path) -> Left:
    """As ``leave``, in this very folder, whatever else it holds."""
    with _told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            known = _ours(folder, contents) or {}
            return _Writing(home, contents, folder, known).bring_up_to_date()


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise Unavailable(f"the folder {error.filename}", "a file has its name") from error
    except OSError as error:
        kind = Scarce if error.errno in (errno.ENOSPC, errno.EDQUOT) else Unavailable
        reason = (error.strerror or "I/O error").lower()
        raise kind(f"the results folder in {folder}", reason) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Whoever else lays down the same folder waits."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # a network's disk without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _ours(folder: Path, contents: Contents) -> Known | None:
    """What is known of the folder's files; ``None`` if it is another recording's or somebody's own."""
    manifest = folder / MANIFEST
    if not manifest.is_file():  # to open a pipe would be to wait for its other end
        return None if any(folder.iterdir()) else {}
    if manifest.stat().st_size > _MOST_MANIFEST_BYTES:
        return None
    try:
        told = json.loads(manifest.read_text("utf-8"))
        files: Known = dict(told["files"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    whole = all(
        left is None or (isinstance(left, list) and len(left) == 3) for left in files.values()
    )
    return files if whole and told.get("recording") == _recording(contents) else None


def _recording(contents: Contents) -> list[str]:
    asset = contents.asset
    return [asset.tenant_id, asset.env, asset.asset_id]


@dataclass
class _Writing:
    home: Home
    contents: Contents
    folder: Path
    known: Known
    formats_stay: bool = False
    _archives: dict[str, zipfile.ZipFile] = field(default_factory=dict)
    """By key: each is opened once, not for each of its hundreds of members."""
    _open: ExitStack = field(default_factory=ExitStack)

    def bring_up_to_date(self) -> Left:
        with self._open:
            return self._brought_up_to_date()

    def _brought_up_to_date(self) -> Left:
        wanted = {entry.path: entry for entry in self.contents.entries}
        kept = {path for path in (*wanted, *self.contents.texts) if not self._may_write(path)}
        coming: Known = {path: None for path in (*wanted, *self.contents.texts) if path not in kept}
        stood = self.known
        self._write_manifest({**stood, **{p: stood.get(p) for p in coming}})
        done: Known = {path: stood[path] for path in kept if path in stood}
        for path, entry in wanted.items():
            if path not in kept:
                done[path] = self._put(entry)
        for path, content in self.contents.texts.items():
            if path not in kept:
                _replace(self.folder / path, partial(_fill, content))
                done[path] = ["", *_state(self.folder / path)]
        gone = [path for path in stood if path not in coming and path not in kept]
        others = self._other_formats(gone, coming)
        self._remove(path for path in gone if path not in others)
        self._write_manifest({**done, **{path: stood[path] for path in others}})
        return Left(self.folder, tuple(sorted(kept)))

    def _other_formats(self, gone: Sequence[str], coming: Known) -> set[str]:
        """Those of ``gone`` that are there still and differ from what comes in their ending alone."""
        if not self.formats_stay:
            return set()
        names = {PurePosixPath(path).with_suffix("") for path in coming}
        same = {path for path in gone if PurePosixPath(path).with_suffix("") in names}
        return {path for path in same if (self.folder / path).is_file()}

    def _may_write(self, path: str) -> bool:
        """Is nothing there, or our own file as we left it, and nowhere but in this folder?"""
        target = self.folder / path
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            return False
        if not target.parent.resolve().is_relative_to(self.folder.resolve()):
            return False
        if not os.path.lexists(target):
            return True
        if path not in self.known or target.is_symlink() or not target.is_file():
            return False
        left = self.known[path]
        return left is None or left[1:] == _state(target)

    def _put(self, entry: Entry) -> list[Any]:
        target, left = self.folder / entry.path, self.known.get(entry.path)
        if left and left[0] == entry.sha256 and target.is_file():
            return left
        target.parent.mkdir(parents=True, exist_ok=True)
        if entry.member is not None:
            with self._archive(entry.key).open(entry.member) as member:
                _replace(target, lambda file: shutil.copyfileobj(member, file))
            return [entry.sha256, *_state(target)]
        with opened(self.home, entry.key) as source:
            if not self._shared(entry, source, target):
                _replace(target, lambda file: shutil.copyfileobj(source, file))
        return [entry.sha256, *_state(target)]

    def _archive(self, key: str) -> zipfile.ZipFile:
        if key not in self._archives:
            source = self._open.enter_context(opened(self.home, key))
            self._archives[key] = self._open.enter_context(zipfile.ZipFile(source))
        return self._archives[key]

    def _shared(self, entry: Entry, source: BinaryIO, target: Path) -> bool:
        """Clone or link what is large and not there to be edited; ``False`` where it must be copied."""
        local = plain_path(self.home, entry.key)
        content_type = entry.artifact.content_type if entry.artifact else ""
        if local is None or content_type.startswith(_EDITED):
            return False
        if local.stat().st_size < _LINKED_FROM_BYTES:
            return False
        with suppress(OSError):
            _replace(target, lambda file: fcntl.ioctl(file.fileno(), _FICLONE, source.fileno()))
            return True
        part = _part_of(target)
        try:
            part.hardlink_to(local)
            part.chmod(self._mode & 0o444)
            part.replace(target)
            part.unlink(missing_ok=True)  # POSIX leaves both names where they are one file already
        except OSError:  # another disk, no links on it, or a store of somebody else's
            part.unlink(missing_ok=True)
            return False
        return True

    @property
    def _mode(self) -> int:
        """What this process's umask lets a new file have: the manifest is one."""
        return (self.folder / MANIFEST).stat().st_mode

    def _remove(self, paths: Iterator[str]) -> None:
        """What we left and no longer stands, with the folders that this empties."""
        for path in paths:
            target = self.folder / path
            if not self._may_write(path) or not target.is_file():
                continue
            target.unlink()
            for above in target.relative_to(self.folder).parents[:-1]:
                with suppress(OSError):  # not empty
                    (self.folder / above).rmdir()

    def _write_manifest(self, files: Mapping[str, Any]) -> None:
        told = {"recording": _recording(self.contents), "files": files}
        content = json.dumps(told, ensure_ascii=False, indent=0).encode()
        _replace(self.folder / MANIFEST, partial(_fill, content))


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _replace(target: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a new file in the target's place, which changes only once that is whole."""
    part = _part_of(target)
    try:
        with part.open("xb") as file:
            write(file)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _fill(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def _part_of(target: Path) -> Path:
    return target.with_name(f".{os.getpid()}.{os.urandom(4).hex()}.part")
