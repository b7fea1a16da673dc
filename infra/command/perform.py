"""``rushes perform``: play a pattern or MIDI file on this machine and print its loudness by beat."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import click
from rich.markup import escape

from infra.command.desk import Desk, at_desk
from shared.errors import NotFound
from shared.homes.objects.fetch import fetch_object
from shared.steps.storing import load_artifact


@click.command()
@click.argument("pattern", type=click.Path(path_type=Path))
@click.option("--tempo", type=float, help="BPM at the start. [the pattern's own]")
@click.option("--duration", type=float, help="Cut or repeat to so many beats. [the pattern's own]")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for master, stems and picture."
)
@at_desk
def perform(
    desk: Desk, pattern: Path, tempo: float | None, duration: float | None, out: Path | None
) -> None:
    """Perform PATTERN (JSON or MIDI) and print the beat-by-beat loudness table."""
    from functions.perform.loudness_table import format_performance
    from functions.perform.pattern import perform_file, referenced_artifacts

    if not pattern.is_file():
        raise NotFound("file", str(pattern))
    with tempfile.TemporaryDirectory(prefix="rushes-") as folder:
        clips = {name: _fetched(desk, name, Path(folder)) for name in referenced_artifacts(pattern)}
        rendering = perform_file(pattern, tempo, duration, out, clips)
    content = {
        "tempo_bpm": rendering.tempo_bpm,
        "integrated_lufs": rendering.integrated_lufs,
        "peak_dbfs": rendering.peak_dbfs,
        "rows": rendering.loudness_rows,
        "automation_events": rendering.automation_events,
        "automation_log": rendering.automation_log,
        "files": {name: str(path) for name, path in rendering.files.items()},
    }
    desk.show(content, lambda: _lines(format_performance(rendering), rendering.files))


def _fetched(desk: Desk, artifact_id: str, folder: Path) -> Path:
    artifact = load_artifact(desk.home.documents, desk.ctx, artifact_id)
    to = folder / Path(artifact.key).name
    return fetch_object(desk.home.objects, artifact.key, to, max_bytes=artifact.bytes).path


def _lines(table: str, files: Mapping[str, Path]) -> str:
    return escape("\n".join([table, *(f"{name}: {path}" for name, path in files.items())]))
