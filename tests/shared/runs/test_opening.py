"""Runs that are asked for: what they plan, and what they leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.contracts.artifact import Artifact
from shared.contracts.step import Run, StepRequest
from shared.homes.home import Home
from shared.homes.tenant_limits import settings_path
from shared.pipeline import PROBE
from shared.runs.intake import Wishes
from shared.runs.opening import agreed_params, open_requested_run, planned_steps
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from tests.toy import CTX, MEDIA, Toy, at_time, drain, handle_upload, run_file, states


def test_on_a_dry_run_nothing_follows_and_nothing_is_made(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    asset_id = run_file(home, tmp_path, steps=("toy.three",))["asset_id"]
    request = StepRequest(
        tenant_id="t1", env="dev", step="toy.two", asset_id=asset_id, params={"dry_run": True}
    )
    run = open_requested_run(home, request, "run_dry")
    drain(home)
    assert run.planned == ("toy.one", "toy.two"), "toy.join follows from it, but not now"
    assert toy.ran["toy.one"] == toy.ran["toy.join"] == 0


ALL = ("transcribe.words", "transcribe.semantics", "transcribe.captions")


def test_what_is_said_of_one_step_holds_for_all_that_share_it() -> None:
    agreed = agreed_params(ALL, {"transcribe.captions": {"language": "de"}}, asked=())
    assert agreed == {name: {"language": "de"} for name in ALL}
    alone = agreed_params(ALL[:1], {"transcribe.captions": {"language": "de"}}, asked=())
    assert alone == {"transcribe.captions": {"language": "de"}}, "no such step in the run"


def test_what_is_asked_for_now_goes_before_what_was_said_earlier() -> None:
    said = {"transcribe.words": {"language": "de"}, "transcribe.captions": {"language": "fr"}}
    for asked, language in (("transcribe.captions", "fr"), ("transcribe.words", "de")):
        agreed = agreed_params(ALL, said, asked=(asked,))
        assert agreed == {name: {"language": language} for name in ALL}
    assert agreed_params(ALL, said, asked=())["transcribe.semantics"]["language"] == "de"


@pytest.mark.parametrize(
    ("content_type", "planned"),
    [("application/json", ALL[2:]), ("audio/wav", ("detect.activity", ALL[0], ALL[2]))],
)
def test_on_a_document_nothing_is_listened_to(content_type: str, planned: tuple[str, ...]) -> None:
    subject = Artifact(
        artifact_id="art_1",
        kind="asr_transcript",
        asset_id="ast_1",
        tenant_id="t1",
        env="dev",
        key="k",
        uri="file:///k",
        content_type=content_type,
        sha256="0",
        bytes=1,
        meta={},
    )
    assert planned_steps(["transcribe.captions"], {}, subject=subject) == planned


def test_faces_are_not_looked_for_where_they_are_to_be_seen() -> None:
    faces = {"detect.regions", "anonymise.faces"}
    assert faces < set(planned_steps(["render.video"], {}))
    assert faces < set(planned_steps(["render.video"], {"render.video": {"faces": "anonymised"}}))
    shown = planned_steps(["render.video"], {"render.video": {"faces": "original"}})
    assert not faces.intersection(shown) and "detect.visual_meta" in shown


def test_for_a_video_that_a_talk_has_not_its_words_are_not_recognised() -> None:
    planned = planned_steps(["render.video", "transform.loudness"], {}, media=MEDIA)
    assert planned == ("transform.loudness", "render.video")


def test_what_a_recording_is_not_for_is_skipped_beside_the_rest(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    run = run_file(home, tmp_path, steps=("toy.video", "toy.three"))
    assert states(run) == {PROBE: "done", "toy.three": "done", "toy.video": "skipped"}


def _asked(home: Home, asset_id: str, step: str, number: int, **more: Any) -> Run:
    request = StepRequest(tenant_id="t1", env="dev", step=step, asset_id=asset_id, **more)
    with at_time(2_000_000_000.0 + number):
        run = open_requested_run(home, request, f"run_{number}")
    drain(home)
    return run


def test_a_step_keeps_the_params_that_it_had_last_and_no_run_those_of_others(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    said = {"toy.one": {"text": "once"}, "toy.wish": {"text": "kept for later"}}
    asset_id = run_file(home, tmp_path, steps=("toy.two",), params=said)["asset_id"]
    two = _asked(home, asset_id, "toy.two", 1, params={"text": "two"})
    assert two.params == {"toy.one": {"text": "once"}, "toy.two": {"text": "two"}}
    alone = _asked(home, asset_id, "toy.three", 2, params={"text": "three"})
    assert alone.params == {**two.params, "toy.three": {"text": "three"}}, "for toy.join's sake"
    wish = _asked(home, asset_id, "toy.wish", 3, params={"text": "wish"})
    assert wish.params == {"toy.one": {"text": "once"}, "toy.wish": {"text": "wish"}}
    again = _asked(home, asset_id, "toy.two", 4)
    assert again.params["toy.one"] == {"text": "once"} and not again.params["toy.two"]


def test_what_was_only_asked_or_was_about_an_artifact_is_no_later_run_s_wish(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    first = run_file(home, tmp_path, steps=("toy.one",))
    asset_id, artifact = first["asset_id"], first["steps"][1]["artifacts"][0]["artifact_id"]
    _asked(home, asset_id, "toy.one", 1, params={"text": "asked", "dry_run": True})
    _asked(home, asset_id, "toy.one", 2, params={"text": "on it"}, artifact_id=artifact)
    assert "toy.one" not in _asked(home, asset_id, "toy.two", 3).params


def test_a_step_that_none_had_is_done_as_the_tenant_has_set(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    asset_id = run_file(home, tmp_path, steps=("toy.three",))["asset_id"]
    home.documents.put(settings_path(CTX), {"params": {"toy.one": {"text": "house"}}})
    run = _asked(home, asset_id, "toy.two", 1)
    assert run.params == {"toy.one": {"text": "house"}, "toy.two": {}}


@pytest.mark.parametrize("fail", [None, "permanent", "skip"])
def test_a_known_recording_is_settled_with_its_upload_and_asks_for_what_is_not_known(
    home: Home, toy: Toy, tmp_path: Path, fail: str | None
) -> None:
    wishes = Wishes(params={"toy.three": {"fail": fail}} if fail else {})
    first = states(run_file(home, tmp_path, params=wishes.params))
    ran = dict(toy.ran)
    run_id = upload_run_id(upload(home, CTX, tmp_path / "take.wav", wishes))
    (delivery,) = home.bus.pull(["uploads"])
    handle_upload(delivery.message, home)
    home.bus.ack(delivery)
    asked = home.bus.pull(["steps-toy"], limit=10)
    failed = {"toy.three"} if fail == "permanent" else set()
    assert {one.message.attributes["step"] for one in asked} == failed
    for one in asked:
        home.bus.nack(one)
    drain(home)
    assert states(run_object(home, CTX, run_id)) == {
        name: "cached" if state == "done" and name != PROBE else state
        for name, state in first.items()
    }
    assert {name for name, count in toy.ran.items() if count > ran[name]} == failed
