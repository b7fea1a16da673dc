"""Files of long work on its way, kept in the bucket while its claim is not settled.

They lie below their asset's folder, so erasing the asset erases them, too. Those of an owner that
died between settling and erasing are left to the sweep; the cloud's bucket removes what ends in
``SUFFIX`` after a week, by a lifecycle rule.
"""

from __future__ import annotations

from pathlib import Path

from shared.contracts.context import RequestContext
from shared.errors import NotFound
from shared.homes.objects import Objects
from shared.homes.objects.fetch import fetch_object

SUFFIX = ".rushes-part"
_MOST_BYTES = 1 << 40


class ObjectScratch:
    """The files of one claim's work; see ``shared.contracts.step_engine.Scratch``."""

    def __init__(self, objects: Objects, ctx: RequestContext, asset_id: str, work: str) -> None:
        """``work``: the digest of its cache key."""
        self._objects = objects
        self._prefix = f"{ctx.object_prefix}media_v2/{asset_id}/scratch/{work}/"
        self.used = False
        """Did anybody ask for a part, or keep one?"""

    def get(self, name: str, to: Path) -> bool:
        """Fetch a part that was kept; ``False`` where there is none."""
        self.used = True
        try:
            fetch_object(self._objects, self._key(name), to, max_bytes=_MOST_BYTES)
        except NotFound:
            return False
        return True

    def put(self, name: str, part: Path) -> None:
        """Keep a part; one that is there already is the same."""
        self.used = True
        self._objects.put(self._key(name), part, content_type="application/octet-stream")

    def remove(self, name: str) -> None:
        """Remove a part, if it is there."""
        self._objects.delete(self._key(name))

    def erase(self) -> None:
        """Remove all parts."""
        for info in list(self._objects.list(self._prefix)):
            self._objects.delete(info.key)

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}{SUFFIX}"
