"""Putting a recording where it is taken in: the same road for the command, the inbox and tests."""

from __future__ import annotations

import mimetypes
import secrets
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from shared.contracts.context import RequestContext
from shared.contracts.topics import UPLOADS_TOPIC
from shared.contracts.upload import Upload, notification
from shared.errors import UnsupportedMedia
from shared.folders import work_folder
from shared.homes.home import Home
from shared.homes.objects import ABSENT
from shared.homes.objects.fetch import Fetched, ensure_local
from shared.homes.tenant_limits import max_input_bytes
from shared.runs.intake import Wishes

_LONGEST_NAME_BYTES = 255


def upload(
    home: Home, ctx: RequestContext, uri: str | Path, wishes: Wishes | None = None
) -> Upload:
    """Put a file (a path, ``gs://`` or ``s3://``) into the bucket, and see that it is announced.

    Every upload has a key of its own, so that none replaces another before it is read, the same file
    twice included: it is known by its bytes once it is taken in. Raises what ``ensure_local`` raises, and
    ``UnsupportedMedia`` for an empty file.
    """
    name = Path(uri).name
    wishes = replace(wishes or Wishes(), name=shown(name), user_id=ctx.user_id)
    with (
        work_folder() as folder,
        ensure_local(uri, folder, max_bytes=max_input_bytes(home, ctx)) as fetched,
    ):
        if fetched.bytes == 0:
            raise UnsupportedMedia("the file is empty: there is nothing in it to decode")
        return _put(home, ctx, fetched, name, wishes)


def _put(home: Home, ctx: RequestContext, file: Fetched, name: str, wishes: Wishes) -> Upload:
    key = f"{ctx.object_prefix}uploads/{secrets.token_hex(8)}/{object_name(name)}"
    info = home.objects.put(
        key,
        file.path,
        content_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
        metadata=wishes.metadata(),
        if_generation=ABSENT,
    )
    if not home.objects.announces:
        attributes = notification(home.settings.bucket, key, info.generation)
        home.bus.publish(UPLOADS_TOPIC, b"", attributes)
    return Upload(ctx, home.settings.bucket, key, info.generation)


def object_name(name: str) -> str:
    """A file's name as the end of a key: control characters escaped, not too long."""
    clean = "".join(c if c.isprintable() else quote(c) for c in _text(name))
    while len(clean.encode()) > _LONGEST_NAME_BYTES:
        clean = clean[1:]  # the end holds the extension
    return clean


def shown(name: str) -> str:
    """A file's name for a terminal: nothing in it moves the cursor or turns the writing around."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in _text(name))


def _text(name: str) -> str:
    """Without the lone surrogates that stand for bytes which are not UTF-8."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
