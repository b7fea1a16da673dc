"""Where a run's time went, as its steps' records keep it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from infra.command.desk import Desk
from shared.steps.step_records import load_records
from shared.watch.spent import SPANS

Spent = Mapping[str, Mapping[str, float]]


def profile_of(desk: Desk, run_id: str) -> Spent:
    """Step -> span -> seconds, of those steps whose record says so."""
    records = load_records(desk.home.documents, desk.ctx, run_id)
    return {name: record.spent_s for name, record in records.items() if record.spent_s}


def profile_lines(spent: Spent) -> Iterator[str]:
    """A row a step, and what all took together; side by side they may overlap."""
    yield "\n  [dim]" + f"{'seconds':<24}" + "".join(f"{span:>9}" for span in SPANS) + "[/dim]"
    total = {span: sum(row.get(span, 0.0) for row in spent.values()) for span in SPANS}
    for name, row in [*spent.items(), ("all", total)]:
        cells = (f"{row[span]:9.3f}" if span in row else f"{'':9}" for span in SPANS)
        yield f"  {name:<24}" + "".join(cells)
