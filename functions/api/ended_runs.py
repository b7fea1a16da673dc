"""Runs that have ended, as they were last told: shown again, two documents are read instead of all.

How a step has settled is final, but for a redrive, which writes its run anew; what is made again lands on
the same artifact with the same bytes. So what was told of an ended run holds while its own document and
its recording's have the versions that it was told of.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from shared.contracts.context import RequestContext
from shared.homes.home import Home
from shared.runs.stored_json import StoredJson, run_json
from shared.steps.step_records import run_path

_MOST_CHARACTERS = 16 << 20


class EndedRuns:
    """One process's; its threads may share it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._told: OrderedDict[str, StoredJson] = OrderedDict()
        self._characters = 0
        self._lock = Lock()

    def told(self, ctx: RequestContext, run_id: str) -> StoredJson:
        """The run as it stands; see ``run_json``. Raises ``NotFound``."""
        path = run_path(ctx, run_id)
        kept = self._told.get(path)
        if kept is not None:
            found = self._home.documents.get_all(list(kept.lasts))
            if {one.path: one.version for one in found.values()} == kept.lasts:
                return kept
            self._keep(path, None)
        told = run_json(self._home, ctx, run_id)
        if told.lasts:
            self._keep(path, told)
        return told

    def _keep(self, path: str, told: StoredJson | None) -> None:
        with self._lock:
            if (before := self._told.pop(path, None)) is not None:
                self._characters -= len(before.text)
            if told is not None:
                self._told[path] = told
                self._characters += len(told.text)
            while self._characters > _MOST_CHARACTERS:
                _, oldest = self._told.popitem(last=False)
                self._characters -= len(oldest.text)
