"""Runs that are asked for: what they plan, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.contracts.artifact import Artifact
from shared.contracts.step import StepRequest
from shared.homes.home import Home
from shared.runs.opening import agreed_params, open_requested_run, planned_steps
from tests.toy import Toy, drain, run_file


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
    [("application/json", ALL[2:]), ("audio/wav", (ALL[0], ALL[2]))],
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
    assert planned_steps(["transcribe.captions"], subject=subject) == planned
