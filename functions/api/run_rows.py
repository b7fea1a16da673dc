"""Runs as a list shows them: of those that have ended nothing is read again.

A console that is looked at asks every few seconds for the newest runs, and their steps are most of what
that reads. How a step has settled is final, but for a redrive, which writes its run anew: so a row
that has ended holds for as long as its run's document has the version that it was made of.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from shared.contracts.context import RequestContext
from shared.homes.documents import Document, Documents
from shared.runs.records import finished, read_run, records_of
from shared.runs.views import public_run_row

_KEPT = 2_000


class RunRows:
    """One process's; its threads may share it."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._ended: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()

    def of(self, ctx: RequestContext, found: Sequence[Document]) -> list[dict[str, Any]]:
        """A row for each of the runs' documents, in their order."""
        rows = {one.path: self._ended.get((one.path, one.version)) for one in found}
        unknown = [one for one in found if rows[one.path] is None]
        runs = [read_run(ctx, one) for one in unknown]
        standing = records_of(self._documents, ctx, runs)
        for document, run, records in zip(unknown, runs, standing, strict=True):
            shown = public_run_row(run, records)
            rows[document.path] = shown
            if finished(run, records):
                self._ended[document.path, document.version] = shown
        while len(self._ended) > _KEPT:
            self._ended.popitem(last=False)
        return [row for one in found if (row := rows[one.path]) is not None]
