"""``rushes process``: take files in, run their steps on this machine, show what came out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from shared.cli.desk import Desk, at_desk, parse_params, stderr, table
from shared.contracts.step import Run, StepRecord, StepState
from shared.errors import NotFound, RushesError
from shared.intake import Wishes, upload_run_id
from shared.pipeline import PROBE, with_needs
from shared.runs import finished, load_records, load_run
from shared.upload import shown, upload
from shared.views import run_object
from shared.worker import WorkerPool

_POLL_S = 0.1

_STYLE = {
    StepState.QUEUED: "dim",
    StepState.RUNNING: "cyan",
    StepState.DONE: "green",
    StepState.CACHED: "green",
    StepState.SKIPPED: "dim",
    StepState.DEGRADED: "yellow",
    StepState.FAILED: "red",
}


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--steps", help="Only these, and what they need: a,b")
@click.option("--param", "pairs", multiple=True, metavar="STEP.NAME=VALUE", help="Set a param.")
@at_desk
def process(desk: Desk, files: tuple[str, ...], steps: str | None, pairs: tuple[str, ...]) -> None:
    """Process FILES (paths, gs:// or s3:// addresses) and show what came out."""
    names = tuple(steps.split(",")) if steps else None
    params = parse_params(pairs)
    with_needs(name for name in (*(names or ()), *params) if name != PROBE)
    started = {file: _begin(desk, file, names, params) for file in files}
    work_until_finished(desk, [begun for begun in started.values() if isinstance(begun, str)])
    show_outcome(desk, started)


def show_outcome(desk: Desk, started: Mapping[str, str | RushesError]) -> None:
    """Show what came out of each run (or why it never began); exits with 1 if anything failed."""
    runs = [_outcome(desk, file, begun) for file, begun in started.items()]
    desk.show({"runs": runs}, lambda: Group(*_tables(runs)))
    if any(_failed(run) for run in runs):
        raise SystemExit(1)


def _begin(
    desk: Desk, file: str, steps: tuple[str, ...] | None, params: Mapping[str, Any]
) -> str | RushesError:
    """Upload one file; returns its run's id, or why it was refused."""
    try:
        wishes = Wishes(steps=steps, params=params)
        return upload_run_id(upload(desk.home, desk.ctx, file, wishes))
    except RushesError as error:
        return error.locate(service=PROBE, backend_version=None)


def work_until_finished(desk: Desk, run_ids: list[str]) -> None:
    """Work until every run has settled, showing how far each step is."""
    if not run_ids:
        return
    todo = set(run_ids)
    board: dict[str, tuple[Run, dict[str, StepRecord]]] = {}
    show_live = stderr.is_terminal and not desk.as_json
    with (
        WorkerPool(desk.settings) as pool,
        Live(console=stderr, refresh_per_second=8, transient=True, auto_refresh=show_live) as live,
    ):
        while todo:
            for run_id in sorted(todo):
                board.update(_looked_up(desk, run_id))
            todo -= {run_id for run_id, (run, records) in board.items() if finished(run, records)}
            if show_live:
                live.update(_board(board.values()))
            pool.replace_dead()
            time.sleep(_POLL_S)


def _looked_up(desk: Desk, run_id: str) -> dict[str, tuple[Run, dict[str, StepRecord]]]:
    try:
        run = load_run(desk.home.documents, desk.ctx, run_id)
    except NotFound:  # not taken in yet
        return {}
    return {run_id: (run, load_records(desk.home.documents, desk.ctx, run_id))}


def _board(runs: Iterable[tuple[Run, Mapping[str, StepRecord]]]) -> Table:
    shown_table = table("recording", "step", "state", "")
    for run, records in runs:
        for name in run.planned:
            record = records.get(name, StepRecord(step=name))
            bar = ProgressBar(total=1.0, completed=record.progress, width=24)
            running = record.state is StepState.RUNNING
            style = _STYLE[record.state]
            shown_table.add_row(
                run.source, name, f"[{style}]{record.state.value}", bar if running else ""
            )
    return shown_table


def _outcome(desk: Desk, file: str, begun: str | RushesError) -> dict[str, Any]:
    if isinstance(begun, str):
        return run_object(desk.home, desk.ctx, begun)
    return {
        "source": shown(Path(file).name),
        "asset_id": None,
        "run_id": None,
        "state": "failed",
        "steps": [],
        "error": begun.to_json(),
    }


def _failed(run: Mapping[str, Any]) -> bool:
    return "error" in run or any(step["state"] == "failed" for step in run["steps"])


def _tables(runs: Iterable[Mapping[str, Any]]) -> Iterable[Any]:
    for run in runs:
        yield f"\n[bold]{_escaped(run['source'])}[/bold]  [dim]{run['asset_id'] or ''}[/dim]"
        if "error" in run:
            yield f"[red]refused:[/red] {_escaped(run['error']['message'])}"
        else:
            yield _what_came_out(run["steps"])


def _what_came_out(steps: Iterable[Mapping[str, Any]]) -> Table:
    made = table("step", "state", "what came out", "where")
    for step in steps:
        style = _STYLE[StepState(step["state"])]
        why = step["error"]["message"] if step["error"] else step["reason"]
        state = f"[{style}]{step['state']}[/{style}]"
        if step["step"] == PROBE:
            continue
        rows = _by_kind(step["artifacts"]) or [(_escaped(why or ""), "")]
        for number, (what, where) in enumerate(rows):
            first = number == 0
            made.add_row(step["step"] if first else "", state if first else "", what, where)
        if step["artifacts"] and why:
            made.add_row("", "", f"[yellow]{_escaped(why)}[/yellow]", "")
    return made


def _by_kind(artifacts: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """One row a kind: how many, and the file or the folder they are in."""
    artifacts = list(artifacts)
    rows = []
    for kind, count in Counter(artifact["kind"] for artifact in artifacts).items():
        places = [_place(artifact) for artifact in artifacts if artifact["kind"] == kind]
        where = places[0] if count == 1 else f"{places[0].rsplit('/', 1)[0]}/"
        rows.append((kind if count == 1 else f"{count} × {kind}", _escaped(where)))
    return rows


def _place(artifact: Mapping[str, Any]) -> str:
    if artifact["path"] is None:
        return str(artifact["uri"])
    path = Path(artifact["path"])
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
