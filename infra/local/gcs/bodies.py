"""Request bodies become files: streamed, taken apart, and their checksums compared."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import google_crc32c
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request

from infra.local.gcs.resource import json_object
from shared.errors import ValidationError
from shared.homes.objects.files import disk_errors

MAX_JSON_BYTES = 1 << 20
NETWORK_BLOCK_BYTES = 256 << 10
# Looser than the standard: gcloud puts single quotes around it, which are no part of it.
_BOUNDARY = re.compile(r"""boundary=("[^"]+"|'[^']+'|[^;\s]+)""", re.IGNORECASE)


@dataclass(frozen=True)
class Hashes:
    """Base64, as the API gives them."""

    md5: str
    crc32c: str

    def check(self, sent: Mapping[str, Any]) -> None:
        """Raise ``ValidationError`` where the sender has computed another one."""
        for name, computed in (("md5Hash", self.md5), ("crc32c", self.crc32c)):
            if sent.get(name) not in (None, computed):
                raise ValidationError(
                    name, f'Provided "{sent[name]}" doesn\'t match calculated "{computed}".'
                )


def hashes_of(path: Path) -> Hashes:
    """Both checksums, in one reading."""
    md5 = hashlib.md5(usedforsecurity=False)
    crc32c: Any = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
    with path.open("rb") as file:
        while block := file.read(NETWORK_BLOCK_BYTES):
            md5.update(block)
            crc32c.update(block)
    return Hashes(*(base64.b64encode(each.digest()).decode() for each in (md5, crc32c)))


def sent_hashes(headers: Headers) -> dict[str, str]:
    """What ``x-goog-hash`` and ``Content-MD5`` say, under the resource's names."""
    names = {"crc32c": "crc32c", "md5": "md5Hash"}
    pairs = (part.strip().partition("=") for part in headers.get("x-goog-hash", "").split(","))
    found = {names[name]: value for name, _, value in pairs if name in names}
    if content_md5 := headers.get("Content-MD5"):
        found["md5Hash"] = content_md5
    return found


def receive(stream: IO[bytes], to: Path) -> None:
    """Write all that comes."""
    with disk_errors(), to.open("wb") as file:
        while block := stream.read(NETWORK_BLOCK_BYTES):
            file.write(block)


def receive_multipart(
    stream: IO[bytes], content_type: str, to: Path
) -> tuple[dict[str, Any], str | None]:
    """Write the second part to a file; returns the first, which is JSON, and the second's type.

    The last delimiter is looked for at the end of what came, so the media may hold anything.
    """
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise ValidationError("Content-Type", "names no boundary")
    delimiter = b"--" + boundary[1].strip("\"' ").encode()
    while (line := _line(stream)).rstrip() != delimiter:
        pass
    newline = b"\r\n" if line.endswith(b"\r\n") else b"\n"
    _part_headers(stream)
    text = b""
    while (line := _line(stream)).rstrip() != delimiter:
        text += line
        if len(text) > MAX_JSON_BYTES:
            raise ValidationError("body", "its first part is too long for metadata")
    media_type = _part_headers(stream).get("content-type")
    receive(stream, to)
    _cut(to, newline + delimiter + b"--")
    return json_object(text), media_type


def _line(stream: IO[bytes]) -> bytes:
    line = stream.readline(MAX_JSON_BYTES)
    if not line.endswith(b"\n"):
        raise ValidationError("body", "is not multipart/related with two parts")
    return line


def _part_headers(stream: IO[bytes]) -> dict[str, str]:
    headers = {}
    while line := _line(stream).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers


def _cut(path: Path, ending: bytes) -> None:
    """Shorten the file by its ending and the little that may follow."""
    with path.open("rb+") as file:
        start = max(0, file.seek(0, 2) - len(ending) - 1024)
        file.seek(start)
        found = file.read().rfind(ending)
        if found < 0:
            raise ValidationError("body", "the last part has no end")
        file.truncate(start + found)


def json_body(request: Request) -> dict[str, Any]:
    """The whole body as a JSON object, if it is not too long for one."""
    text = request.stream.read(MAX_JSON_BYTES + 1)
    if len(text) > MAX_JSON_BYTES:
        raise ValidationError("body", "is too long for metadata")
    return json_object(text)
