"""The edit list: what is taken out of a recording, silenced or sped up, and why; and what is left.

    EditList
    ├── edits    Edit: one decision, with its reason; can be taken back
    └── keeps    Keep: the stretches that are played one behind the other; derived from the edits

Times are milliseconds of the recording's own time, ``[start_ms, end_ms)``, and exact to the sample:
each is ``ms_at(sample)``, six decimals, and ``sample_at`` gives that sample back at every rate up
to 384 kHz. Whoever cuts or counts does so in samples; milliseconds are for documents and people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from shared.contracts.ids import Name, digest
from shared.contracts.result_document import Part, ResultDocument
from shared.contracts.timeline_parts import Number

EditAction = Literal["cut", "shorten", "speed_up", "mute", "bleep"]
# fmt: off
EditReason = Literal[
    "word", "range", "silence", "filler", "repeat", "false_start", "breath",
    "speaker", "phrase", "chapter", "privacy",
]
# fmt: on
"""``word`` and ``range``: somebody chose it; ``speaker``, ``phrase``, ``chapter``: it is not of those
that are to be kept; ``privacy``: it says what nobody is to hear."""
SILENCING: tuple[EditAction, ...] = ("mute", "bleep")
"""These leave time as it is."""
FASTEST = 20.0
_LATEST_MS = 1e15
"""JSON has greater numbers, which no sample has."""


def sample_at(time_ms: float, sample_rate_hz: int) -> int:
    """The sample that begins nearest to a time; of one behind all recordings' ends, one there."""
    return round(min(time_ms, _LATEST_MS) * sample_rate_hz / 1000)


def ms_at(sample: int, sample_rate_hz: int) -> float:
    """When a sample begins: the number that documents hold."""
    return round(sample * 1000 / sample_rate_hz, 6)


class Edit(Part):
    """One decision about one stretch. Edits may overlap: a cut wins over all else there."""

    edit_id: Name
    """Of what it does, where and why (``edit_id_of``): the same edit has the same id in every list."""
    action: EditAction
    reason: EditReason
    start_ms: Number = Field(ge=0)
    end_ms: Number
    to_ms: Number | None = Field(default=None, ge=0)
    """Of ``shorten``: so much is left, half of it (the odd sample, too) at either end."""
    speed: Number | None = Field(default=None, gt=1, le=FASTEST)
    """Of ``speed_up``: the stretch lasts its length divided by this, to the nearest sample."""
    text: str | None = None
    """What is said there, where somebody speaks."""
    confidence: float = Field(ge=0, le=1)
    """That the reason holds; 1 where a person decided."""
    taken_back: bool = False
    """It stays in the list and does nothing."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.start_ms >= self.end_ms:
            raise ValueError("start_ms is not before end_ms")
        if (self.to_ms is not None) != (self.action == "shorten"):
            raise ValueError("to_ms is what shorten, and nothing else, has")
        if (self.speed is not None) != (self.action == "speed_up"):
            raise ValueError("speed is what speed_up, and nothing else, has")
        if self.to_ms is not None and self.to_ms >= self.end_ms - self.start_ms:
            raise ValueError("to_ms is no shorter than the stretch")
        return self


class Keep(Part):
    """A stretch that is played. What lies between two keeps is gone."""

    start_ms: Number
    end_ms: Number
    speed: Number = 1.0
    new_start_ms: Number
    """Where it begins in the new time: right where the keep before it ends."""


class EditList(ResultDocument):
    """What is cut out of a recording, and what stays."""

    kind: ClassVar[str] = "edit_list"
    title: ClassVar[str] = "edit list"

    version: int = 1
    """Grows with each edit of the list, from 1."""
    duration_ms: Number
    """Of the recording's sound, to the sample."""
    sample_rate_hz: int = Field(gt=0)
    """Of the recording's sound: all times lie on its samples."""
    new_duration_ms: Number
    """Of what is left. A crossfade takes nothing from it: it borrows from what was cut."""
    edits: tuple[Edit, ...]
    """By their starts."""
    keeps: tuple[Keep, ...]
    """In order; always what ``shared.editing.time_map.derived_keeps`` makes of the edits."""
    rules: Mapping[str, Any] = Field(default_factory=dict)
    """The params that the step was asked with."""
    notices: tuple[str, ...] = ()
    """What people should know: which rule could not be followed, and why."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        ids = [edit.edit_id for edit in self.edits]
        if len(set(ids)) < len(ids):
            raise ValueError("edits: two have the same edit_id")
        for edit in self.edits:
            if edit.end_ms > self.duration_ms:
                raise ValueError(f"edits.{edit.edit_id}.end_ms: lies behind the recording's end")
        return self

    @property
    def samples(self) -> int:
        """Of the recording's sound, one channel."""
        return sample_at(self.duration_ms, self.sample_rate_hz)

    @property
    def standing(self) -> tuple[Edit, ...]:
        """The edits that nobody took back."""
        return tuple(edit for edit in self.edits if not edit.taken_back)


def edit_id_of(action: str, reason: str, start_ms: float, end_ms: float, *more: Any) -> str:
    """The id of an edit; ``more`` is its ``to_ms`` and ``speed``, where it has them."""
    return "edt_" + digest(action, reason, start_ms, end_ms, *more)[:16]
