"""The answers' shapes, for the OpenAPI document. ``shared.runs.views`` makes the objects themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from functions.api.comments import Comment
from functions.api.cutting import EditListAnswer
from shared.contracts.artifact import Artifact
from shared.contracts.asset import Asset
from shared.contracts.model import Model
from shared.contracts.semantic_timeline import SemanticTimeline
from shared.contracts.step import StepState
from shared.messages.webhooks import Delivery
from shared.runs.listing import RecordingRow


class _Open(Model):
    """More fields may come."""

    model_config = ConfigDict(extra="allow")


class ErrorObject(_Open):
    """See docs/errors.md; some codes have fields of their own."""

    code: str
    service: str | None
    message: str
    backend_version: str | None
    details: dict[str, Any] | None = None


class ErrorAnswer(Model):
    """Every answer that is none of the expected ones."""

    error: ErrorObject


class AssetAnswer(Asset):
    """A recording, with links."""

    links: dict[str, str]


class ArtifactAnswer(Artifact):
    """A file that a step made, with links."""

    links: dict[str, str]


class StepShown(_Open):
    """One step of a run."""

    step: str
    state: StepState
    reason: str | None
    error: ErrorObject | None
    progress: float
    cache_key: str | None
    artifacts: list[ArtifactAnswer] | None = None
    """In a run by itself."""
    artifact_ids: list[str] | None = None
    """In a list of runs."""


class RunAnswer(_Open):
    """A run with its steps."""

    run_id: str
    source: str
    asset_id: str | None
    state: str
    created_at: float
    dismissed: bool
    """Somebody has seen that it failed."""
    steps: list[StepShown]
    links: dict[str, str | None]


class StepAnswer(RunAnswer):
    """The run that a step was asked in, with its result once there is one."""

    result: dict[str, Any] | None


class PartShown(Model):
    """One part of a step, as far as is known of it."""

    number: int
    """From 1."""
    start_ms: int
    end_ms: int
    """Of the recording."""
    state: Literal["queued", "running", "waiting", "done", "failed", "dropped"]
    """``waiting``: its worker has gone, or has given it back; another one takes it. ``dropped``: another
    part failed."""
    progress: float
    tries: int | None
    """How often it was begun; not known once the step has settled."""
    error: ErrorObject | None


class PartsAnswer(Model):
    """A page of a step's parts."""

    step: str
    state: StepState
    reason: str | None
    error: ErrorObject | None
    at_once: int
    """So many of them may be on their way at a time; 0: it is not split, or waits for the tenant's others."""
    parts: list[PartShown]
    next: str | None


class UploadAnswer(Model):
    """An upload, open or complete."""

    upload_id: str
    upload_url: str
    state: str
    name: str
    size_bytes: int
    received_bytes: int
    run_id: str | None
    links: dict[str, str | None]


class AssetsAnswer(Model):
    """A page of recordings."""

    assets: list[AssetAnswer]
    next: str | None


class RecordingsAnswer(Model):
    """A page of the list of recordings."""

    recordings: list[RecordingRow]
    next: str | None


class LevelsAnswer(Model):
    """A recording's outline."""

    asset_id: str
    levels: list[float]
    """The highest sample of each equal part of its length, full scale 1."""


class CommentsAnswer(Model):
    """What people said of a recording."""

    comments: list[Comment]


class LinkAnswer(Model):
    """A link to one recording."""

    url: str
    expires_at: int
    """Unix seconds."""


class ArtifactsAnswer(Model):
    """A page of artifacts."""

    artifacts: list[ArtifactAnswer]
    next: str | None


class RunsAnswer(Model):
    """A page of runs."""

    runs: list[RunAnswer]
    next: str | None


class ClipSemanticsAnswer(Model):
    """A clip's part of its recording's newest semantic timeline."""

    clip_id: str
    audio_semantic_artifact_id: str
    """The semantic timeline that it is a part of."""
    uri: str
    summary: SemanticTimeline
    """In the clip's own time."""


class DeliveriesAnswer(Model):
    """A page of what webhooks were told."""

    deliveries: list[Delivery]
    next: str | None


ANSWERS: Mapping[tuple[str, str], type[BaseModel]] = {
    ("get", "/audio/semantic-timeline/by-clip/{clip_id}"): ClipSemanticsAnswer,
    ("get", "/assets"): AssetsAnswer,
    ("get", "/recordings"): RecordingsAnswer,
    ("get", "/assets/{asset_id}/levels"): LevelsAnswer,
    ("get", "/assets/{asset_id}/comments"): CommentsAnswer,
    ("post", "/assets/{asset_id}/comments"): Comment,
    ("post", "/assets/{asset_id}/links"): LinkAnswer,
    ("get", "/assets/{asset_id}"): AssetAnswer,
    ("get", "/assets/{asset_id}/artifacts"): ArtifactsAnswer,
    ("get", "/artifacts"): ArtifactsAnswer,
    ("get", "/artifacts/{artifact_id}"): ArtifactAnswer,
    ("get", "/runs"): RunsAnswer,
    ("get", "/runs/{run_id}"): RunAnswer,
    ("get", "/runs/{run_id}/steps/{step}/parts"): PartsAnswer,
    ("post", "/edit-lists"): EditListAnswer,
    ("get", "/edit-lists/{edit_list_id}"): EditListAnswer,
    ("patch", "/edit-lists/{edit_list_id}"): EditListAnswer,
    ("post", "/edit-lists/{edit_list_id}/undo"): EditListAnswer,
    ("get", "/webhooks/deliveries"): DeliveriesAnswer,
    ("post", "/uploads"): UploadAnswer,
    ("get", "/uploads/{upload_id}"): UploadAnswer,
}

_BYTES = {"206": "A range.", "304": "Unchanged.", "307": "At the bucket.", "416": "No such range."}
OTHERS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("get", "/assets/{asset_id}/media"): _BYTES,
    ("get", "/artifacts/{artifact_id}/content"): _BYTES,
    ("get", "/runs/events"): {"204": "All was told."},
    ("get", "/runs/{run_id}/events"): {"204": "All was told."},
    ("put", "/uploads/{upload_id}"): {"201": "Complete.", "308": "Go on."},
    ("put", "/timelines/{timeline_id}"): {"201": "New."},
}
