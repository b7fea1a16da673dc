"""Bytes of recordings and artifacts: whole, in ranges (RFC 9110, one at a time), or by redirect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from functions.api.answers import NoSuchRange, error_answer, holds
from shared.homes.home import Home
from shared.runs.downloads import StoredFile

ADDRESS_S = 900
"""How long a signed address may be used."""
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_AT_ONCE_BYTES = 1 << 20
_SANDBOX = (
    "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
)
"""For what is opened as a page of its own: a recording is no program of ours."""


def bytes_answer(
    request: Request,
    home: Home,
    file: StoredFile,
    *,
    download: bool,
    from_bucket: bool = True,
) -> Response:
    """The file, or the part that ``Range`` asks for; ``from_bucket``: by its own address, if it may."""
    address = _direct_address(home, file) if from_bucket else None
    if address is not None:
        return RedirectResponse(address, 307, {"Cache-Control": "private, no-store"})
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        **saved_as(file.name, "attachment" if download else "inline"),
        "Content-Security-Policy": _SANDBOX,
    }
    if holds(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    wanted = _wanted(request, file.bytes, etag)
    if wanted is not None and not wanted:
        refused = NoSuchRange("Range", f"the file has {file.bytes:,} bytes")
        return error_answer(refused, Content_Range=f"bytes */{file.bytes}")
    span = wanted or range(file.bytes)
    headers["Content-Length"] = str(len(span))
    if wanted is not None:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{file.bytes}"
    status = 200 if wanted is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=file.content_type)
    body = _part(home.objects.read(file.key, start=span.start), len(span))
    if len(span) <= _AT_ONCE_BYTES:  # each block of a stream waits for a thread
        return Response(b"".join(body), status, headers, media_type=file.content_type)
    return StreamingResponse(body, status, headers, media_type=file.content_type)


def saved_as(name: str, shown_as: str = "attachment") -> dict[str, str]:
    """The header by which a browser calls a file ``name`` when it saves it (RFC 6266)."""
    return {"Content-Disposition": f"{shown_as}; filename*=UTF-8''{quote(name, safe='')}"}


def _direct_address(home: Home, file: StoredFile) -> str | None:
    """Where the bucket itself gives the bytes, if that is wanted and the bucket can."""
    if not home.settings.direct_transfers:
        return None
    return home.objects.download_address(file.key, name=file.name, seconds=ADDRESS_S)


def _wanted(request: Request, size: int, etag: str) -> range | None:
    """The bytes of ``Range``; empty where there are none such, ``None`` for the whole file.

    What is no single range of bytes is ignored, as the RFC has it.
    """
    if request.headers.get("if-range", etag) != etag:
        return None
    found = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return range(max(0, size - int(found[2])), size)
    first = int(found[1])
    if found[2] and int(found[2]) < first:
        return None
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    return range(first, max(last + 1, first))


def _part(blocks: Iterator[bytes], length: int) -> Iterator[bytes]:
    left = length
    for block in blocks:
        yield block[:left]
        left -= len(block)
        if left <= 0:
            return
