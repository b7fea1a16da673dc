"""Back-fill after a new backend version: what is stale, and that just that is made again, once."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from functions.wiring import engine_of
from infra.command.main import rushes
from shared.contracts.step import Run
from shared.contracts.step_engine import Backend
from shared.errors import MissingDependency
from shared.homes.home import Home, open_home
from shared.runs.erasing import erase_asset
from shared.runs.staleness import (
    BackFill,
    Survey,
    current_version,
    find_stale,
    planned_runs,
    stale_recordings,
)
from shared.runs.views import list_artifacts, run_object
from shared.settings import Settings
from tests.toy import CTX, Toy, drain, run_file, states


def stale(home: Home, *steps: str) -> dict[str, str]:
    """Step -> the version that made it."""
    survey = find_stale(home, CTX, steps or None)
    return {found.step: found.made_by for found in survey.stale}


def fill(home: Home, survey: Survey, in_flight: int = 1) -> list[dict[str, Any]]:
    filling = BackFill(home, CTX, planned_runs(home, survey))
    while not filling.over:
        filling.advance(in_flight)
        drain(home)
    return [run_object(home, CTX, run.run_id) for run in filling.done]


def new_version(monkeypatch: pytest.MonkeyPatch, toy: Toy, step: str, version: str) -> None:
    """Let one step have another backend than its siblings."""
    module = sys.modules[f"functions.{step}"]
    changed = dataclasses.replace(module.ENGINE, backend=lambda: Backend("toy", version))
    monkeypatch.setattr(module, "ENGINE", changed)


def test_with_the_same_versions_nothing_is_stale(home: Home, toy: Toy, tmp_path: Path) -> None:
    run_file(home, tmp_path)
    assert stale(home) == {}


def test_a_new_version_makes_its_results_stale_and_what_was_made_from_them(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file(home, tmp_path)
    new_version(monkeypatch, toy, "toy.one", "toy-2")
    survey = find_stale(home, CTX)
    versions = {found.step: (found.made_by, found.version) for found in survey.stale}
    assert versions == {
        "toy.one": ("toy-1", "toy-2"),
        "toy.two": ("toy-1", "toy-1"),
        "toy.join": ("toy-1", "toy-1"),
    }
    assert stale(home, "toy.one") == {"toy.one": "toy-1"}


def test_what_lacks_its_libraries_here_says_what_to_install(home: Home, toy: Toy) -> None:
    def missing(_row: object) -> object:
        raise MissingDependency("toy", ">=1", "install it")

    version, why = current_version(dataclasses.replace(home, engine_of=missing), "toy.one")
    assert version is None and why.startswith("install rushes[toy] here")


def test_a_damaged_claim_hides_no_other(home: Home, toy: Toy, tmp_path: Path) -> None:
    run_file(home, tmp_path)
    toy.version = "toy-2"
    before = stale(home)
    home.documents.put(f"{CTX.document_prefix}cache/damaged", {"state": "done", "step": 7})
    with pytest.MonkeyPatch.context() as quiet:
        quiet.setattr("shared.homes.documents.readable.log.error", lambda *_, **__: None)
        assert stale(home) == before
    assert list(before) == sorted(before), "one order, whichever was made first"


def test_after_the_back_fill_nothing_is_stale_and_each_step_ran_once_more(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file(home, tmp_path, params={"toy.one": {"text": "mine"}})
    new_version(monkeypatch, toy, "toy.one", "toy-2")
    (run,) = fill(home, find_stale(home, CTX))
    assert states(run) == {
        "toy.one": "done",
        "toy.three": "cached",
        "toy.two": "done",
        "toy.join": "done",
    }
    assert toy.ran == {"toy.one": 2, "toy.three": 1, "toy.two": 2, "toy.join": 2}
    made = [a for a in list_artifacts(home.documents, CTX) if a.meta["backend_version"] == "toy-2"]
    assert "mine" in b"".join(home.objects.read(made[0].key)).decode()
    assert stale(home) == {}


def test_results_with_several_params_are_all_made_again(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    for text in ("a", "b"):
        run_file(home, tmp_path, steps=("toy.one",), params={"toy.one": {"text": text}})
    toy.version = "toy-2"
    runs = fill(home, find_stale(home, CTX))
    assert len(runs) == 2
    assert toy.ran["toy.one"] == 4
    assert stale(home) == {}


def test_a_back_fill_cut_short_goes_on_where_it_was(home: Home, toy: Toy, tmp_path: Path) -> None:
    for text in ("one sound", "another", "a third"):
        run_file(home, tmp_path, text=text, steps=("toy.one",))
    toy.version = "toy-2"
    filling = BackFill(home, CTX, planned_runs(home, find_stale(home, CTX)))
    filling.advance(1)
    drain(home)  # and here the command is interrupted
    assert len(find_stale(home, CTX).stale) == 2
    fill(home, find_stale(home, CTX))
    assert toy.ran["toy.one"] == 6


def test_no_more_is_in_flight_than_was_said(home: Home, toy: Toy, tmp_path: Path) -> None:
    for number in range(6):
        run_file(home, tmp_path, text=f"sound {number}", steps=("toy.one",))
    toy.version = "toy-2"
    filling = BackFill(home, CTX, planned_runs(home, find_stale(home, CTX)))
    filling.advance(2)
    filling.advance(2)
    waiting = home.bus.pull(["steps-toy"], limit=100)
    assert len(waiting) == 2
    for delivery in waiting:
        home.bus.nack(delivery)
    while not filling.over:
        drain(home)
        filling.advance(2)
    assert len(filling.done) == 6


def test_a_back_fill_begins_with_what_is_found_first(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100,000 recordings nobody waits until all have been looked at, nor are they held."""
    for number in range(4):
        run_file(home, tmp_path, text=f"sound {number}", steps=("toy.one",))
    toy.version = "toy-2"
    looked = []

    def runs() -> Iterator[Run]:
        for survey in stale_recordings(home, CTX):
            looked.append(survey.stale)
            yield from planned_runs(home, survey)

    filling = BackFill(home, CTX, runs())
    filling.advance(1)
    assert len(looked) == 2, "the one that is made again, and the next"
    while not filling.over:
        drain(home)
        filling.advance(1)
    assert [len(found) for found in looked] == [1, 1, 1, 1] and toy.ran["toy.one"] == 8


