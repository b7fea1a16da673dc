"""``rushes process``: take files in, run their steps on this machine, show what came out."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from infra.command.delivered import Delivered, Handed, check_writable, counted
from infra.command.desk import Desk, at_desk, parse_params
from infra.command.names import looks_like_id
from infra.command.profile import profile_lines, profile_of
from infra.command.standing_board import STYLE, standing_board
from infra.command.strain import Strain
from infra.command.wishes import check_whole, checked_params
from infra.local.worker import WorkerPool, settle
from shared.contracts.ids import asset_id, sha256_of
from shared.contracts.step import Run, StepRecord, StepState
from shared.contracts.topics import UPLOADS_TOPIC
from shared.errors import NotFound, RushesError
from shared.homes.tenant_limits import tenant_settings
from shared.pipeline import BY_NAME, PROBE, title_of
from shared.runs.intake import Wishes
from shared.runs.part_views import where_failed
from shared.runs.records import finished, load_run, upload_run_id
from shared.runs.results_folder import stem_of
from shared.runs.uploading import shown, upload
from shared.runs.views import run_object
from shared.steps.preparing import asset_path, load_asset
from shared.steps.step_records import load_records

_POLL_S = 0.1
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--steps", help="Only these, and what they need: a,b")
@click.option("--param", "pairs", multiple=True, metavar="STEP.NAME=VALUE", help="Set a param.")
@click.option("--out", type=_FOLDER, help="Where to leave NAME.rushes/. [beside each recording]")
@click.option("--profile", is_flag=True, help="Show where each step's time went.")
@at_desk
def process(
    desk: Desk,
    files: tuple[str, ...],
    steps: str | None,
    pairs: tuple[str, ...],
    out: Path | None,
    profile: bool,
) -> None:
    """Process FILES (paths, gs:// or s3:// addresses), and leave the results in NAME.rushes/."""
    names = None if steps is None else tuple(name.strip() for name in steps.split(","))
    params = checked_params(desk.home, names or (), parse_params(pairs))
    if names:
        standing = tenant_settings(desk.home, desk.ctx).get("params", {})
        check_whole(desk.home, names, {**standing, **params})
    if out is not None:
        check_writable(out)
    started = {file: _begin(desk, file, names, params) for file in files}
    if all(isinstance(begun, str) and _known(desk, file) for file, begun in started.items()):
        _take_in(desk, len(started))
    going_on = [
        begun for begun in started.values() if isinstance(begun, str) and _open(desk, begun)
    ]
    if going_on:
        with WorkerPool(desk.settings, at_first=1, recordings=len(files)) as pool:
            watch_until_finished(desk, pool, going_on)
    show_outcome(
        desk,
        started,
        asked=names or (),
        wished=params,
        deliver=lambda run, file: Delivered(desk, run, file, out),
        profile=profile,
    )


def show_outcome(
    desk: Desk,
    started: Mapping[str, str | RushesError],
    *,
    asked: Collection[str] = (),
    wished: Collection[str] = (),
    deliver: Callable[[Mapping[str, Any], str], Handed] | None = None,
    profile: bool = False,
) -> None:
    """Show what came out of each run (or why it never began); exits with 1 if anything failed, or if of the
    steps that were ``asked`` for by name none is for a recording. A step whose params were ``wished`` and
    that did not run is told.

    ``deliver`` leaves what a run made, named as its file was, where people find it.
    ``profile``: tell where each step's time went.
    """
    runs: list[dict[str, Any]] = []
    told: list[str] = []
    failed = False
    for file, begun in started.items():
        run = _outcome(desk, file, begun)
        wanted = deliver is not None and run["asset_id"] and "error" not in run
        results = deliver(run, file) if deliver and wanted else None
        runs.append({**run, **(results.content if results else {})})
        told += _run_lines(
            run, results, run["source"] if looks_like_id(file) else Path(file).name or file
        )
        if results is None and any(step["artifacts"] for step in run["steps"]):
            told.append(_how_to_take(desk, run["asset_id"]))
        told += _left_out(run, wished)
        if unfit := _unfit(desk, run, asked):
            told.append(f"  [red]nothing made[/red]  {unfit}")
        if profile and run["run_id"]:
            spent = profile_of(desk, run["run_id"])
            runs[-1]["spent_s"] = spent
            told += profile_lines(spent)
        failed = failed or _failed(run) or bool(unfit)
        failed = failed or (results is not None and results.failed)
    desk.show({"runs": runs}, lambda: "\n".join(told))
    if failed:
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


def _known(desk: Desk, file: str) -> bool:
    """Is it a file here that this home has taken in before, under whatever name?"""
    if not Path(file).is_file():
        return False
    identifier = asset_id(desk.ctx.tenant_id, desk.ctx.env, sha256_of(Path(file)))
    return desk.home.documents.get(asset_path(desk.ctx, identifier)) is not None


def _take_in(desk: Desk, uploads: int) -> None:
    """Take uploads in here and now: of known recordings what is known is settled with that, and mostly
    nothing is left for which a worker would have to start.
    """
    for _ in range(uploads):
        for delivery in desk.home.bus.pull([UPLOADS_TOPIC]):
            settle(desk.home, delivery, PROBE)


def _open(desk: Desk, run_id: str) -> bool:
    return not any(finished(*looked) for looked in _looked_up(desk, run_id).values())


def watch_until_finished(desk: Desk, pool: WorkerPool, run_ids: list[str]) -> None:
    """Wait until every run has settled, showing how far each step is; Ctrl-C ends the waiting alone."""
    try:
        _watch(desk, pool, run_ids)
    except KeyboardInterrupt:
        click.echo(
            "stopped: what is done is kept, and the same command goes on from there", err=True
        )
        raise SystemExit(1) from None


def _watch(desk: Desk, pool: WorkerPool, run_ids: list[str]) -> None:
    """Until every run has settled.

    Where little is to be done, one worker has done it before another would have started; work that is seen
    twice is worth one more.
    """
    from rich.live import Live  # here: not before structlog, which would take more of it along

    from infra.command.desk import stderr

    waiting = set(run_ids)
    busy: set[tuple[str, str]] = set()
    board: dict[str, tuple[Run, dict[str, StepRecord]]] = {}
    strain = Strain(desk, pool)
    on_terminal = stderr.is_terminal and not desk.as_json
    with Live(console=stderr, transient=True, auto_refresh=on_terminal) as live:
        while waiting:
            for run_id in sorted(waiting):
                board.update(_looked_up(desk, run_id))
            waiting -= {
                run_id for run_id, (run, records) in board.items() if finished(run, records)
            }
            seen = {
                (run_id, name)
                for run_id, (_, records) in board.items()
                for name, record in records.items()
                if record.state is StepState.RUNNING and (name != PROBE or len(run_ids) > 1)
            }
            if busy & seen:
                pool.grow()
            busy = seen
            if on_terminal:
                live.update(standing_board(board.values(), stderr.height, len(run_ids)))
            strain.check([(run, tuple(records.values())) for run, records in board.values()])
            time.sleep(_POLL_S)


def _looked_up(desk: Desk, run_id: str) -> dict[str, tuple[Run, dict[str, StepRecord]]]:
    try:
        run = load_run(desk.home.documents, desk.ctx, run_id)
    except NotFound:  # not taken in yet
        return {}
    return {run_id: (run, load_records(desk.home.documents, desk.ctx, run_id))}


def _outcome(desk: Desk, file: str, begun: str | RushesError) -> dict[str, Any]:
    if isinstance(begun, str):
        return run_object(desk.home, desk.ctx, begun)
    return {
        "source": shown(Path(file).name or file),
        "asset_id": None,
        "run_id": None,
        "state": "failed",
        "notices": [],
        "steps": [],
        "error": begun.to_json(),
    }


def _failed(run: Mapping[str, Any]) -> bool:
    return "error" in run or any(step["state"] == "failed" for step in run["steps"])


def _left_out(run: Mapping[str, Any], wished: Collection[str]) -> Iterator[str]:
    """Steps that somebody has set params for and not asked for."""
    ran = {step["step"] for step in run["steps"]}
    for name in wished if ran else ():
        if name not in ran:
            yield f"  [yellow]not made[/yellow]  {name}: its params were set, but --steps does not name it"


def _unfit(desk: Desk, run: Mapping[str, Any], asked: Collection[str]) -> str:
    """Why nothing came of what was asked for by name: the recording has not what any of it works on."""
    if not asked or "error" in run or not run["asset_id"]:
        return ""
    media = load_asset(desk.home, desk.ctx, run["asset_id"]).media
    rows = [BY_NAME[name] for name in asked if name != PROBE]
    if not rows or any(row.accepts(media) for row in rows):
        return ""
    lacking = " or ".join(dict.fromkeys(f"no {row.takes}" for row in rows))
    return f"it has {lacking}, which {', '.join(row.name for row in rows)} would work on"


def _run_lines(run: Mapping[str, Any], results: Handed | None, called: str) -> Iterator[str]:
    """What came out, as lines: paths are never broken, so that they can be copied."""
    from rich.markup import escape

    yield f"\n[bold]{escape(shown(called))}[/bold]  [dim]{run['asset_id'] or ''}[/dim]"
    if "error" in run:
        yield f"  [red]refused[/red]  {escape(run['error']['message'])}"
        return
    for notice in run["notices"]:
        yield f"  [dim]notice[/dim]   {escape(notice)}"
    for step in run["steps"]:
        if step["step"] != PROBE:
            yield from _step_lines(step, with_places=results is None)
    if results is not None:
        yield from results.lines()


def _how_to_take(desk: Desk, asset_id: str) -> str:
    """A line for people: how what was made comes into a folder."""
    from rich.markup import escape

    name = load_asset(desk.home, desk.ctx, asset_id).sources[0].name
    asked, folder = shlex.quote(name), f"DIR/{stem_of(name)}.rushes/"
    return escape(f"  `rushes export {asked} DIR` leaves them in {folder}, under their names")


def _step_lines(step: Mapping[str, Any], *, with_places: bool) -> Iterator[str]:
    from rich.markup import escape

    style = STYLE[StepState(step["state"])]
    why = (
        f"{step['error']['message']}{where_failed(step['error'])}"
        if step["error"]
        else step["reason"]
    )
    if not with_places:
        why = "; ".join(filter(None, (counted(step["artifacts"]), why)))
    name = f"  {step['step']:<22}{title_of(step['step']):<23}"
    yield f"{name}[{style}]{step['state']:<10}[/{style}]{escape(why or '')}".rstrip()
    for what, where in _by_kind(step["artifacts"]) if with_places else ():
        yield f"      {what:<26}{escape(where)}"


def _by_kind(artifacts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """One line a kind: how many, and the file or the folder they are in."""
    for kind, count in Counter(artifact["kind"] for artifact in artifacts).items():
        place = next(_place(artifact) for artifact in artifacts if artifact["kind"] == kind)
        if count == 1:
            yield kind, place
        else:
            yield f"{count} × {kind}", f"{place.rsplit('/', 1)[0]}/"


def _place(artifact: Mapping[str, Any]) -> str:
    if artifact["path"] is None:
        return str(artifact["uri"])
    path, here = Path(artifact["path"]), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
