"""``rushes export``: a recording's results as a folder with names that people know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from infra.command.desk import Desk, at_desk
from infra.command.names import recording
from infra.command.results_on_disk import Left, leave
from shared.runs.gathering import gather


@click.command()
@click.argument("asset")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@at_desk
def export(desk: Desk, asset: str, folder: Path) -> None:
    """Leave the results of the recording ASSET (an id or a name) as a folder in DIR."""
    found = recording(desk, asset)
    named = None if asset == found.asset_id else _name(found.sources, asset)
    left = leave(desk.home, gather(desk.home, desk.ctx, found.asset_id, named), folder)
    content = {"asset_id": found.asset_id, "folder": str(left.folder), "kept": list(left.kept)}
    desk.show(content, lambda: "\n".join(folder_lines(left)))


def folder_lines(left: Left) -> list[str]:
    """Where it lies, and what was not touched, as lines for people; paths are never broken."""
    from rich.markup import escape

    return [f"[bold]{escape(str(left.folder))}/[/bold]", *kept_lines(left)]


def kept_lines(left: Left) -> list[str]:
    """What was not touched, as a line for people, if anything."""
    from rich.markup import escape

    if not left.kept:
        return []
    what = ", ".join(left.kept[:3]) + (", ..." if len(left.kept) > 3 else "")
    return [f"  [yellow]kept[/yellow]  yours, or changed by you: {escape(what)}"]


def _name(sources: Any, asked: str) -> str:
    """The source's name that was asked for; several uploads of the same bytes may differ in it."""
    wanted = Path(asked).name.casefold()
    for source in sources:
        if wanted in (source.name.casefold(), Path(source.name).stem.casefold()):
            return str(source.name)
    return str(sources[0].name)
