"""``rushes perform``: play a pattern or MIDI file on this machine and print its loudness by beat."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click
from rich.markup import escape

from infra.command.desk import Desk, at_desk
from shared.errors import Conflict, NotFound
from shared.homes.objects.fetch import fetch_object
from shared.runs.results_folder import stem_of
from shared.steps.storing import load_artifact


@click.command()
@click.argument("pattern", type=click.Path(path_type=Path))
@click.option("--tempo", type=float, help="BPM at the start. [the pattern's own]")
@click.option("--duration", type=float, help="Cut or repeat to so many beats. [the pattern's own]")
@click.option("--tail/--no-tail", default=True, help="Let delay and reverb die away. [on]")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for master, stems, tables and picture."
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
    from functions.perform.pattern import PatternParams, perform_file, referenced_artifacts

    if not pattern.is_file():
        raise NotFound("file", str(pattern))
    with tempfile.TemporaryDirectory(prefix="rushes-") as folder:
        clips = {name: _fetched(desk, name, Path(folder)) for name in referenced_artifacts(pattern)}
        made = Path(folder) / "performance"
        params = PatternParams(tempo_bpm=tempo, duration_beats=duration, tail=tail)
        rendering = perform_file(pattern, params, made if out else None, clips)
        files = _laid_out(rendering.files, made, stem_of(pattern.name), out) if out else {}
    content = {
        "tempo_bpm": rendering.tempo_bpm,
        "integrated_lufs": rendering.integrated_lufs,
        "peak_dbfs": rendering.peak_dbfs,
        "rows": rendering.loudness_rows,
        "automation_events": rendering.automation_events,
        "automation_log": rendering.automation_log,
        "files": {name: str(path) for name, path in files.items()},
    }
    desk.show(content, lambda: _lines(format_performance(rendering), files))


_PAPERS = {
    "loudness.json": "data/loudness.json",
    "automation.json": "data/automation.json",
    "pattern.png": "pictures/pattern.png",
}
"""As the results folder of an uploaded pattern calls them."""


def _laid_out(sounds: Mapping[str, Path], made: Path, stem: str, out: Path) -> dict[str, Path]:
    """Move everything where a results folder has it. Raises ``Conflict``: nothing is overwritten."""
    places = {
        path: out / (f"{stem} performance.wav" if name == "master" else f"stems/{stem} {path.name}")
        for name, path in sounds.items()
    }
    places |= {made / name: out / place for name, place in _PAPERS.items()}
    for place in places.values():
        if place.exists():
            raise Conflict(f"{place} is there already; name another folder")
    for path, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    return {name: places[path] for name, path in sounds.items()}


def _fetched(desk: Desk, artifact_id: str, folder: Path) -> Path:
    artifact = load_artifact(desk.home.documents, desk.ctx, artifact_id)
    to = folder / Path(artifact.key).name
    return fetch_object(desk.home.objects, artifact.key, to, max_bytes=artifact.bytes).path


def _lines(table: str, files: Mapping[str, Path]) -> str:
    return escape("\n".join([table, *(f"{name}: {path}" for name, path in files.items())]))
