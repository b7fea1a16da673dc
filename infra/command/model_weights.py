"""``rushes models``: the weights, listed, installed and verified."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from infra.command.desk import Desk, at_desk, plain_table, stderr
from infra.command.fetching import damaged_files, install
from shared.errors import ValidationError
from shared.weights import WEIGHTS, Weights, installed_state


@click.group()
def models() -> None:
    """List, install and verify the models' weights."""


@models.command("list")
@at_desk
def list_command(desk: Desk) -> None:
    """List the weights that can be installed, and those that are."""
    folder = desk.settings.models
    rows = [_described(row, folder) for row in WEIGHTS.values()]
    own = _own(folder)
    content = {"folder": str(folder.absolute()), "models": rows, "own": own}
    desk.show(content, lambda: _listed(rows, own))


@models.command("install")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@at_desk
def install_command(desk: Desk, names: tuple[str, ...]) -> None:
    """Install the weights NAME... in the models folder (RUSHES_MODELS), unless they are there."""
    folder = desk.settings.models
    made = []
    for row in _rows(names):
        new = _installed(row, folder, show=stderr.is_terminal and not desk.as_json)
        made.append({"name": row.name, "path": str((folder / row.name).absolute()), "new": new})
    lines = [
        f"{one['name']}: {'installed' if one['new'] else 'there'}, {one['path']}" for one in made
    ]
    desk.show({"models": made}, lambda: "\n".join(lines))


@models.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@at_desk
def verify_command(desk: Desk, names: tuple[str, ...]) -> None:
    """Check every byte of the installed weights, or of NAME...; exit code 1 if one differs."""
    folder = desk.settings.models
    rows = _rows(names) or [
        row for row in WEIGHTS.values() if installed_state(row, folder) != "absent"
    ]
    found = [{"name": row.name, "damaged": damaged_files(row, folder)} for row in rows]
    desk.show({"models": found}, lambda: "\n".join(map(_verdict, found)) or "nothing is installed")
    if any(one["damaged"] for one in found):
        raise SystemExit(1)


def _rows(names: Sequence[str]) -> list[Weights]:
    for name in names:
        if name not in WEIGHTS:
            raise ValidationError("name", f"{name!r} is none of {', '.join(WEIGHTS)}")
    return [WEIGHTS[name] for name in dict.fromkeys(names)]


def _installed(row: Weights, folder: Path, *, show: bool) -> bool:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not show) as bar:
        task = bar.add_task(row.name, total=row.bytes)
        return install(row, folder, lambda more: bar.advance(task, more))


def _described(row: Weights, folder: Path) -> dict[str, Any]:
    return {
        "name": row.name,
        "family": row.family,
        "state": installed_state(row, folder),
        "bytes": row.bytes,
        "licence": row.licence,
        "hub": row.hub,
        "revision": row.revision,
        "packages": list(row.packages),
        "files": [
            {"name": file.name, "bytes": file.bytes, "sha256": file.sha256, "url": file.url}
            for file in row.files
        ],
    }


def _own(folder: Path) -> list[str]:
    """Folders of no name in the table: models of one's own."""
    if not folder.is_dir():
        return []
    found = (path.name for path in folder.iterdir() if path.is_dir())
    return sorted(name for name in found if name not in WEIGHTS and not name.startswith("."))


def _listed(rows: Sequence[dict[str, Any]], own: Sequence[str]) -> Any:
    told = []
    for row in rows:
        size = f"{row['bytes'] / 1e6:.0f}" if row["bytes"] else ""
        known = {
            "hub": row["hub"],
            "packages": row["packages"],
            "publisher": any(file["url"] for file in row["files"]),
        }
        sources = ", ".join(name for name, there in known.items() if there)
        told.append((row["name"], row["family"], row["state"], size, sources, row["licence"]))
    told += [(name, "", "your own", "", "", "") for name in own]
    return plain_table(("model", "for", "state", "MB", "from", "licence"), told)


def _verdict(found: dict[str, Any]) -> str:
    return f"{found['name']}: " + (
        f"missing or damaged: {', '.join(found['damaged'])}" if found["damaged"] else "whole"
    )
