"""What people are shown of a recording is what was delivered last, not what was last asked."""

from __future__ import annotations

from pathlib import Path

from shared.contracts.step import Run, StepRecord, StepRequest, StepState
from shared.homes.home import Home
from shared.runs.opening import open_requested_run
from shared.runs.records import open_run
from shared.runs.standing import standing_results
from shared.steps.step_records import write_record
from shared.steps.storing import artifact_path
from tests.shared.runs.made import artifact
from tests.toy import CTX, Toy, drain, run_file


def test_a_dry_run_hides_nothing_that_older_runs_delivered(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    asset_id = run_file(home, tmp_path, steps=("toy.one",))["asset_id"]
    before = standing_results(home, CTX, asset_id)
    assert [one.step for one in before if one.artifacts] == ["toy.one"]
    told = {"tenant_id": CTX.tenant_id, "env": CTX.env, "asset_id": asset_id}
    request = StepRequest(step="toy.two", params={"dry_run": True}, **told)
    open_requested_run(home, request, "run_dry")
    drain(home)
    assert standing_results(home, CTX, asset_id) == before


def test_effects_and_mixes_stand_side_by_side_and_of_other_steps_the_newest(home: Home) -> None:
    steps = {"detect.hits": "audio_hit", "transform.fx": "audio_fx", "render.audio": "audio_render"}
    for n in range(2):
        told = {"tenant_id": "t1", "env": "dev", "source": "x", "asset_id": "ast_1"}
        run = Run(run_id=f"run_{n}", planned=tuple(steps), created_at=float(n), **told)
        open_run(home.documents, CTX, run)
        for step, kind in steps.items():
            made = artifact(kind, f"{n}")
            path = artifact_path(CTX, made.artifact_id)
            home.documents.put(path, made.model_dump(mode="json"))
            record = StepRecord(step=step).settled(
                StepState.DONE, artifact_ids=(made.artifact_id,), reason=f"run {n}"
            )
            write_record(home.documents, CTX, run.run_id, record)
    found = [
        (one.step, one.reason, [made.meta["name"] for made in one.artifacts])
        for one in standing_results(home, CTX, "ast_1")
    ]
    assert sorted(found) == [
        ("detect.hits", "run 1", ["1"]),
        ("render.audio", "run 0", ["0"]),
        ("render.audio", "run 1", ["1"]),
        ("transform.fx", "run 0", ["0"]),
        ("transform.fx", "run 1", ["1"]),
    ]
    assert [reason for step, reason, _ in found if step == "transform.fx"] == ["run 1", "run 0"]
    again = Run(run_id="run_2", planned=("transform.fx",), created_at=2.0, **told)
    open_run(home.documents, CTX, again)
    cached = record.model_copy(update={"step": "transform.fx", "state": StepState.CACHED})
    kept = cached.model_copy(update={"artifact_ids": (artifact("audio_fx", "0").artifact_id,)})
    write_record(home.documents, CTX, "run_2", kept)
    takes = [one for one in standing_results(home, CTX, "ast_1") if one.step == "transform.fx"]
    names = [[made.meta["name"] for made in one.artifacts] for one in takes]
    assert names == [["0"], ["1"]], "what a newer run found again stands once"


def test_what_was_made_of_an_artifact_is_called_after_it(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    run = run_file(home, tmp_path, steps=("toy.one",))
    (artifact,) = run["steps"][1]["artifacts"]
    told = {"tenant_id": CTX.tenant_id, "env": CTX.env, "asset_id": run["asset_id"]}
    request = StepRequest(step="toy.three", artifact_id=artifact["artifact_id"], **told)
    open_requested_run(home, request, "run_more")
    drain(home)
    found = {one.step: one.made_from for one in standing_results(home, CTX, run["asset_id"])}
    assert found == {"toy.one": None, "toy.three": artifact["meta"]["name"]}
