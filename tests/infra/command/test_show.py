"""``rushes show`` and what ``rushes up`` says of a run: in words, nothing that only programmers read."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from infra.command import desk
from infra.command.inbox import Inbox
from infra.command.main import rushes
from infra.command.up import Serving, told_of
from infra.local.worker import WorkerPool
from shared.errors import NotFound
from shared.runs import erasing
from shared.runs.views import list_assets
from tests import toy as toys
from tests.toy import CTX, at_time, embedded_home, run_file


def test_all_that_is_known_is_an_outline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.install(monkeypatch)
    run = run_file(embedded_home(tmp_path / "data"), tmp_path, steps=("toy.one",))
    where = ["--data", str(tmp_path / "data"), "--tenant", CTX.tenant_id, "--env", CTX.env]
    said = CliRunner().invoke(rushes, ["show", run["run_id"], *where]).output.splitlines()
    assert {"state: done", f"asset_id: {run['asset_id']}", "steps:", "    step: toy.one"} <= {*said}
    assert not any(": None" in line or "': " in line for line in said)


def test_a_home_without_recordings_says_where_it_is(tmp_path: Path) -> None:
    error = CliRunner().invoke(rushes, ["export", "a.wav", "x", "--data", str(tmp_path)]).exception
    assert isinstance(error, NotFound) and error.message == (
        f"no recording 'a.wav': there is none yet in {tmp_path}, and --data DIR names another home"
    )


def test_erasing_tells_what_there_was_and_what_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.install(monkeypatch)
    run = run_file(embedded_home(tmp_path / "data"), tmp_path, steps=("toy.one",))
    where = ["--data", str(tmp_path / "data"), "--tenant", CTX.tenant_id, "--env", CTX.env]
    said = CliRunner().invoke(rushes, ["erase", run["asset_id"], "--yes", *where]).stdout
    first, *counts, last = said.splitlines()
    assert (first, last.endswith("are yours, and stay")) == (f"erased: {run['asset_id']}", True)
    assert "  cache documents: 2" in counts and not any(line.endswith(": 0") for line in counts)


def _half_erased(folder: Path, patched: pytest.MonkeyPatch) -> dict[str, Any]:
    """A home with one recording, whose erasure was cut short an hour ago; its run."""
    toys.install(patched)
    run = run_file(embedded_home(folder / "data"), folder, steps=("toy.one",))
    with at_time(time.time() - 3600), pytest.MonkeyPatch.context() as dying:
        dying.setattr(erasing._Erasure, "_runs", lambda _self: (_ for _ in ()).throw(KeyError))
        with pytest.raises(KeyError):
            erasing.erase_asset(embedded_home(folder / "data"), CTX, run["asset_id"])
    return run


def test_an_erasure_that_was_cut_short_is_given_again_by_the_recordings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _half_erased(tmp_path, monkeypatch)
    where = ["--data", str(tmp_path / "data"), "--tenant", CTX.tenant_id, "--env", CTX.env]
    said = CliRunner().invoke(rushes, ["erase", "take.wav", "--yes", *where]).stdout
    assert said.startswith("erased: take.wav") and "  runs: 1" in said
    assert not any(list_assets(embedded_home(tmp_path / "data").documents, CTX))


def test_up_goes_on_with_an_erasure_that_was_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _half_erased(tmp_path, monkeypatch)
    home = embedded_home(tmp_path / "data")
    at = desk.Desk(home.settings, CTX, as_json=False)
    at.__dict__["home"] = home
    Serving(at, Inbox(tmp_path), WorkerPool(home.settings)).sweep()
    assert not any(list_assets(home.documents, CTX))


def test_what_an_artifact_was_made_by_is_told_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.install(monkeypatch)
    run = run_file(embedded_home(tmp_path / "data"), tmp_path, steps=("toy.one",))
    (artifact,) = run["steps"][1]["artifacts"]
    where = ["--data", str(tmp_path / "data"), "--tenant", CTX.tenant_id, "--env", CTX.env]
    said = CliRunner().invoke(rushes, ["explain", artifact["artifact_id"], *where]).output
    assert artifact["meta"]["cache_key"] in said


def test_a_run_is_told_by_what_it_made_and_why_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.install(monkeypatch)
    home = embedded_home(tmp_path / "data")
    params = {"toy.three": {"fail": "permanent"}}
    said = told_of(run_file(home, tmp_path, params=params))
    assert said.startswith("partly done: toy.one, toy.two, toy.join; toy.three failed: ")
    assert told_of({"error": {"message": "it is a text"}, "steps": []}) == "refused: it is a text"


@pytest.mark.parametrize(
    ("width", "shown"), [(40, "ast\n  name\n" + "a" * 36 + "\n  talk.wav"), (80, None)]
)
def test_a_narrow_terminal_loses_no_name(
    width: int, shown: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(desk, "stdout", Console(width=width), raising=False)
    made = desk.plain_table(("ast", "name"), [("a" * 36, "talk.wav")])
    assert (made.text if isinstance(made, desk.Lines) else None) == shown


@pytest.mark.parametrize("words", [("presets",), ("models", "list"), ("steps", "detect.hits")])
def test_tables_have_a_line_a_row_in_a_pipe(words: tuple[str, ...]) -> None:
    lines = CliRunner().invoke(rushes, list(words)).stdout.splitlines()
    cells = {line.count("\t") for line in lines}
    assert len(lines) > 5 and len(cells) == 1 and cells != {0}
    assert "``" not in "".join(lines)
