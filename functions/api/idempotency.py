"""Idempotency keys: the same ``POST`` again does nothing twice.

What a keyed request makes gets an id that derives from its key, so that doing it again lands on
what is there, also after a crash in the middle. The key's document remembers what was asked for, so
that one key never means two things, for thirty days.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request

from functions.api.identity import Caller
from shared.contracts.context import RequestContext
from shared.contracts.ids import digest
from shared.errors import Conflict
from shared.homes.documents import Document, Documents

ACTING_S = 60.0
"""No action behind a key takes longer."""
KEPT_S = 30 * 86_400.0
"""So long a key is remembered, where the document store removes what expires."""

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="The same key again gives the same result, and nothing is done twice.",
    ),
]


@dataclass(frozen=True)
class Once:
    """What one ``POST`` may know of its key."""

    ctx: RequestContext
    path: str
    key: str | None

    def identifier(self, prefix: str) -> str:
        """The id of what this request makes: derived from its key, or a new one."""
        if self.key is None:
            return f"{prefix}_{secrets.token_hex(16)}"
        return f"{prefix}_{self._digest[:32]}"

    def check(self, documents: Documents, body: Any) -> None:
        """Raise ``Conflict`` where the key was used for another body."""
        if self.key is None:
            return
        asked = digest(body)
        try:
            expires_at = time.time() + KEPT_S
            documents.create(self._document, {"body": asked, "expires_at": expires_at})
        except Conflict:
            self._compare(documents, asked)

    def act(self, documents: Documents, action: Callable[[], object]) -> None:
        """Do it, unless this key has done it already, or is doing it just now.

        The key is claimed first. An action that fails gives it back; one whose process died is done by
        who asks after ``ACTING_S``.
        """
        if self.key is None:
            action()
            return
        claimed = self._claim(documents)
        if claimed is None:
            return
        try:
            action()
        except BaseException:
            documents.delete(self._document)
            raise
        done = {**claimed.data, "state": "done"}
        documents.update(claimed.path, done, version=claimed.version)

    def _claim(self, documents: Documents) -> Document | None:
        """The key's document, if the action is ours."""
        ours = {"body": digest(None), "state": "acting", "expires_at": time.time() + KEPT_S}
        try:
            return documents.create(self._document, ours)
        except Conflict:
            found = documents.get(self._document)
        if found is None or found.data.get("state") != "acting":
            return None
        if found.read_at - found.updated_at < ACTING_S:
            return None
        try:
            return documents.update(found.path, ours, version=found.version)
        except Conflict:
            return None

    def _compare(self, documents: Documents, asked: str) -> None:
        standing = documents.get(self._document)
        if standing is not None and standing.data["body"] != asked:
            raise Conflict("this Idempotency-Key was used with another body")

    @property
    def _digest(self) -> str:
        return digest(self.ctx.user_id, self.path, self.key)

    @property
    def _document(self) -> str:
        return f"{self.ctx.document_prefix}requests/{self._digest}"


def _once(request: Request, ctx: Caller, key: Key = None) -> Once:
    return Once(ctx, request.url.path, key)


OneTime = Annotated[Once, Depends(_once)]
