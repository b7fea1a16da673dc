"""``rushes get``: one artifact, or a recording, as a file that is called after its recording."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click
from rich.markup import escape

from infra.command.desk import Desk, at_desk
from infra.command.names import recording_id
from shared.errors import Conflict, Unavailable
from shared.runs.downloads import stored_file
from shared.runs.gathering import opened


@click.command()
@click.argument("artifact_id", metavar="ID")
@click.option("--out", help="File, or folder (ending in /, it is made). [its own name, here]")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@at_desk
def get(desk: Desk, artifact_id: str, out: str | None, force: bool) -> None:
    """Copy an artifact, or a recording (an id or a name), into a file."""
    identifier = recording_id(desk, artifact_id)
    file = stored_file(desk.home, desk.ctx, identifier)
    to = _place(out, file.name)
    if not force and os.path.lexists(to):
        raise Conflict(f"{to} is there already; --force replaces it")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        _write(desk, file.key, to, force=force)
    except FileExistsError:
        raise Conflict(f"{to} is there already; --force replaces it") from None
    except OSError as error:
        raise Unavailable(f"the file {to}", (error.strerror or "I/O error").lower()) from error
    desk.show({"path": str(to), "bytes": file.bytes}, lambda: escape(str(to)))


def _place(out: str | None, name: str) -> Path:
    if out is None:
        return Path(name)
    path = Path(out)
    return path / name if path.is_dir() or out.endswith(("/", os.sep)) else path


def _write(desk: Desk, key: str, to: Path, *, force: bool) -> None:
    """Whole or not at all, with the mode that new files have here."""
    part = to.with_name(f".{os.getpid()}.{os.urandom(4).hex()}.part")
    try:
        with opened(desk.home, key) as source, part.open("xb") as target:
            shutil.copyfileobj(source, target)
        if force:
            part.replace(to)
        else:
            _move_to_new(part, to)
    finally:
        part.unlink(missing_ok=True)


def _move_to_new(part: Path, to: Path) -> None:
    """Raises ``FileExistsError`` rather than replace what somebody has put there meanwhile."""
    try:
        to.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # a disk without links: between the look and the move somebody may be quicker
        if to.exists():
            raise FileExistsError(to) from None
        part.replace(to)
