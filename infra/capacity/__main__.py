"""Print what a day takes and costs, or what a burst waits for.

python -m infra.capacity day --audio-hours 100 --video-hours 50
python -m infra.capacity burst --uploads 100000 --picture burst.png
python -m infra.capacity hour
"""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from infra.capacity.calculator import Estimate, Load, estimate
from infra.capacity.chart import draw
from infra.capacity.long_recordings import ROWS, anonymised, waited_beside
from infra.capacity.simulation import Burst, Outcome, simulate
from infra.capacity.tables import (
    function_of,
    measured,
    prices,
    rates,
    size_of,
    unmeasured,
    upload_steps,
)

CONSOLE = Console(width=100, highlight=False)


@click.group()
def capacity() -> None:
    """Capacity and cost, from measured rates (rates.json) and list prices (prices.json)."""


@capacity.command()
@click.option("--audio-hours", type=float, default=100.0, show_default=True)
@click.option("--video-hours", type=float, default=0.0, show_default=True)
@click.option(
    "--recording-s", type=float, default=180.0, show_default=True, help="One recording's length."
)
@click.option(
    "--kept-days", type=float, default=365.0, show_default=True, help="How long results are kept."
)
def day(audio_hours: float, video_hours: float, recording_s: float, kept_days: float) -> None:
    """Instances, GPU seconds, storage, operations and cost of a day's recordings."""
    show_day(estimate(Load(audio_hours, video_hours, recording_s, kept_days)))
    CONSOLE.print(caveats())


@capacity.command()
@click.option("--uploads", type=int, default=100_000, show_default=True)
@click.option(
    "--over-s", type=float, default=600.0, show_default=True, help="They land within this time."
)
@click.option("--video-share", type=float, default=0.3, show_default=True)
@click.option(
    "--recording-s", type=float, default=180.0, show_default=True, help="The median length."
)
@click.option("--tenants", type=int, default=1000, show_default=True)
@click.option("--picture", type=click.Path(path_type=Path), help="Where to draw it.")
def burst(
    uploads: int,
    over_s: float,
    video_share: float,
    recording_s: float,
    tenants: int,
    picture: Path | None,
) -> None:
    """Backlog, instances and latency of many uploads at once, under the configured limits."""
    asked = Burst(uploads, over_s, video_share, recording_s, tenants)
    outcome = simulate(asked, parts_at_once=ROWS)
    show_burst(outcome)
    if picture:
        draw(asked, outcome, picture)
    CONSOLE.print(caveats())


@capacity.command()
def hour() -> None:
    """An hour of 1080p anonymised on few and many instances; what another's minute waits beside ten hours."""
    table = _table("instances", "wall", "of them busy h", "messages", "$")
    for instances in (1, 8, 32, 128):
        found = anonymised(instances)
        wall = f"{found.wall_s / 60:,.1f} min"
        busy = f"{found.busy_s / 3600:,.2f}"
        table.add_row(f"{instances}", wall, busy, f"{found.messages:,}", f"{found.dollars:,.3f}")
    CONSOLE.print(table)
    table = _table("a minute waits for", "of instances", f"{ROWS} parts at once", "all at once")
    for step in ("detect.regions", "anonymise.faces"):
        for instances in (5, size_of(function_of(step)).max_instances):
            waits = [waited_beside(step, instances, rows=rows) for rows in (ROWS, None)]
            table.add_row(step, f"{instances}", *(f"{waited_s:,.0f} s" for waited_s in waits))
    CONSOLE.print(table)
    CONSOLE.print(caveats())


def show_day(found: Estimate) -> None:
    """Print an estimate."""
    table = _table("function", "messages", "busy h", "mean", "peak", "limit", "GPU s", "$")
    for name, use in sorted(found.functions.items()):
        busy = (f"{use.messages:,.0f}", f"{use.busy_s / 3600:,.1f}", f"{use.instances_mean:,.1f}")
        limits = (f"{use.instances_peak:,}", f"{use.limit:,}", f"{use.gpu_s:,.0f}")
        table.add_row(_flagged(name), *busy, *limits, f"{use.dollars:,.2f}")
    CONSOLE.print(table)
    table = _table("a day", "")
    for name, count in found.operations.items():
        table.add_row(name.replace("_", " "), f"{count:,.0f}")
    table.add_row("GB stored in the steady state", f"{found.stored_gb:,.0f}")
    CONSOLE.print(table)
    table = _table("cost a day", "$")
    for name, dollars in found.dollars.items():
        table.add_row(name, f"{dollars:,.2f}")
    table.add_row("an hour of media", f"{found.dollars_per_media_hour:,.3f}")
    CONSOLE.print(table)


def show_burst(outcome: Outcome) -> None:
    """Print an outcome."""
    table = _table(
        "function", "messages", "most waiting", "most at work", "limit", "drained after h"
    )
    for name, backlog in outcome.backlog.items():
        most = (f"{max(backlog):,}", f"{max(outcome.instances[name]):,}")
        limit = f"{size_of(name).max_instances:,}"
        drained = f"{outcome.drained_s(name) / 3600:.2f}"
        table.add_row(_flagged(name), f"{outcome.served[name]:,}", *most, limit, drained)
    CONSOLE.print(table)
    table = _table("landing to last step", "hours")
    for share in (0.5, 0.95, 0.99, 1.0):
        table.add_row(f"p{100 * share:.0f}", f"{outcome.percentile_s(share) / 3600:.2f}")
    CONSOLE.print(table)


def caveats() -> str:
    """What the figures stand on."""
    when = rates()["measured"]["when"]
    unseen = [step for step in upload_steps(True) if not measured(step)]
    missing = f" * Not measured, but put in by the pipeline table: {', '.join(unseen)}."
    return (
        f"Rates measured {when} (rates.json says how) and assumptions; prices of {prices()['as_of']}:"
        f" check them before use.{missing if unseen else ''}"
    )


def _flagged(function: str) -> str:
    """Its name, with a star where one of its steps was not measured."""
    return f"{function} *" if unmeasured(function) else function


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, header_style="bold", title_justify="left")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


if __name__ == "__main__":
    capacity()
