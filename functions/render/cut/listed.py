"""An edit list as a step was given it, and what is told of it in a result's meta.

Sound and video read it by the same rules: both know the same lists, and tell the same of them.
"""

from __future__ import annotations

from typing import Any

from functions.render.cut.cutting_plan import Cutting
from shared.contracts.asset import MediaInfo
from shared.contracts.edit_list import EditList
from shared.contracts.step_engine import Job
from shared.errors import ValidationError

MOST_JOINS_TOLD = 5_000
"""Of more than these only the count is told: metas stand in documents, which hold less than 1 MiB."""
_ANOTHERS_MS = 1_000
"""A list that is longer than the recording by more is another recording's."""


def read_list(job: Job, artifact_id: str) -> EditList:
    """The list; raises ``ValidationError`` for one of another recording, or that leaves nothing.

    Only its length tells here whose it is; that the artifact is of this recording is checked before.
    """
    edits = EditList.read(job.sources[artifact_id])
    length_ms = job.media.duration_ms or 0
    if edits.duration_ms > length_ms + _ANOTHERS_MS:
        reason = f"is of a recording of {edits.duration_ms:g} ms, and this one has {length_ms}"
        raise ValidationError("edit_list", reason)
    if not edits.keeps:
        raise ValidationError("edit_list", "leaves nothing of the recording")
    return edits


def heard_by(media: MediaInfo, edits: EditList) -> MediaInfo:
    """With the sound stream that the list was made of, where its rules name one: times are of its sound."""
    stream = edits.rules.get("stream")
    return media.with_stream(stream) if isinstance(stream, int) else media


def told(edits: EditList, plan: Cutting) -> dict[str, Any]:
    """For the meta: where something was taken out, in the rendering's time."""
    joins_ms = [round(1000 * join / plan.sample_rate_hz, 3) for join in plan.joins]
    return {
        "edit_list_version": edits.version,
        "source_duration_ms": edits.duration_ms,
        "edit_count": len(edits.standing),
        "join_count": len(joins_ms),
        "joins_ms": joins_ms if len(joins_ms) <= MOST_JOINS_TOLD else None,
        "silenced_count": len(plan.silenced),
    }
