"""Recordings as a list shows them: a small row each, with the state of what stands of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from pydantic import ConfigDict

from shared.contracts.asset import Asset, MediaInfo
from shared.contracts.context import RequestContext
from shared.contracts.model import Model
from shared.contracts.step import Run, StepRecord, StepState
from shared.homes.documents import Documents
from shared.pipeline import PROBE
from shared.runs.views import list_runs
from shared.steps.step_records import record_path

_AT_ONCE = 16
"""So many recordings' runs are read side by side: in the cloud each read takes its time."""

Kind = Literal["video", "audio", "pattern", "other"]
State = Literal["running", "done", "degraded", "failed"]


class RecordingRow(Model):
    """One recording in a list. What it has none of is left out."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    asset_id: str
    name: str
    """Its file's, as first uploaded: what its downloads are called after."""
    kind: Kind
    state: State
    """Of its results over all runs: `running` while a step of it works; `failed` where nothing was
    delivered; `degraded` where some step never delivered, or but a part."""
    added_at: float | None = None
    """Unix seconds of its first run."""
    duration_ms: int | None = None
    bytes: int
    size: tuple[int, int] | None = None
    """Width and height of the upright picture, in pixels."""
    sample_rate_hz: int | None = None
    channels: int | None = None


def recording_rows(
    documents: Documents, ctx: RequestContext, assets: Sequence[Asset]
) -> list[RecordingRow]:
    """A row for each of the assets, in their order."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda asset: _row(documents, ctx, asset), assets))


def _row(documents: Documents, ctx: RequestContext, asset: Asset) -> RecordingRow:
    runs = list_runs(documents, ctx, asset.asset_id)
    media = asset.media
    video, audio = next(iter(media.video), None), next(iter(media.audio), None)
    return RecordingRow(
        asset_id=asset.asset_id,
        name=asset.file_name or asset.asset_id,
        kind=_kind(media),
        state=results_state(_records(documents, ctx, runs)),
        added_at=round(runs[-1].created_at, 1) if runs else None,
        duration_ms=media.duration_ms,
        bytes=asset.bytes,
        size=(video.width, video.height) if video else None,
        sample_rate_hz=audio.sample_rate_hz if audio else None,
        channels=audio.channels if audio else None,
    )


def _kind(media: MediaInfo) -> Kind:
    if media.is_pattern:
        return "pattern"
    if media.has_video:
        return "video"
    return "audio" if media.has_audio else "other"


def _records(
    documents: Documents, ctx: RequestContext, runs: Iterable[Run]
) -> list[tuple[str | None, StepRecord]]:
    """What each step worked on and how it stands, newest first; dry runs aside. Read in one call."""
    wanted = [(run, step) for run in runs if not run.dry_run for step in run.planned]
    found = documents.get_all([record_path(ctx, run.run_id, step) for run, step in wanted])
    return [
        (run.artifact_id, StepRecord.model_validate(found[path].data))
        for run, step in wanted
        if (path := record_path(ctx, run.run_id, step)) in found
    ]


def results_state(records: Iterable[tuple[str | None, StepRecord]]) -> State:
    """The state of a recording's results. ``records``: what a step worked on (``None``: the recording
    itself) and the step's record, newest first.

    A step's newest delivery counts, whatever a later try came to.
    """
    standing: dict[tuple[str, str | None], StepState] = {}
    for artifact_id, record in records:
        if not record.state.settled:
            return "running"
        place = (record.step, artifact_id)
        held = standing.get(place)
        if held is None or (record.state.delivered and not held.delivered):
            standing[place] = record.state
    results = {place: state for place, state in standing.items() if place[0] != PROBE}
    if StepState.FAILED not in standing.values():
        return "degraded" if StepState.DEGRADED in results.values() else "done"
    return "degraded" if any(state.delivered for state in results.values()) else "failed"
