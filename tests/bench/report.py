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
KEPT = Path(__file__).with_name("kept")
"""What was last committed, to compare with: `python -m tests.bench keep` puts the newest there."""


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
    """Print the table beside the ratios last kept, and write ``build/bench/<title>.json``."""
    before = _kept(title)
    table = Table(title=title, box=None, header_style="bold", title_justify="left")
    for column in ("", ours, bare, "ratio", "kept", "aim"):
        table.add_column(column, justify="left" if column in ("", "aim") else "right")
    for row in rows:
        values = (f"{value:.3g} {row.unit}" for value in (row.ours, row.bare))
        kept = f"{before[row.what]:.2f}" if row.what in before else "new"
        table.add_row(row.what, *values, f"{row.ratio:.2f}", kept, row.aim)
    Console(width=120).print(table)
    OUT.mkdir(parents=True, exist_ok=True)
    content = [{**asdict(row), "ratio": round(row.ratio, 4)} for row in rows]
    (OUT / f"{title}.json").write_text(json.dumps(content, indent=2) + "\n")


def _kept(title: str) -> dict[str, float]:
    """Row -> its ratio as last committed."""
    path = KEPT / f"{title}.json"
    if not path.exists():
        return {}
    return {row["what"]: row["ratio"] for row in json.loads(path.read_text())}


def keep() -> None:
    """Put what was measured last in the place of what is committed."""
    KEPT.mkdir(exist_ok=True)
    for path in sorted(OUT.glob("*.json")):
        (KEPT / path.name).write_text(path.read_text())


def median_s(work: Callable[[], object], *, times: int = 5) -> float:
    """The median of the wall times of ``work()``, in seconds."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)
