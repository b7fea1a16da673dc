"""What is stored, passed on as it is: the documents' own JSON, with links put in behind.

Models check what comes in and what is written; what is read back is neither parsed nor written again,
which would be most of what an answer costs. Its tag is of the documents' versions, not of its bytes.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

from shared.contracts.context import RequestContext
from shared.contracts.step import Run, StepRecord
from shared.errors import NotFound
from shared.homes.documents import Document
from shared.homes.documents.readable import readable
from shared.homes.home import Home
from shared.pipeline import PROBE
from shared.runs.records import finished, run_state, undamaged_run
from shared.runs.views import artifact_links, asset_links, notices_of, run_links, step_fields
from shared.steps.preparing import asset_path
from shared.steps.step_records import run_path
from shared.steps.storing import artifact_path

_LAYOUT = "1"
"""Another one where the same documents are put together otherwise: tags of old are none any more."""


@dataclass(frozen=True)
class StoredJson:
    """JSON that documents were put together to."""

    text: str
    tag: str
    """Equal for equal documents at equal versions."""
    lasts: Mapping[str, str] = field(default_factory=dict)
    """Path -> version of documents: while they have those, it would be told so again. Empty: who knows."""


def tag_of(documents: Iterable[Document], *also: str) -> str:
    """A tag of these documents as they stand; ``also``: what else the text says."""
    seen = list(documents)
    words = "\n".join((_LAYOUT, *(one.version for one in seen), *also))
    times = array("d", [one.updated_at for one in seen])
    return hashlib.sha256(words.encode() + times.tobytes()).hexdigest()[:32]


def asset_json(document: Document) -> str:
    """An asset's document with links."""
    return _with_links(document, _asset_links())


def artifact_json(document: Document, asset_id: str) -> str:
    """An artifact's document with links."""
    return _with_links(document, _artifact_links(asset_id))


def _with_links(document: Document, around_id: Sequence[str]) -> str:
    own = document.id
    if not own.isidentifier():  # as nearly all are
        own = to_json(own)[1:-1].decode()
    return f'{document.text[:-1]},"links":{own.join(around_id)}}}'


@lru_cache
def _asset_links() -> Sequence[str]:
    """The JSON of an asset's links, cut where its id stands: put together once, and a page has hundreds."""
    return to_json(asset_links("\0")).decode().split("\\u0000")


@lru_cache
def _artifact_links(asset_id: str) -> Sequence[str]:
    return to_json(artifact_links("\0", asset_id)).decode().split("\\u0000")


def run_json(home: Home, ctx: RequestContext, run_id: str) -> StoredJson:
    """A run with its steps and their artifacts, its age and links. Raises ``NotFound``.

    Three calls, however many artifacts it has.
    """
    document = home.documents.get(run_path(ctx, run_id))
    if document is None:
        raise NotFound("run", run_id)
    run = undamaged_run(document)
    found = list(home.documents.list(f"{document.path}/steps"))
    records = {one.id: record for one, record in readable(found, StepRecord)}
    steps = [records[name] for name in run.planned if name in records]
    paths = [artifact_path(ctx, name) for record in steps for name in record.artifact_ids]
    asset = [asset_path(ctx, run.asset_id)] if run.asset_id else []
    stored = home.documents.get_all([*paths, *asset])
    made = {one.id: one for one in stored.values()}
    head: dict[str, object] = {
        "source": run.source,
        "asset_id": run.asset_id,
        "run_id": run.run_id,
        "state": run_state(steps),
        "notices": notices_of(made.get(run.asset_id or "")),
    }
    tail: dict[str, object] = {
        "created_at": run.created_at,
        "dismissed": run.dismissed,
        "links": run_links(run),
    }
    if PROBE in records and records[PROBE].error:
        tail["error"] = records[PROBE].error
    rows = ",".join(_step_json(record, run, made) for record in steps)
    text = f'{_open(head)},"steps":[{rows}],{_open(tail)[1:]}}}'
    read = [document, *found, *stored.values()]
    lasting = [document, *(stored[path] for path in asset if path in stored)]
    lasts = {one.path: one.version for one in lasting} if finished(run, records) else {}
    return StoredJson(text, tag_of(read), lasts)


def _step_json(record: StepRecord, run: Run, made: Mapping[str, Document]) -> str:
    """``made``: artifact id -> its document, of all that are there."""
    asset_id = run.asset_id or ""
    artifacts = [
        artifact_json(made[name], asset_id) for name in record.artifact_ids if name in made
    ]
    return f'{_open(step_fields(record))},"artifacts":[{",".join(artifacts)}]}}'


def _open(fields: Mapping[str, object]) -> str:
    """An object's JSON without its last brace."""
    return to_json(fields).decode()[:-1]


def public_run(home: Home, ctx: RequestContext, run_id: str) -> dict[str, Any]:
    """``run_json``, to look into. Raises ``NotFound``."""
    shown: dict[str, Any] = json.loads(run_json(home, ctx, run_id).text)
    return shown
