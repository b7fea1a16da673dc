"""How measurements are shown: a table of ratios against the bare tool, and a JSON file."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

OUT = Path(__file__).parents[2] / "build" / "bench"


@dataclass(frozen=True)
class Row:
    """One measurement of ours beside the bare tool's, taken in the same run."""

    what: str
    ours: float
    bare: float
    unit: str
    aim: str = ""
    """What the ratio should be, in words."""

    @property
    def ratio(self) -> float:
        """Ours over bare."""
        return self.ours / self.bare


def show(title: str, rows: Sequence[Row], *, ours: str = "rushes", bare: str = "bare") -> None:
    """Print the table and write ``build/bench/<title>.json``."""
    table = Table(title=title, box=None, header_style="bold", title_justify="left")
    for column in ("", ours, bare, "ratio", "aim"):
        table.add_column(column, justify="left" if column in ("", "aim") else "right")
    for row in rows:
        values = (f"{value:.3g} {row.unit}" for value in (row.ours, row.bare))
        table.add_row(row.what, *values, f"{row.ratio:.2f}", row.aim)
    Console(width=120).print(table)
    OUT.mkdir(parents=True, exist_ok=True)
    content = [{**asdict(row), "ratio": round(row.ratio, 4)} for row in rows]
    (OUT / f"{title}.json").write_text(json.dumps(content, indent=2) + "\n")


def median_s(work: Callable[[], object], *, times: int = 5) -> float:
    """The median of the wall times of ``work()``, in seconds."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)
