"""``rushes reprocess --stale``: what older backends made, and making it again at low priority."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import click

from infra.command.desk import Desk, plain_table
from infra.command.strain import Strain
from infra.command.wishes import known_step
from infra.local.worker import WorkerPool
from shared.contracts.context import RequestContext
from shared.contracts.step import Run
from shared.errors import NotFound
from shared.runs.records import run_state
from shared.runs.staleness import (
    BackFill,
    Stale,
    Survey,
    find_stale,
    planned_runs,
    stale_recordings,
)
from shared.steps.preparing import load_asset
from shared.steps.step_records import load_records

_POLL_S = {"embedded": 0.1, "google": 0.5}
"""What is looked at so often is this machine's own file, or a service that counts."""


def reprocess_stale(
    desk: Desk, *, step: str | None, dry_run: bool, in_flight: int, all_tenants: bool
) -> None:
    """Show the impact list; unless ``dry_run`` make it all again, ``in_flight`` runs at a time."""
    steps = (known_step(step).name,) if step else None
    contexts = list(_contexts(desk)) if all_tenants else [desk.ctx]
    surveys = [find_stale(desk.home, ctx, steps) if dry_run else Survey(ctx) for ctx in contexts]
    ended = Ended()
    if not dry_run:
        local = desk.settings.home == "embedded"
        with WorkerPool(desk.settings, recordings=in_flight) if local else nullcontext() as pool:
            try:
                for survey in surveys:
                    _back_fill(desk, survey, steps, in_flight, pool, ended)
            except KeyboardInterrupt:
                click.echo(
                    "stopped: what is made again is kept, and the same command goes on", err=True
                )
                raise SystemExit(1) from None
    impact = _impact(surveys)
    unknown = {name: why for survey in surveys for name, why in survey.unknown.items()}
    content = {"stale": impact, "unknown": unknown, "dry_run": dry_run, **ended.content}
    desk.show(content, lambda: _page(impact, unknown, ended, dry_run=dry_run))
    if ended.states["failed"]:
        raise SystemExit(1)


@dataclass
class Ended:
    """How runs ended."""

    states: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, str]] = field(default_factory=list)
    """What failed, of which recording, and why."""

    def add(self, desk: Desk, ctx: RequestContext, run: Run) -> None:
        """One more."""
        records = load_records(desk.home.documents, ctx, run.run_id)
        self.states[run_state(list(records.values()))] += 1
        for record in records.values():
            if record.error:
                told = {"recording": _called(desk, ctx, run), "asset_id": run.asset_id or ""}
                why = str(record.error["message"])
                self.failures.append({**told, "step": record.step, "message": why})

    @property
    def content(self) -> dict[str, Any]:
        """For the JSON object."""
        return {"runs": dict(self.states), "failures": self.failures}


def _called(desk: Desk, ctx: RequestContext, run: Run) -> str:
    """The recording's name; its id where it was erased since."""
    try:
        return load_asset(desk.home, ctx, run.asset_id or "").sources[0].name
    except NotFound:
        return run.asset_id or ""


def _contexts(desk: Desk) -> Iterator[RequestContext]:
    """Every tenant's env that has a recording."""
    seen = set()
    for document in desk.home.documents.list_group("assets"):
        _, tenant, _, env, *_ = document.path.split("/")
        if (tenant, env) not in seen:
            seen.add((tenant, env))
            yield RequestContext.of(tenant, env)


def _back_fill(
    desk: Desk,
    told: Survey,
    steps: Collection[str] | None,
    in_flight: int,
    pool: WorkerPool | None,
    ended: Ended,
) -> None:
    """Make it again, recording by recording as they are found, showing which; ``told`` says in the end what
    was stale.
    """
    from rich.live import Live

    from infra.command.desk import stderr

    def runs() -> Iterator[Run]:
        for found in stale_recordings(desk.home, told.ctx, steps):
            told.add(found)
            yield from planned_runs(desk.home, found)

    filling = BackFill(desk.home, told.ctx, runs())
    strain = Strain(desk, pool) if pool is not None else None
    on_terminal = stderr.is_terminal and not desk.as_json
    with Live(console=stderr, transient=True, auto_refresh=on_terminal) as live:
        while not filling.over:
            count = len(filling.done)
            filling.advance(in_flight)
            for run in filling.done[count:]:
                ended.add(desk, told.ctx, run)
            if on_terminal:
                live.update(_under_way(desk, told.ctx, filling, ended))
            if strain is not None:
                strain.check((len(filling.done), _records(desk, told.ctx, filling)))
            if not filling.over:
                time.sleep(_POLL_S[desk.settings.home])


def _records(desk: Desk, ctx: RequestContext, filling: BackFill) -> list[object]:
    return [load_records(desk.home.documents, ctx, run.run_id) for run in filling.under_way]


def _under_way(desk: Desk, ctx: RequestContext, filling: BackFill, ended: Ended) -> str:
    """``12 made again, 1 failed; under way: take 013.wav``: how many there are in all nobody knows yet."""
    from rich.markup import escape

    failed = f", [red]{ended.states['failed']} failed[/red]" if ended.states["failed"] else ""
    names = ", ".join(escape(_called(desk, ctx, run)) for run in filling.under_way)
    return f"{ended.states.total()} made again{failed}" + (f"; under way: {names}" if names else "")


def _impact(surveys: list[Survey]) -> list[dict[str, Any]]:
    """One row for each step and change of version."""
    rows: dict[tuple[str, str, str], list[tuple[RequestContext, Stale]]] = {}
    for survey in surveys:
        for stale in survey.stale:
            key = (stale.step, stale.made_by, stale.version)
            rows.setdefault(key, []).append((survey.ctx, stale))
    return [
        {
            "step": step,
            "made_by": made_by,
            "version": version,
            "because": "backend" if made_by != version else "inputs",
            "tenants": len({ctx.tenant_id for ctx, _ in found}),
            "assets": sorted({stale.subject[0] for _, stale in found}),
            "artifacts": sum(stale.artifacts for _, stale in found),
        }
        for (step, made_by, version), found in sorted(rows.items())
    ]


def _page(
    impact: list[dict[str, Any]], unknown: dict[str, str], ended: Ended, *, dry_run: bool
) -> Any:
    from rich.markup import escape

    from infra.command.desk import stderr

    for step, why in sorted(unknown.items()):
        stderr.print(f"[yellow]not looked at[/yellow] {step}: {why}")
    for state, count in sorted(ended.states.items()):
        stderr.print(f"runs {state}: {count}")
    for one in ended.failures:
        where = f"{escape(one['recording'])} {one['asset_id']} {one['step']}"
        stderr.print(f"[red]failed[/red] {where}: {escape(one['message'])}")
    if dry_run and impact:
        stderr.print("only listed; without --dry-run it is made again")
    if not impact:
        return "nothing is stale"
    columns = ("step", "made by", "now", "because of", "recordings", "artifacts")
    rows = [
        (
            row["step"],
            row["made_by"],
            row["version"],
            row["because"],
            str(len(row["assets"])),
            str(row["artifacts"]),
        )
        for row in impact
    ]
    return plain_table(columns, rows)
