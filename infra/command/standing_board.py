"""How far the steps of several runs are, on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from infra.command.desk import table
from shared.contracts.plurals import many
from shared.contracts.step import Run, StepRecord, StepState
from shared.pipeline import title_of
from shared.runs.records import finished

if TYPE_CHECKING:  # nowhere above: structlog, loaded after rich, takes all of it along
    from rich.table import Table

STYLE = {
    StepState.QUEUED: "dim",
    StepState.RUNNING: "cyan",
    StepState.DONE: "green",
    StepState.CACHED: "green",
    StepState.SKIPPED: "dim",
    StepState.DEGRADED: "yellow",
    StepState.FAILED: "red",
}
_AROUND = 3
"""Lines of a terminal that are not the rows': the columns' names, the sum, the cursor's."""


def standing_board(
    runs: Iterable[tuple[Run, Mapping[str, StepRecord]]], lines: int, recordings: int
) -> Table:
    """A row a step. Where they are more than the terminal has ``lines``: what runs first, then what waits,
    and how many of all ``recordings`` are done, of which some may not have been looked at yet.
    """
    looked = list(runs)
    rows = [
        (run, name, records.get(name, StepRecord(step=name)))
        for run, records in looked
        for name in run.planned
    ]
    room = max(1, lines - _AROUND)
    shown = table("recording", "step", "state", "")
    if len(rows) <= room:
        for row in rows:
            _add(shown, *row)
        return shown
    ahead = [row for row in rows if not row[2].state.settled]
    ahead.sort(
        key=lambda row: row[2].state is not StepState.RUNNING
    )  # stable: the rest keeps its order
    for row in ahead[:room]:
        _add(shown, *row)
    done = sum(finished(run, records) for run, records in looked)
    more = f"and {many(len(ahead) - room, 'step')} more" if len(ahead) > room else ""
    shown.add_row(f"[bold]{done} of {many(recordings, 'recording')} done[/bold]", "", more, "")
    return shown


def _add(shown: Table, run: Run, name: str, record: StepRecord) -> None:
    from rich.markup import escape
    from rich.progress_bar import ProgressBar

    bar = ProgressBar(total=1.0, completed=record.progress, width=24)
    running = record.state is StepState.RUNNING
    style = STYLE[record.state]
    of_parts = f", {record.parts_done} of {record.parts} parts" if record.parts else ""
    state = f"[{style}]{record.state.value}{of_parts if running else ''}"
    shown.add_row(escape(run.source), title_of(name), state, bar if running else "")
