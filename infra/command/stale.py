"""``rushes reprocess --stale``: what older backends made, and making it again at low priority."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import nullcontext
from typing import Any

from infra.command.desk import Desk, stderr, table
from infra.command.wishes import known_step
from infra.local.worker import WorkerPool
from shared.contracts.context import RequestContext
from shared.contracts.step import Run
from shared.runs.records import run_state
from shared.runs.staleness import (
    BackFill,
    Stale,
    Survey,
    find_stale,
    planned_runs,
    stale_recordings,
)
from shared.steps.step_records import load_records

_POLL_S = 0.5


def reprocess_stale(
    desk: Desk, *, step: str | None, dry_run: bool, in_flight: int, all_tenants: bool
) -> None:
    """Show the impact list; unless ``dry_run`` make it all again, ``in_flight`` runs at a time."""
    steps = (known_step(step).name,) if step else None
    contexts = list(_contexts(desk)) if all_tenants else [desk.ctx]
    surveys = [find_stale(desk.home, ctx, steps) if dry_run else Survey(ctx) for ctx in contexts]
    states: Counter[str] = Counter()
    if not dry_run:
        local = desk.settings.home == "embedded"
        with WorkerPool(desk.settings, recordings=in_flight) if local else nullcontext() as pool:
            for survey in surveys:
                states += _back_fill(desk, survey, steps, in_flight, pool)
    impact = _impact(surveys)
    unknown = {name: why for survey in surveys for name, why in survey.unknown.items()}
    content = {"stale": impact, "unknown": unknown, "dry_run": dry_run, "runs": dict(states)}
    desk.show(content, lambda: _page(impact, unknown, states))
    if states["failed"]:
        raise SystemExit(1)


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
) -> Counter[str]:
    """Make it again, recording by recording as they are found; ``told`` says in the end what was stale."""

    def runs() -> Iterator[Run]:
        for found in stale_recordings(desk.home, told.ctx, steps):
            told.add(found)
            yield from planned_runs(desk.home, found)

    filling = BackFill(desk.home, told.ctx, runs())
    while not filling.over:
        filling.advance(in_flight)
        if pool is not None:
            pool.replace_dead()
        if not filling.over:
            time.sleep(_POLL_S)
    documents = desk.home.documents
    return Counter(
        run_state(list(load_records(documents, told.ctx, run.run_id).values()))
        for run in filling.done
    )


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


def _page(impact: list[dict[str, Any]], unknown: dict[str, str], states: Counter[str]) -> Any:
    for step, why in sorted(unknown.items()):
        stderr.print(f"[yellow]not looked at[/yellow] {step}: {why}")
    for state, count in sorted(states.items()):
        stderr.print(f"runs {state}: {count}")
    if not impact:
        return "nothing is stale"
    made = table("step", "made by", "now", "because of", "recordings", "artifacts")
    for row in impact:
        made.add_row(
            row["step"],
            row["made_by"],
            row["version"],
            row["because"],
            str(len(row["assets"])),
            str(row["artifacts"]),
        )
    return made
