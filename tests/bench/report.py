"""What benches tell: rows of ours beside the bare tool's, the table of all, and its part of the docs."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build" / "bench"
TABLE = OUT / "table.json"
"""What was measured last: bench -> its rows, how long it took, and how busy the machine was before it."""
KEPT = Path(__file__).with_name("kept") / "table.json"
"""What was last committed, to compare with: `python -m tests.bench keep` puts the newest there."""
DOCS = ROOT / "docs" / "quality" / "cost.md"
BEGIN, END = "<!-- bench, written by `python -m tests.bench keep` -->", "<!-- end of bench -->"

_COMPARED: Mapping[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge}
Measured = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Row:
    """One measurement of ours beside the bare tool's, taken in the same run."""

    what: str
    ours: float | None
    """``None``: it could not be measured; ``why`` says the reason."""
    bare: float | None
    """``None``: there is nothing to hold it against."""
    unit: str
    goal: str = ""
    """``ratio <= 1.05``, ``ours <= 0.25``, or nothing."""
    why: str = ""
    """What keeps it from its goal, where it misses it."""

    @property
    def ratio(self) -> float | None:
        """Ours over bare."""
        return self.ours / self.bare if self.ours is not None and self.bare else None

    @property
    def met(self) -> bool | None:
        """Is the goal met? ``None`` without one, or without a number."""
        if not self.goal:
            return None
        what, sign, number = self.goal.split()
        value = {"ratio": self.ratio, "ours": self.ours}[what]
        return None if value is None else _COMPARED[sign](value, float(number))

    def content(self) -> dict[str, Any]:
        """As the JSON has it."""
        ratio = None if self.ratio is None else round(self.ratio, 4)
        return {**asdict(self), "ratio": ratio, "met": self.met}


def rows_of(measured: Measured) -> Iterator[tuple[str, Row]]:
    """Bench and row, in order."""
    names = Row.__dataclass_fields__
    for bench, taken in measured.items():
        for row in taken["rows"]:
            yield bench, Row(**{name: value for name, value in row.items() if name in names})


def loaded(path: Path) -> dict[str, Any]:
    """A table as it was written; nothing where there is none."""
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return content


def show(measured: Measured) -> None:
    """Print the table beside the ratios last kept."""
    before = {(bench, row.what): row for bench, row in rows_of(loaded(KEPT))}
    table = Table(box=None, header_style="bold")
    for column in ("work", "ours", "bare", "ratio", "kept", "goal", "met"):
        table.add_column(column, justify="left" if column in ("work", "goal") else "right")
    for bench, row in rows_of(measured):
        kept = before.get((bench, row.what))
        cells = _cells(row)
        table.add_row(*cells[:4], _number(kept.ratio) if kept else "new", *cells[4:6])
        if row.ours is None:
            table.add_row(f"  [red]{escape(row.why)}[/red]")
    Console(width=150).print(table)


def markdown(measured: Measured) -> str:
    """The table as the docs have it, under when and where it was measured."""
    seconds = sum(taken["seconds"] for taken in measured.values())
    busiest = max(taken["load"] for taken in measured.values())
    cores = max(taken["cores"] for taken in measured.values())
    lines = [
        f"Measured in {seconds / 60:.0f} minutes on {cores} cores; the load before a bench began was"
        f" {busiest:.1f} at most.",
        "",
        "| work | ours | bare | ratio | goal | met | what it lacks |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for _, row in rows_of(measured):
        cells = (cell.replace("|", "/").strip() for cell in _cells(row))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def quoted(text: str, measured: Measured) -> str:
    """The docs' text with the table in its marked place."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{markdown(measured)}\n{END}{tail}"


def keep() -> None:
    """Put what was measured last in the place of what is committed, and into the docs."""
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(TABLE.read_text())
    DOCS.write_text(quoted(DOCS.read_text(), loaded(KEPT)))


def _cells(row: Row) -> list[str]:
    met = {True: "yes", False: "no", None: ""}[row.met]
    values = (
        "" if value is None else f"{_number(value)} {row.unit}" for value in (row.ours, row.bare)
    )
    why = row.why if row.met is False or row.ours is None else ""
    return [row.what, *values, _number(row.ratio), row.goal, met, why]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
