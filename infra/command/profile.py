"""Where a run's time went, as its steps' records keep it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from infra.command.desk import Desk
from shared.spent import SPANS
from shared.steps.step_records import load_records
from shared.steps.storing import artifact_path

Spent = Mapping[str, Mapping[str, float]]
MADE = "made_mib"
_MIB = 1 << 20


def profile_of(desk: Desk, run_id: str) -> Spent:
    """Step -> span -> seconds, of those steps whose record says so; and what each made, in MiB."""
    records = load_records(desk.home.documents, desk.ctx, run_id)
    names = [name for record in records.values() for name in record.artifact_ids]
    paths = [artifact_path(desk.ctx, name) for name in names]
    sizes = {one.id: one.data["bytes"] for one in desk.home.documents.get_all(paths).values()}
    made = {
        step: sum(sizes.get(name, 0) for name in record.artifact_ids) / _MIB
        for step, record in records.items()
    }
    return {
        step: {**record.spent_s, MADE: round(made[step], 3)}
        for step, record in records.items()
        if record.spent_s
    }


def profile_lines(spent: Spent) -> Iterator[str]:
    """A row a step, and what all took together; side by side they may overlap."""
    columns = (*SPANS, MADE)
    yield "\n  [dim]" + f"{'seconds':<24}" + "".join(f"{name:>9}" for name in columns) + "[/dim]"
    total = {name: sum(row.get(name, 0.0) for row in spent.values()) for name in columns}
    for step, row in [*spent.items(), ("all", total)]:
        cells = (f"{row[name]:9.3f}" if name in row else f"{'':9}" for name in columns)
        yield f"  {step:<24}" + "".join(cells)
