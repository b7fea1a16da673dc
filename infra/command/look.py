"""The reading commands: ``assets``, ``artifacts``, ``runs``, ``show``, ``explain``, ``verify``."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from infra.command.desk import Desk, Lines, at_desk, plain_table
from infra.command.names import looks_like_id, recording, recording_id
from shared.contracts.artifact import Artifact
from shared.contracts.asset import Asset
from shared.contracts.plurals import many
from shared.contracts.step import Run
from shared.errors import ValidationError
from shared.homes.documents.readable import readable
from shared.pipeline import PROBE, title_of
from shared.runs.part_views import explained_run, part_range, where_failed
from shared.runs.records import records_of, run_state
from shared.runs.views import (
    artifact_object,
    lineage,
    list_artifacts,
    list_assets,
    list_runs,
    newest_runs,
    run_object,
    runs_behind,
)
from shared.steps.preparing import asset_path, load_asset
from shared.steps.storing import load_artifact
from shared.steps.verifying import verify_artifact

if TYPE_CHECKING:
    from rich.tree import Tree


@click.command()
@at_desk
def assets(desk: Desk) -> None:
    """List the recordings."""
    found = list(list_assets(desk.home.documents, desk.ctx))
    rows = [(a.asset_id, a.sources[0].name, _length(a), f"{a.bytes:,}") for a in found]
    content = {"assets": [asset.model_dump(mode="json") for asset in found]}
    desk.show(content, lambda: _filled(("asset", "recording", "length", "bytes"), rows))


@click.command()
@click.argument("asset")
@at_desk
def artifacts(desk: Desk, asset: str) -> None:
    """List what was made from the recording ASSET (an id or a name), by kind and time."""
    asset_id = recording(desk, asset).asset_id
    found = sorted(list_artifacts(desk.home.documents, desk.ctx, asset_id), key=_by_kind_and_time)
    rows = [
        (a.artifact_id, a.kind, _at(a), str(a.meta.get("name", "")), f"{a.bytes:,}") for a in found
    ]
    content = {"artifacts": [artifact_object(artifact) for artifact in found]}
    desk.show(content, lambda: _filled(("artifact", "kind", "from", "name", "bytes"), rows))


def _by_kind_and_time(artifact: Artifact) -> tuple[str, float, str, str]:
    start_ms = artifact.meta.get("start_ms")
    at_ms = float(start_ms) if isinstance(start_ms, int | float) else -1.0
    return artifact.kind, at_ms, str(artifact.meta.get("name", "")), artifact.artifact_id


def _at(artifact: Artifact) -> str:
    start_ms = artifact.meta.get("start_ms")
    return f"{start_ms / 1000:.2f} s" if isinstance(start_ms, int | float) else ""


@click.command()
@click.option("--asset", help="Only of this recording (an id or a name).")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="So many."
)
@click.option("--after", metavar="RUN", help="Those behind this one, the last of a list before.")
@at_desk
def runs(desk: Desk, asset: str | None, limit: int, after: str | None) -> None:
    """List the runs, newest first."""
    documents = desk.home.documents
    if asset is None:
        listed = newest_runs(documents, desk.ctx, limit=limit, after=after)
    else:
        of_it = list_runs(documents, desk.ctx, recording(desk, asset).asset_id)
        listed = runs_behind(of_it, after)[:limit]
    records = records_of(documents, desk.ctx, listed)
    found = [(run, run_state(list(own.values()))) for run, own in zip(listed, records, strict=True)]
    paths = [asset_path(desk.ctx, run.asset_id) for run in listed if run.asset_id]
    names = {
        asset.asset_id: asset.sources[0].name
        for _, asset in readable(documents.get_all(paths).values(), Asset)
    }
    content = {"runs": [{**run.model_dump(mode="json"), "state": state} for run, state in found]}
    rows = [
        (
            run.run_id,
            names.get(run.asset_id or "", run.source),
            _what(run),
            state,
            _when(run.created_at),
        )
        for run, state in found
    ]
    desk.show(content, lambda: _filled(("run", "recording", "what", "state", "begun"), rows))


def _what(run: Run) -> str:
    """Which steps were asked for, where not simply a recording was taken in."""
    return "taken in" if PROBE in run.planned else ", ".join(run.planned)


@click.command()
@click.argument("identifier", metavar="ID")
@at_desk
def show(desk: Desk, identifier: str) -> None:
    """Show all that is known of a recording (an id or a name), an artifact or a run."""
    content = _looked_up(desk, recording_id(desk, identifier))
    desk.show(content, lambda: Lines("\n".join(_outline(content))))


def _outline(value: Any, indent: str = "") -> Iterator[str]:
    """Names and values, a line each, what is inside further in; what is not known is left out."""
    rows = value.items() if isinstance(value, Mapping) else enumerate(value, 1)
    for name, inner in rows:
        if isinstance(inner, Mapping) or _nested(inner):
            yield f"{indent}{name}:"
            yield from _outline(inner, f"{indent}  ")
        elif inner not in (None, (), []):
            told = ", ".join(map(str, inner)) if isinstance(inner, list | tuple) else inner
            yield f"{indent}{name}: {told}"


def _nested(value: Any) -> bool:
    """Is it a list of more than plain values?"""
    return isinstance(value, list | tuple) and any(
        isinstance(one, Mapping | list | tuple) for one in value
    )


@click.command()
@click.argument("identifier", metavar="ID")
@at_desk
def explain(desk: Desk, identifier: str) -> None:
    """Show what an artifact was made from, with which params and versions, back to the recording; of a run
    its steps, and the parts of those that were split.
    """
    if identifier.startswith("run_"):
        run = explained_run(desk.home, desk.ctx, identifier)
        desk.show(run, lambda: _run_tree(run), unbroken=True)
        return
    content = lineage(desk.home, desk.ctx, recording_id(desk, identifier))
    desk.show(content, lambda: _tree(content), unbroken=True)


@click.command()
@click.argument("artifact_id")
@at_desk
def verify(desk: Desk, artifact_id: str) -> None:
    """Compute an artifact once more and compare; exits with 1 if it differs more than promised."""
    if not looks_like_id(artifact_id):
        name = recording(desk, artifact_id).sources[0].name
        hint = f"is a recording: `rushes artifacts {shlex.quote(name)}` lists what was made from it"
        raise ValidationError(artifact_id, hint)
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
    from rich.markup import escape
    from rich.tree import Tree

    told = shown.get("cache_key") or shown.get("name") or ""
    root = Tree(f"[bold]{shown['kind']}[/bold] {shown['id']}  [dim]{escape(str(told))}[/dim]")
    for part in shown.get("parts", ()):
        root.add(f"[dim]part: {part['start_ms'] / 1000:g} to {part['end_ms'] / 1000:g} s[/dim]")
    for parent in shown["parents"]:
        root.add(_tree(parent))
    return root


def _run_tree(shown: Mapping[str, Any]) -> Tree:
    from rich.markup import escape
    from rich.tree import Tree

    root = Tree(f"[bold]{escape(shown['source'])}[/bold] {shown['run_id']}")
    for step in shown["steps"]:
        parts = (
            f", {many(len(step['parts']), 'part')}, {step['at_once']} at a time"
            if step["parts"]
            else ""
        )
        told = step["reason"]
        if step["error"]:
            told = f"{step['error']['message']}{where_failed(step['error'])}"
        branch = root.add(f"{title_of(step['step'])}  {step['state']}{parts}{_dimmed(told)}")
        for part in step["parts"]:
            branch.add(_part_line(part))
    return root


def _dimmed(told: str | None) -> str:
    from rich.markup import escape

    return f"  [dim]{escape(told)}[/dim]" if told else ""


def _part_line(part: Mapping[str, Any]) -> str:
    done = f" {part['progress']:.0%}" if part["state"] == "running" else ""
    tries = f", try {part['tries']}" if (part["tries"] or 0) > 1 else ""
    told = _dimmed(part["error"]["message"] if part["error"] else None)
    return f"{part['number']:>3}  {part_range(part)}  {part['state']}{done}{tries}{told}"


def _filled(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Any:
    if not rows:
        return Lines("nothing here yet")
    return plain_table(columns, rows)


def _length(asset: Asset) -> str:
    if asset.media.is_pattern:
        return "a pattern"
    return f"{asset.media.duration_ms / 1000:.1f} s" if asset.media.duration_ms else "a picture"


def _when(unix_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_s))
