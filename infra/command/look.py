"""The reading commands: ``assets``, ``artifacts``, ``runs``, ``show``, ``get``, ``explain``."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.pretty import Pretty
from rich.tree import Tree

from infra.command.desk import Desk, at_desk, table
from shared.contracts.asset import Asset
from shared.homes.objects.fetch import fetch_object
from shared.runs.records import run_state
from shared.runs.views import (
    artifact_object,
    lineage,
    list_artifacts,
    list_assets,
    list_runs,
    run_object,
    stored_file,
)
from shared.steps.preparing import load_asset
from shared.steps.step_records import load_records
from shared.steps.storing import load_artifact
from shared.steps.verifying import verify_artifact


@click.command()
@at_desk
def assets(desk: Desk) -> None:
    """List the recordings."""
    found = list(list_assets(desk.home.documents, desk.ctx))
    rows = [(a.asset_id, a.sources[0].name, _length(a), f"{a.bytes:,}") for a in found]
    content = {"assets": [asset.model_dump(mode="json") for asset in found]}
    desk.show(content, lambda: _filled(("asset", "recording", "length", "bytes"), rows))


@click.command()
@click.argument("asset_id")
@at_desk
def artifacts(desk: Desk, asset_id: str) -> None:
    """List what was made from the recording ASSET_ID."""
    load_asset(desk.home, desk.ctx, asset_id)
    found = list(list_artifacts(desk.home.documents, desk.ctx, asset_id))
    rows = [(a.artifact_id, a.kind, str(a.meta.get("name", "")), f"{a.bytes:,}") for a in found]
    content = {"artifacts": [artifact_object(artifact) for artifact in found]}
    desk.show(content, lambda: _filled(("artifact", "kind", "name", "bytes"), rows))


@click.command()
@click.option("--asset", "asset_id", help="Only of this recording.")
@at_desk
def runs(desk: Desk, asset_id: str | None) -> None:
    """List the runs, newest first."""
    found = [
        (run, run_state(list(load_records(desk.home.documents, desk.ctx, run.run_id).values())))
        for run in list_runs(desk.home.documents, desk.ctx, asset_id)
    ]
    content = {"runs": [{**run.model_dump(mode="json"), "state": state} for run, state in found]}
    rows = [(run.run_id, run.source, state, _when(run.created_at)) for run, state in found]
    desk.show(content, lambda: _filled(("run", "recording", "state", "begun"), rows))


@click.command()
@click.argument("identifier")
@at_desk
def show(desk: Desk, identifier: str) -> None:
    """Show all that is known of an asset, an artifact or a run, by its id."""
    content = _looked_up(desk, identifier)
    desk.show(content, lambda: Pretty(content, expand_all=True))


@click.command()
@click.argument("artifact_id")
@click.option("--out", type=click.Path(path_type=Path), help="File or folder. [its own name, here]")
@at_desk
def get(desk: Desk, artifact_id: str, out: Path | None) -> None:
    """Copy an artifact (or an asset's recording) into a file."""
    file = stored_file(desk.home, desk.ctx, artifact_id)
    to = (out or Path()) / file.name if out is None or out.is_dir() else out
    part = to.with_name(f".{to.name}.part")
    fetched = fetch_object(desk.home.objects, file.key, part, max_bytes=1 << 50)
    shutil.move(fetched.path, to)
    desk.show({"path": str(to), "bytes": fetched.bytes}, lambda: escape(str(to)))


@click.command()
@click.argument("artifact_id")
@at_desk
def explain(desk: Desk, artifact_id: str) -> None:
    """Show what an artifact was made from, with which params and versions, back to the recording."""
    content = lineage(desk.home, desk.ctx, artifact_id)
    desk.show(content, lambda: _tree(content))


@click.command()
@click.argument("artifact_id")
@at_desk
def verify(desk: Desk, artifact_id: str) -> None:
    """Compute an artifact once more and compare; exits with 1 if it differs more than promised."""
    found = verify_artifact(desk.home, desk.ctx, artifact_id)
    desk.show(found, lambda: _verdict(found))
    if not found["as_promised"]:
        raise SystemExit(1)


def _verdict(found: Mapping[str, Any]) -> str:
    if found["identical"]:
        return "[green]identical[/green]: the same bytes come out"
    told = ["[red]different[/red]: other bytes come out"]
    if found["as_promised"]:
        told = [f"[green]within its tolerance[/green] of {found['tolerance']:g}, made elsewhere"]
    if found["backend_version"] != found["stored_backend_version"]:
        told.append(f"made by {found['stored_backend_version']}, now {found['backend_version']}")
    if found["stored_processor"] not in (None, found["processor"]):
        told.append(
            "made on another kind of processor"
            f" ({found['stored_processor']}; here {found['processor']})"
        )
    if found["largest_deviation"] is not None:
        told.append(f"samples differ by {found['largest_deviation']:.3g} of full scale at most")
    return "; ".join(told)


def _looked_up(desk: Desk, identifier: str) -> dict[str, Any]:
    if identifier.startswith("ast_"):
        return load_asset(desk.home, desk.ctx, identifier).model_dump(mode="json")
    if identifier.startswith("run_"):
        return run_object(desk.home, desk.ctx, identifier)
    return artifact_object(load_artifact(desk.home.documents, desk.ctx, identifier))


def _tree(shown: Mapping[str, Any]) -> Tree:
    told = shown.get("cache_key") or shown.get("name") or ""
    root = Tree(f"[bold]{shown['kind']}[/bold] {shown['id']}  [dim]{escape(str(told))}[/dim]")
    for parent in shown["parents"]:
        root.add(_tree(parent))
    return root


def _filled(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Any:
    if not rows:
        return "nothing here yet"
    made = table(*columns)
    for row in rows:
        made.add_row(*(escape(cell) for cell in row))
    return made


def _length(asset: Asset) -> str:
    return f"{asset.media.duration_ms / 1000:.1f} s" if asset.media.duration_ms else "a picture"


def _when(unix_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_s))
