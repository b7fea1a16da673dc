"""The count in the calm after the storm: what must hold, whatever happened."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from typing import Any

import psutil
import pytest

from functions.sweep.lost import announce_missed, recall_lapsed, remove_left_parts
from shared.contracts.artifact import Artifact
from shared.contracts.context import RequestContext
from shared.homes.documents import Documents
from shared.homes.objects import Objects
from shared.messages.dead_letters import dead_letters
from shared.runs import erasing
from shared.runs.erasing import resume_erasures
from shared.runs.intake import Wishes
from shared.runs.uploading import upload
from shared.runs.views import list_artifacts, list_assets, list_runs, run_object
from tests.chaos.storm import SETTLED, STEPS, TENANTS, Sent, Storm, claims_of, leftovers
from tests.toy import wait_until


def check(storm: Storm) -> dict[str, Any]:
    """Assert everything; returns figures for people."""
    runs = storm.runs()
    outcomes: Counter[str] = Counter()
    assert len(runs) == len(storm.sent), "every upload has a run of its own"
    for number, sent in enumerate(storm.sent):
        run = runs[sent.run_id]
        assert not storm.lost(number, run), "an upload without a run"
        outcomes[_checked(sent, run) if run else "erased"] += 1
    assert recall_lapsed(storm.stage.home, parts_grace_s=0.0) == 0, (
        "a claim would be recalled for ever"
    )
    assert announce_missed(storm.stage.home, now=time.time() + 1_000) == 0, "... or announced"
    _look_again_for_what_was_erased(storm)
    remove_left_parts(storm.stage.home, now=time.time() + 1_000)
    made = {ctx: list(list_artifacts(storm.stage.home.documents, ctx)) for ctx in TENANTS}
    for ctx, artifacts in made.items():
        _check_tenant(storm, ctx, artifacts)
    documents = storm.stage.home.documents
    claims = [claim for ctx in TENANTS for claim in claims_of(documents, ctx)]
    assert {claim.state for claim in claims} <= {"done", "failed"}, "a lease is left"
    assert not [claim.cache_key for claim in claims if claim.part_of], "a part is left"
    assert not [ctx for ctx in TENANTS if _rows_held(documents, ctx)], "a row of parts is held"
    _check_processes(storm)
    _check_files(storm)
    log = storm.stage.log
    assert "secret" not in log, "so tenants, users and files are called"
    return {
        "uploads": len(storm.sent),
        "outcomes": dict(outcomes),
        "artifacts": sum(map(len, made.values())),
        "works begun more than once": sum(claim.generation > 1 for claim in claims),
        "dead letters": sum(len(list(dead_letters(documents, ctx))) for ctx in TENANTS),
        "works done in parts": sum(bool(claim.parts) for claim in claims),
        "messages of parts lost": log.count('"chaos.part_lost"'),
        "handlers that raised": log.count('"handler.raised"'),
        "messages turned back": log.count('"message.turned_back"'),
        **dict(sorted(storm.told.items())),
    }


def _checked(sent: Sent, run: dict[str, Any]) -> str:
    """Complete, or with a recorded error wherever something is missing."""
    steps = {step["step"]: step for step in run["steps"]}
    if sent.refused:
        assert run["error"]["code"] == "validation_error", run
        return "refused, as told"
    if run["asset_id"] is None and steps["probe"]["state"] == "skipped":
        return "erased before it was read"
    if "error" in run:
        assert run["error"]["code"] == "attempts_exhausted", run
        return "refused: attempts_exhausted"
    assert set(steps) == {"probe", *STEPS}
    for name, step in steps.items():
        if step["state"] == "failed":
            assert step["error"]["code"] and step["artifacts"] == []
        elif step["state"] == "skipped":
            assert step["reason"]
        elif name != "probe":
            assert len(step["artifacts"]) == 1, (name, step)
    if sent.fails:
        assert steps["toy.three"]["error"]["code"] == "backend_failed"
        assert steps["toy.join"]["state"] == "degraded"
        where = steps["toy.long"]["error"]["part"]
        assert (where["start_ms"], where["end_ms"]) == (1000, 2000), where
        return "degraded, as told"
    codes = {step["error"]["code"] for step in steps.values() if step["error"]}
    assert codes <= {"attempts_exhausted", "not_found"}, codes
    if "not_found" in codes:  # the recording was erased while this one was on its way
        return "erased on its way"
    return "given up" if codes else "complete"


def _look_again_for_what_was_erased(storm: Storm) -> None:
    """As the sweep does an hour later."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(erasing, "AGAIN_AFTER_S", 0.0)
        resume_erasures(storm.stage.home)


