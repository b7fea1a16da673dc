"""Edit lists: made of edits, and changed by people."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from pydantic import ConfigDict, Field
from pydantic import ValidationError as PydanticError

from shared.contracts.edit_list import (
    FASTEST,
    SILENCING,
    Edit,
    EditAction,
    EditList,
    EditReason,
    edit_id_of,
    ms_at,
    sample_at,
)
from shared.contracts.ids import Name
from shared.contracts.model import Model
from shared.contracts.visual import VisualMeta
from shared.editing.time_map import derived_keeps, new_samples, time_map
from shared.errors import NotFound, ValidationError


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


def list_meta(edits: EditList) -> dict[str, Any]:
    """What its artifact tells of it."""
    reasons = Counter(edit.reason for edit in edits.standing)
    return {
        "version": edits.version,
        "rules": dict(edits.rules),
        "duration_ms": edits.duration_ms,
        "new_duration_ms": edits.new_duration_ms,
        "edits": dict(sorted(reasons.items())),
        "removed_ms": removed_ms(edits),
        "proposals": len(edits.edits) - len(edits.standing),
    }


class NewEdit(Model):
    """An edit that a person makes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    action: EditAction = "cut"
    reason: EditReason = "range"
    start_ms: float = Field(ge=0, description="Moved to the nearest sample.")
    end_ms: float = Field(description="Likewise.")
    to_ms: float | None = Field(None, ge=0, description="Of `shorten`: what is left.")
    speed: float | None = Field(None, gt=1, le=FASTEST, description="Of `speed_up`.")
    text: str | None = Field(None, max_length=2000, description="What is said there.")


class ListChange(Model):
    """How an edit list is to be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    take_back: tuple[Name, ...] = Field((), description="Ids of edits that are to do nothing.")
    put_back: tuple[Name, ...] = Field((), description="Ids of edits that are to count again.")
    add: tuple[NewEdit, ...] = Field((), max_length=10_000)


def changed_list(edits: EditList, change: ListChange) -> EditList:
    """The next version. What is added and stands there already, taken back, counts again.

    Raises ``NotFound`` for an id that no edit has, ``ValidationError`` naming the field for an edit
    that is not well made.
    """
    found = {edit.edit_id: edit for edit in edits.edits}
    for identifiers, taken_back in ((change.take_back, True), (change.put_back, False)):
        for identifier in identifiers:
            if identifier not in found:
                raise NotFound("edit", identifier)
            found[identifier] = found[identifier].model_copy(update={"taken_back": taken_back})
    for at, wish in enumerate(change.add):
        made = _made(edits, wish, f"add.{at}")
        found[made.edit_id] = made
    return next_version(edits, found.values())


def next_version(edits: EditList, changed: Iterable[Edit]) -> EditList:
    """The list after ``edits``, of these."""
    return edit_list_of(
        changed,
        edits.samples,
        edits.sample_rate_hz,
        version=edits.version + 1,
        rules=edits.rules,
        notices=edits.notices,
    )


def _made(edits: EditList, wish: NewEdit, where: str) -> Edit:
    """On the list's samples, within the recording."""
    rate = edits.sample_rate_hz
    start_ms, end_ms = (
        ms_at(min(sample_at(ms, rate), edits.samples), rate) for ms in (wish.start_ms, wish.end_ms)
    )
    to_ms = None if wish.to_ms is None else ms_at(sample_at(wish.to_ms, rate), rate)
    amount = to_ms if wish.speed is None else wish.speed
    try:
        return new_edit(wish.action, wish.reason, (start_ms, end_ms), text=wish.text, amount=amount)
    except PydanticError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValidationError(where, str(first["msg"])) from None


def jump_cuts_ms(edits: EditList, shots: VisualMeta) -> list[float]:
    """Where, in the new time, a picture jumps: both sides of the join are of one shot."""
    begins = [shot.start_ms for shot in shots.shots]
    return [
        later.new_start_ms
        for earlier, later in pairwise(edits.keeps)
        if earlier.end_ms < later.start_ms
        and bisect_right(begins, earlier.end_ms) == bisect_right(begins, later.start_ms)
    ]
