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
from shared.homes.documents import Documents

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
        """Do it, unless this key has done it already."""
        if self.key is not None and documents.get(self._document) is not None:
            return
        action()
        self.check(documents, None)

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
