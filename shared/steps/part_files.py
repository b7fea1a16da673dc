"""What the parts of one step's work left, kept in the bucket until it settles.

The files lie below their asset's folder, so erasing the asset erases them, too. Those of an owner that
died between settling and removing are left to the sweep; the cloud's bucket removes what ends in
``SUFFIX`` after a week, by a lifecycle rule.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from shared.contracts.context import RequestContext
from shared.contracts.step import PartAsked
from shared.errors import Conflict, NotFound, Unavailable
from shared.homes.home import Home
from shared.homes.objects.fetch import fetch_object
from shared.steps.claims import Claim, claim_path
from shared.steps.part_rows import give_rows_back
from shared.steps.parts import part_claims, part_key

SUFFIX = ".rushes-part"


class PartFiles:
    """The files of one work's parts; what is there already is the same, for it depends on its part alone."""

    def __init__(self, home: Home, ctx: RequestContext, asset_id: str, work: str) -> None:
        """``work``: the digest of its cache key."""
        self._home, self._ctx, self._work = home, ctx, work
        self._prefix = f"{ctx.object_prefix}media_v2/{asset_id}/scratch/{work}/"

    def keep(self, asked: PartAsked, file: Path) -> None:
        """Keep a part's file."""
        self._home.objects.put(self._key(asked), file, content_type="application/octet-stream")

    def fetch(self, parts: Iterable[PartAsked], folder: Path) -> list[Path]:
        """Their files, in order. Raises ``Unavailable`` where one is gone: that part is done again."""
        return [self._fetched(asked, folder / _name(asked)) for asked in parts]

    def _fetched(self, asked: PartAsked, to: Path) -> Path:
        try:
            fetch_object(self._home.objects, self._key(asked), to, max_bytes=sys.maxsize)
        except NotFound:
            self._home.documents.delete(claim_path(self._ctx, part_key(asked)))
            raise Unavailable(
                "a part of the work", "what it left is gone, and is made again"
            ) from None
        return to

    def forget(self, asked: PartAsked) -> None:
        """Remove one part, unless somebody is on it."""
        document = self._home.documents.get(claim_path(self._ctx, part_key(asked)))
        if document is not None:
            if Claim.model_validate(document.data).alive(document):
                return
            with suppress(Conflict):
                self._home.documents.delete(document.path, version=document.version)
        self._home.objects.delete(self._key(asked))

    def remove(self) -> None:
        """Remove all parts: the claims first, so that none speaks of a file that is gone; others get their
        rows.
        """
        for document, _ in part_claims(self._home, self._ctx, self._work):
            self._home.documents.delete(document.path)
        for info in list(self._home.objects.list(self._prefix)):
            self._home.objects.delete(info.key)
        give_rows_back(self._home, self._ctx, self._work)

    def _key(self, asked: PartAsked) -> str:
        return f"{self._prefix}{_name(asked)}{SUFFIX}"


def _name(asked: PartAsked) -> str:
    return f"{asked.number:05d}-of-{asked.count:05d}"