def test_an_upload_overtakes_a_back_fill(home: Home, toy: Toy, tmp_path: Path) -> None:
    for number in range(5):
        run_file(home, tmp_path, text=f"sound {number}", steps=("toy.one",))
    toy.version = "toy-2"
    filling = BackFill(home, CTX, planned_runs(home, find_stale(home, CTX)))
    filling.advance(1)
    run = run_file(home, tmp_path, text="live", steps=("toy.one",))
    assert states(run)["toy.one"] == "done"
    assert len(filling.done) == 0 and toy.ran["toy.one"] == 7, "one of five was ahead of it"


def test_a_stub_here_makes_nobody_s_result_stale(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file(home, tmp_path, steps=("toy.one",))
    module = sys.modules["functions.toy.one"]
    stub = dataclasses.replace(module.ENGINE, backend=lambda: Backend("stub", "stub-9", stub=True))
    monkeypatch.setattr(module, "ENGINE", stub)
    survey = find_stale(home, CTX)
    assert survey.stale == [] and "stub" in survey.unknown["toy.one"]


def test_a_step_that_found_nothing_to_do_is_done_again_too(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    """A newer detector may find faces where the older one saw none."""
    run_file(home, tmp_path, steps=("toy.one",), params={"toy.one": {"fail": "skip"}})
    toy.version = "toy-2"
    (run,) = fill(home, find_stale(home, CTX))
    assert states(run) == {"toy.one": "skipped"} and toy.ran["toy.one"] == 2
    assert stale(home) == {}


def test_an_erased_recording_is_passed_over(home: Home, toy: Toy, tmp_path: Path) -> None:
    run = run_file(home, tmp_path, steps=("toy.one",))
    toy.version = "toy-2"
    survey = find_stale(home, CTX)
    erase_asset(home, CTX, run["asset_id"])
    assert fill(home, survey) == []


def test_claims_from_before_the_version_was_kept_are_read_by_their_artifacts(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    run_file(home, tmp_path, steps=("toy.one",))
    for document in list(home.documents.list(f"{CTX.document_prefix}cache")):
        older = {name: v for name, v in document.data.items() if name != "backend_version"}
        home.documents.put(document.path, older)
    assert stale(home) == {}
    toy.version = "toy-2"
    assert stale(home) == {"toy.one": "toy-1"}


def test_this_machine_knows_the_real_steps_versions(tmp_path: Path) -> None:
    real = open_home(Settings(data=tmp_path), engine_of)
    version, why_not = current_version(real, "transform.loudness")
    assert version and not why_not


@pytest.mark.heavy
def test_the_command_lists_and_then_makes_again(
    tmp_path: Path, home: Home, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers of the command know nothing of toys, so the listing alone goes through it."""
    run = run_file(home, tmp_path)
    toy.version = "toy-2"
    words = ["reprocess", "--stale", "--dry-run", "--data", str(home.settings.data)]
    words += ["--tenant", CTX.tenant_id, "--env", CTX.env]
    told = CliRunner().invoke(rushes, [*words, "--json"])
    rows = json.loads(told.output)["stale"]
    assert [(row["step"], row["made_by"], row["version"]) for row in rows] == [
        ("toy.join", "toy-1", "toy-2"),
        ("toy.one", "toy-1", "toy-2"),
        ("toy.three", "toy-1", "toy-2"),
        ("toy.two", "toy-1", "toy-2"),
    ]
    assert all(row["assets"] == [run["asset_id"]] for row in rows)
    everybody = CliRunner().invoke(rushes, [*words, "--all-tenants", "--step", "toy.one"])
    assert "toy-1" in everybody.output and everybody.exit_code == 0
    wrong = CliRunner().invoke(rushes, ["reprocess", "--stale", "ast_1"])
    assert wrong.exit_code == 2