def _check_tenant(storm: Storm, ctx: RequestContext, artifacts: list[Artifact]) -> None:
    """One recording for each content, one artifact for each work, and just its object."""
    mine = [sent for sent in storm.sent if sent.ctx == ctx]
    documents, objects = storm.stage.home.documents, storm.stage.home.objects
    assets = list(list_assets(documents, ctx))
    contents = {storm.contents[ctx.tenant_id, asset.sha256] for asset in assets}
    kept = {sent.content for sent in mine if not sent.refused} - {
        content for tenant, content in storm.erased if tenant == ctx.tenant_id
    }
    assert kept <= contents and len(contents) == len(assets)
    assert {artifact.asset_id for artifact in artifacts} <= {asset.asset_id for asset in assets}
    ours = {sent.run_id for sent in mine}
    for run in list_runs(documents, ctx):
        if run.run_id in ours or run.damaged or run.planned == (erasing.STEP,):
            continue
        # of an upload whose answer was lost, and which the client then repeated
        view = run_object(storm.stage.home, ctx, run.run_id)
        assert view["state"] in SETTLED
        assert "error" not in view or view["error"]["code"] == "not_found", view
    works: dict[str, list[Artifact]] = defaultdict(list)
    for artifact in artifacts:
        works[artifact.meta["cache_key"]].append(artifact)
        _check_object(objects, artifact)
    assert all(len(made) == 1 for made in works.values()), "one work, one artifact"
    stored = {info.key for info in objects.list(f"{ctx.object_prefix}media_v2/")}
    expected = {artifact.key for artifact in artifacts} | {asset.key for asset in assets}
    assert stored == expected


def _rows_held(documents: Documents, ctx: RequestContext) -> list[str]:
    """By works that are there: those of what was erased are counted no more."""
    document = documents.get(f"{ctx.document_prefix}part_rows/all")
    held = document.data["rows"] if document else {}
    return [work for work in held if documents.get(f"{ctx.document_prefix}cache/{work}")]


def _check_object(objects: Objects, artifact: Artifact) -> None:
    found = hashlib.sha256(b"".join(objects.read(artifact.key))).hexdigest()
    assert found == artifact.sha256


def _check_processes(storm: Storm) -> None:
    """Below the server there are its workers, and below them nobody."""

    def children() -> list[psutil.Process]:
        return [child for worker in storm.stage.workers() for child in worker.children()]

    wait_until(lambda: not children(), at_most_s=20)


def _check_files(storm: Storm) -> None:
    """What killed workers left is gone once somebody works again."""
    if leftovers(storm.stage):
        time.sleep(5)  # they must be old enough for nobody to be about to lock them
    path = storm.stage.folder / "last.wav"
    path.write_text("the last sound")
    ctx = RequestContext(tenant_id="t9", env="dev")
    for _ in range(2):  # whoever works last may leave none, and removes what others left
        upload(storm.stage.home, ctx, path, Wishes(steps=STEPS))

    def done() -> bool:
        runs = list_runs(storm.stage.home.documents, ctx)
        return bool(runs) and not leftovers(storm.stage)

    wait_until(done, at_most_s=60)
