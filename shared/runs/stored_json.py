"""What is stored, passed on as it is: the documents' own JSON, with links put in behind.

Models check what comes in and what is written; what is read back is neither parsed nor written again,
which would be most of what an answer costs. Its tag is of the documents' versions, not of its bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from shared.contracts.context import RequestContext
from shared.contracts.step import Run, StepRecord
from shared.errors import NotFound
from shared.homes.documents import Document
from shared.homes.documents.readable import readable
from shared.homes.home import Home
from shared.pipeline import PROBE
from shared.runs.records import run_state, undamaged_run
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


def tag_of(documents: Iterable[Document], *also: str) -> str:
    """A tag of these documents as they stand; ``also``: what else the text says."""
    seen = [f"{one.version} {one.updated_at}" for one in documents]
    return hashlib.sha256("\n".join((_LAYOUT, *seen, *also)).encode()).hexdigest()[:32]


def asset_json(document: Document) -> str:
    """An asset's document with links."""
    return _with_links(document, asset_links(document.id))


def artifact_json(document: Document, asset_id: str) -> str:
    """An artifact's document with links."""
    return _with_links(document, artifact_links(document.id, asset_id))


def _with_links(document: Document, links: Mapping[str, str]) -> str:
    return f'{document.text[:-1]},"links":{to_json(links).decode()}}}'


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
    return StoredJson(text, tag_of([document, *found, *stored.values()]))


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
