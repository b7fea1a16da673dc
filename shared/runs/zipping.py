"""A results folder as a zip that is written while it is read: whatever its size, a block is held."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from itertools import groupby
from typing import IO

from shared.homes.home import Home
from shared.homes.objects import BLOCK_BYTES
from shared.homes.objects.encodings import encoding_of
from shared.runs.gathering import Results, opened
from shared.runs.results_folder import Entry

_TEXT = ("text/", "application/json", "application/x-subrip")
"""Worth compressing; sound, pictures and video are not."""


class _Sink:
    """What a zip is written to: it can't seek, and gives up what it holds."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, block: bytes) -> int:
        self._held += block
        return len(block)

    def flush(self) -> None:
        """Nothing is kept back."""

    def taken(self) -> bytes:
        block = bytes(self._held)
        self._held.clear()
        return block


def zipped(home: Home, results: Results) -> Iterator[bytes]:
    """The zip's bytes, with all files below ``NAME.rushes/``; large ones in the form of ZIP64.

    Raises ``NotFound`` where an object is gone: what was given until then is then no whole zip.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:  # type: ignore[call-overload]  # it writes, no more
        for path, content in results.texts.items():
            archive.writestr(_info(results, path, len(content), text=True), content)
            yield sink.taken()
        for entry, size, blocks in _contents(home, results):
            info = _info(results, entry.path, size, text=_is_text(entry))
            with archive.open(info, "w") as target:
                for block in blocks:
                    target.write(block)
                    yield sink.taken()
    yield sink.taken()


def _info(results: Results, path: str, size: int, *, text: bool) -> zipfile.ZipInfo:
    # Its day is a zip's first, in 1980: the same results give the same bytes.
    info = zipfile.ZipInfo(f"{results.stem}.rushes/{path}")
    info.file_size = size  # tells the writer whether ZIP64 is needed
    info.compress_type = zipfile.ZIP_DEFLATED if text else zipfile.ZIP_STORED
    info.external_attr = 0o644 << 16
    return info


def _is_text(entry: Entry) -> bool:
    made = entry.artifact
    return made is not None and entry.member is None and made.content_type.startswith(_TEXT)


def _contents(home: Home, results: Results) -> Iterator[tuple[Entry, int, Iterator[bytes]]]:
    """Each file, its size, and its bytes. A pack is opened once, for all files in it."""
    for pack, entries in groupby(results.entries, lambda one: one.key if one.member else None):
        if pack is not None:
            with opened(home, pack) as file, zipfile.ZipFile(file) as archive:
                for entry in entries:
                    member = archive.getinfo(str(entry.member))
                    with archive.open(member) as content:
                        yield entry, member.file_size, _blocks(content)
            continue
        for entry in entries:
            size = entry.artifact.bytes if entry.artifact else results.asset.bytes
            yield entry, size, _object(home, entry.key)


def _object(home: Home, key: str) -> Iterator[bytes]:
    info = home.objects.stat(key)
    if info is not None and encoding_of(info.content_encoding) != "gzip":
        yield from home.objects.read(key)
        return
    with opened(home, key) as file:  # says what is gone, and undoes the encoding
        yield from _blocks(file)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK_BYTES):
        yield block
