"""Fetching an input: checked, bounded, tried again, and never left lying about."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from shared.errors import (
    InputTooLarge,
    NotFound,
    RushesError,
    TransientDownload,
    Unavailable,
    UnsupportedMedia,
    ValidationError,
)
from shared.homes.objects import ObjectInfo
from shared.homes.objects.encodings import Stored, encoding_of, most_stored_bytes
from shared.homes.objects.files import blocks_of, disk_errors
from shared.lazy_log import get_logger

MAX_ATTEMPTS = 3
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")

log = get_logger()


class Source(Protocol):
    """What fetching needs of a bucket."""

    def stat(self, key: str) -> ObjectInfo | None:
        """The object's facts, or ``None``."""

    def read(self, key: str, *, generation: int | None = None) -> Iterator[bytes]:
        """Its bytes in blocks."""


@dataclass(frozen=True)
class Fetched:
    """A file on this machine."""

    path: Path
    sha256: str
    bytes: int
    decoded: bool = False
    """The object is labelled as encoded: these are the bytes that it stands for."""


def open_source(scheme: str, bucket: str) -> Source:
    """The bucket that a ``gs`` or ``s3`` URI names."""
    if scheme == "gs":
        from shared.homes.objects.google_objects import GoogleObjects

        return GoogleObjects(bucket)
    from shared.homes.objects.s3 import S3Objects

    return S3Objects(bucket)


def fetch_object(
    objects: Source, key: str, to: Path, *, max_bytes: int, generation: int | None = None
) -> Fetched:
    """Download to ``to``, which appears only when it is whole; any earlier file there is replaced.

    What is stored as gzip is decoded. Raises ``InputTooLarge`` (before the download where the store
    knows the size), ``NotFound``, ``UnsupportedMedia`` for a broken encoding or another one, and
    ``TransientDownload`` after three attempts that ended in ``Unavailable``.
    """
    import stamina  # with tenacity and asyncio: a tenth of a second that lists of assets don't need

    attempts = 0
    try:
        for attempt in stamina.retry_context(
            on=Unavailable, attempts=MAX_ATTEMPTS, wait_initial=0.2, wait_max=2.0
        ):
            with attempt:
                attempts = attempt.num
                fetched = _attempt(objects, (key, generation), to, max_bytes)
    except Unavailable as error:
        log.warning("fetch.gave_up", attempts=attempts)
        raise TransientDownload(error.message, attempts) from error
    except RushesError as error:
        log.info("fetch.refused", attempts=attempts, code=error.code)
        raise
    log.info("fetch.done", attempts=attempts, bytes=fetched.bytes)
    return fetched


@contextmanager
def ensure_local(
    uri: str | Path,
    to_dir: Path,
    *,
    max_bytes: int,
    objects_for: Callable[[str, str], Source] = open_source,
) -> Iterator[Fetched]:
    """The bytes behind ``uri`` as a local file, for as long as the ``with`` block lasts.

    A local path (or ``file:///``) is used where it is; ``gs://bucket/key`` and ``s3://bucket/key``
    are fetched into ``to_dir`` and removed afterwards. ``objects_for`` gets scheme and bucket.
    Raises what ``fetch_object`` raises, and ``ValidationError`` for any other scheme and for what
    is no regular file.
    """
    if isinstance(uri, Path) or not _SCHEME.match(uri) or _is_so_called(uri):
        yield _measured(Path(uri), max_bytes)
    elif uri[:5].lower() == "file:":
        yield _measured(_path_of(uri), max_bytes)
    else:
        scheme, bucket, key = _remote(uri)
        with _temporary(to_dir, key) as path:
            yield fetch_object(objects_for(scheme, bucket), key, path, max_bytes=max_bytes)


def _is_so_called(uri: str) -> bool:
    """Is it a file here after all: ``Interview: Anna.wav``, ``take:2.wav``?"""
    return "://" not in uri and Path(uri).is_file()


def _attempt(objects: Source, which: tuple[str, int | None], to: Path, max_bytes: int) -> Fetched:
    key, generation = which
    info = objects.stat(key)
    if info is None:
        raise NotFound("object", key)
    current = generation in (None, info.generation)
    encoded = encoding_of(info.content_encoding) == "gzip"
    allowed = most_stored_bytes(max_bytes) if encoded else max_bytes
    if current and info.size > allowed:
        raise InputTooLarge(max_bytes, info.size)
    with _temporary(to.parent, key) as part:
        stored = Stored(objects.read(key, generation=generation))
        try:
            size, sha256 = _write(stored.gunzipped() if encoded else stored, part, max_bytes)
        except UnsupportedMedia:  # broken, perhaps only for what did not arrive
            _check_whole(stored, info if current else None)
            raise
        _check_whole(stored, info if current else None)
        with disk_errors():
            part.replace(to)
    return Fetched(to, sha256, size, decoded=encoded)


def _check_whole(stored: Stored, info: ObjectInfo | None) -> None:
    if info is not None and stored.size != info.size:
        raise Unavailable("the object", f"{stored.size:,} of {info.size:,} bytes arrived")


@contextmanager
def _temporary(folder: Path, key: str) -> Iterator[Path]:
    """A new file that is gone afterwards. Its name tells of the key no more than the extension."""
    extension = _EXTENSION.search(key)
    with disk_errors():
        descriptor, name = tempfile.mkstemp(extension[0] if extension else "", dir=folder)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _write(blocks: Iterable[bytes], to: Path, max_bytes: int) -> tuple[int, str]:
    """Size and SHA-256 of what was written."""
    with disk_errors(), to.open("wb") as file:
        return _digest(blocks, max_bytes, write=file.write)


def _digest(
    blocks: Iterable[bytes], max_bytes: int, *, write: Callable[[bytes], object] | None = None
) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    for block in blocks:
        size += len(block)
        if size > max_bytes:
            raise InputTooLarge(max_bytes, size)
        digest.update(block)
        if write:
            write(block)
    return size, digest.hexdigest()


def _measured(path: Path, max_bytes: int) -> Fetched:
    with _open_regular(path) as file:
        claimed = os.fstat(file.fileno()).st_size
        if claimed > max_bytes:
            raise InputTooLarge(max_bytes, claimed)
        size, sha256 = _digest(blocks_of(file), max_bytes)
    return Fetched(path, sha256, size)


def _open_regular(path: Path) -> BinaryIO:
    try:
        # Not blocking: opening a pipe would otherwise wait for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        raise NotFound("file", str(path)) from None
    except (OSError, ValueError) as error:
        raise ValidationError("source", f"cannot be opened: {_reason(error)}") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise ValidationError("source", f"{path} is a folder: name the files in it")
        raise ValidationError("source", "is not a regular file")
    return os.fdopen(descriptor, "rb")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "not a path"


def _path_of(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.netloc or not parts.path.startswith("/") or parts.query or parts.fragment:
        raise ValidationError("source", "a file URI must name an absolute path and no host")
    return Path(unquote(parts.path))


def _remote(uri: str) -> tuple[str, str, str]:
    """Scheme, bucket and key, which is taken as it stands: such URIs know no escapes."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() not in ("gs", "s3") or not _BUCKET.fullmatch(bucket) or not key:
        raise ValidationError("source", "must be a local path, gs://bucket/key or s3://bucket/key")
    return scheme.lower(), bucket, key
