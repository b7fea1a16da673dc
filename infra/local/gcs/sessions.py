"""Resumable uploads on their way: what came so far, and what is to become of it.

POST ?uploadType=resumable      -> a session: id.json (what is wanted), id.part (what came so far)
PUT  Content-Range: bytes 0-9/* -> 308, Range: bytes=0-9
PUT  Content-Range: bytes */20  -> 308, the same: how far is it?
PUT  bytes 10-19/20             -> the object; id.json now tells of it
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO, Any
from uuid import uuid4

from infra.local.gcs.bodies import NETWORK_BLOCK_BYTES
from shared.errors import Conflict, NotFound, ValidationError
from shared.homes.objects.files import disk_errors

_STALE_S = 7 * 86_400.0
_ID = re.compile(r"[0-9a-f]{32}")
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(?:(\d{1,18})|\*)")


@dataclass(frozen=True)
class ContentRange:
    """Where a PUT's bytes belong. All ``None``: the body is the whole object."""

    first: int | None = None
    total: int | None = None
    query: bool = False
    """``*``: no bytes come, how far is it?"""

    @classmethod
    def parse(cls, text: str | None) -> ContentRange:
        """From the ``Content-Range`` header."""
        if text is None:
            return cls()
        found = _CONTENT_RANGE.fullmatch(text.strip())
        if found is None:
            raise ValidationError("Content-Range", "is malformed")
        first, _, total = (int(part) if part else None for part in found.groups())
        return cls(first, total, query=first is None)

    def ends_at(self, size: int) -> bool:
        """Is the object whole with so many bytes? Raises ``ValidationError`` if there are more."""
        if self.total is not None and size > self.total:
            raise ValidationError("Content-Range", "more bytes came than it announces")
        return self == ContentRange() or self.total == size


@dataclass
class Session:
    """One resumable upload."""

    session_id: str
    folder: Path
    wanted: dict[str, Any]
    """What the request that began it says: ``key``, ``resource``, ``content_type``, ``args``."""
    finished: dict[str, Any] | None = None
    """The object resource, once there is one."""
    lock: Lock = field(default_factory=Lock)
    _turn: int = 0

    @property
    def data(self) -> Path:
        """What came so far."""
        return self.folder / f"{self.session_id}.part"

    @property
    def size(self) -> int:
        """Bytes that came so far."""
        return self.data.stat().st_size if self.data.exists() else 0

    def append(self, stream: IO[bytes], first: int) -> None:
        """Keep each block as it comes. A later request takes over from one that has stalled."""
        with self.lock, disk_errors():
            if first > self.size:
                raise ValidationError(
                    "Content-Range", f"{self.size} bytes came so far, not {first}"
                )
            self._turn += 1
            turn = self._turn
            with self.data.open("ab") as file:
                file.truncate(first)
        while block := stream.read(NETWORK_BLOCK_BYTES):
            with self.lock, disk_errors():
                if turn != self._turn:
                    raise Conflict("another request has continued this upload")
                with self.data.open("ab") as file:
                    file.write(block)

    def save(self) -> None:
        """Make it known to the next server, too."""
        state = {"wanted": self.wanted, "finished": self.finished}
        with disk_errors():
            (self.folder / f"{self.session_id}.json").write_text(json.dumps(state))


class Uploads:
    """The folder where uploads wait until they are whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sessions: dict[str, Session] = {}
        self._lock = Lock()
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            if time.time() - path.stat().st_mtime > _STALE_S:
                path.unlink()

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A path for one request's body; whatever is left there is removed."""
        path = self._folder / uuid4().hex
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def begin(self, wanted: dict[str, Any]) -> Session:
        """A new session."""
        session = Session(uuid4().hex, self._folder, wanted)
        session.save()
        with self._lock:
            self._sessions[session.session_id] = session
        return session

    def find(self, session_id: str) -> Session:
        """The session, also one that an earlier server began; raises ``NotFound``."""
        state = self._folder / f"{session_id}.json"
        with self._lock:
            if session_id not in self._sessions:
                if not _ID.fullmatch(session_id) or not state.exists():
                    raise NotFound("upload", session_id)
                saved = json.loads(state.read_text())
                self._sessions[session_id] = Session(session_id, self._folder, **saved)
            return self._sessions[session_id]

    def cancel(self, session: Session) -> None:
        """Forget it, and what came so far."""
        with self._lock:
            self._sessions.pop(session.session_id, None)
        session.data.unlink(missing_ok=True)
        (self._folder / f"{session.session_id}.json").unlink(missing_ok=True)
