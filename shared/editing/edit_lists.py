"""Edit lists: made of edits, and changed by people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.contracts.edit_list import Edit, EditList, ms_at
from shared.editing.time_map import derived_keeps, new_samples


def edit_list_of(
    edits: Iterable[Edit],
    samples: int,
    sample_rate_hz: int,
    *,
    version: int = 1,
    rules: Mapping[str, Any] | None = None,
    notices: Iterable[str] = (),
) -> EditList:
    """The list of ``edits`` of so many samples, with what they leave. Of two alike, one is taken."""
    alike = {edit.edit_id: edit for edit in edits}
    ordered = sorted(alike.values(), key=lambda one: (one.start_ms, one.end_ms, one.edit_id))
    keeps = derived_keeps(ordered, samples, sample_rate_hz)
    return EditList(
        version=version,
        duration_ms=ms_at(samples, sample_rate_hz),
        sample_rate_hz=sample_rate_hz,
        new_duration_ms=ms_at(new_samples(keeps, sample_rate_hz), sample_rate_hz),
        edits=tuple(ordered),
        keeps=keeps,
        rules=dict(rules or {}),
        notices=tuple(notices),
    )
