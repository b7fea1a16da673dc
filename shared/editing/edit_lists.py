"""Edit lists: made of edits, and changed by people."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from shared.contracts.edit_list import (
    SILENCING,
    Edit,
    EditAction,
    EditList,
    EditReason,
    edit_id_of,
    ms_at,
)
from shared.contracts.visual import VisualMeta
from shared.editing.time_map import derived_keeps, new_samples, time_map


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


def new_edit(
    action: EditAction,
    reason: EditReason,
    stretch: tuple[float, float],
    confidence: float = 1.0,
    *,
    text: str | None = None,
    amount: float | None = None,
) -> Edit:
    """An edit with its id; ``amount`` is its ``to_ms`` or ``speed``.

    Raises pydantic's ``ValidationError`` for one that is not well made.
    """
    how: dict[str, Any] = {"text": text} if text is not None else {}
    if amount is not None:
        how["to_ms" if action == "shorten" else "speed"] = amount
    return Edit(
        edit_id=edit_id_of(action, reason, *stretch, *(() if amount is None else (amount,))),
        action=action,
        reason=reason,
        start_ms=stretch[0],
        end_ms=stretch[1],
        confidence=round(confidence, 3),
        **how,
    )


def removed_ms(edits: EditList) -> dict[str, float]:
    """Reason -> by how much its standing edits shorten the recording; what two take, the first has."""
    both = time_map(edits)
    taken: dict[str, float] = {}
    reached = 0.0
    for edit in edits.standing:
        low, high = max(edit.start_ms, reached), edit.end_ms
        if edit.action in SILENCING or low >= high:
            continue
        reached = high
        shorter = (high - low) - (both.to_new_ms(high) - both.to_new_ms(low))
        taken[edit.reason] = taken.get(edit.reason, 0.0) + shorter
    return {reason: round(ms, 3) for reason, ms in sorted(taken.items())}


def jump_cuts_ms(edits: EditList, shots: VisualMeta) -> list[float]:
    """Where, in the new time, a picture jumps: both sides of the join are of one shot."""
    begins = [shot.start_ms for shot in shots.shots]
    return [
        later.new_start_ms
        for earlier, later in pairwise(edits.keeps)
        if earlier.end_ms < later.start_ms
        and bisect_right(begins, earlier.end_ms) == bisect_right(begins, later.start_ms)
    ]
