"""``rushes perform``: play a pattern or MIDI file on this machine and print its loudness by beat."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import ValidationError as PydanticError
from rich.markup import escape

from infra.command.delivered import check_writable
from infra.command.desk import Desk, at_desk
from infra.command.performance_folder import Performed, leave_performance
from shared.contracts.model import refusal_of
from shared.errors import NotFound
from shared.homes.objects.fetch import fetch_object
from shared.steps.storing import load_artifact

if TYPE_CHECKING:
    from functions.perform.pattern import PatternParams


@click.command()
@click.argument("pattern", type=click.Path(path_type=Path))
@click.option("--tempo", type=float, help="BPM at the start. [the pattern's own]")
@click.option("--duration", type=float, help="Cut or repeat to so many beats. [the pattern's own]")
@click.option("--tail/--no-tail", default=True, help="Let delay and reverb die away. [on]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to leave NAME.rushes/ with master, stems, tables and picture.",
)
@at_desk
def perform(
    desk: Desk,
    pattern: Path,
    tempo: float | None,
    duration: float | None,
    tail: bool,
    out: Path | None,
) -> None:
    """Perform PATTERN (JSON or MIDI) and print the beat-by-beat loudness table."""
    from functions.perform.loudness_table import format_performance
    from functions.perform.pattern import perform_file, referenced_artifacts

    if not pattern.is_file():
        raise NotFound("file", str(pattern))
    params = _params(tempo, duration, tail)
    if out is not None:
        check_writable(out)
    with tempfile.TemporaryDirectory(prefix="rushes-") as work:
        clips = {name: _fetched(desk, name, Path(work)) for name in referenced_artifacts(pattern)}
        made = Path(work) / "performance"
        rendering = perform_file(pattern, params, made if out else None, clips)
        left = leave_performance(desk.ctx, pattern, rendering, made, out) if out else None
    content = {
        "tempo_bpm": rendering.tempo_bpm,
        "integrated_lufs": rendering.integrated_lufs,
        "peak_dbfs": rendering.peak_dbfs,
        "rows": rendering.loudness_rows,
        "automation_events": rendering.automation_events,
        "automation_log": rendering.automation_log,
        "folder": str(left.folder) if left else None,
        "files": {name: str(path) for name, path in left.files.items()} if left else {},
    }
    desk.show(content, lambda: _lines(format_performance(rendering), left))
    if left is None and not desk.as_json:
        click.echo(
            "no file is kept of it: --out DIR leaves the sound, stems and a picture", err=True
        )


def _params(tempo: float | None, duration: float | None, tail: bool) -> PatternParams:
    from functions.perform.pattern import PatternParams

    try:
        return PatternParams(tempo_bpm=tempo, duration_beats=duration, tail=tail)
    except PydanticError as error:  # what the option's type lets through: nan, inf
        raise refusal_of(error, "params") from None


def _fetched(desk: Desk, artifact_id: str, folder: Path) -> Path:
    artifact = load_artifact(desk.home.documents, desk.ctx, artifact_id)
    to = folder / Path(artifact.key).name
    return fetch_object(desk.home.objects, artifact.key, to, max_bytes=artifact.bytes).path


def _lines(table: str, left: Performed | None) -> str:
    where = [f"results  [bold]{escape(str(left.folder))}/[/bold]"] if left else []
    return "\n".join([escape(table), *where])
