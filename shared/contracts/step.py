"""Steps as messages and as records: the request, its states, the run that holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

from pydantic import ConfigDict, Field, field_validator

from shared.contracts.context import RequestContext
from shared.contracts.ids import Name, StepName
from shared.contracts.model import Model


class StepState(StrEnum):
    """Where a step stands in its run."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CACHED = "cached"
    """An earlier run's artifacts were taken."""
    SKIPPED = "skipped"
    """Nothing to do; ``reason`` says why."""
    DEGRADED = "degraded"
    """Part of it was delivered; ``reason`` says what is missing."""
    FAILED = "failed"

    @property
    def settled(self) -> bool:
        """Will it stay so?"""
        return self not in (StepState.QUEUED, StepState.RUNNING)

    @property
    def delivered(self) -> bool:
        """Are there results that a following step may use?"""
        return self in (StepState.DONE, StepState.CACHED, StepState.DEGRADED)


MAX_PARAMS_BYTES = 400_000
"""Of one step's params as JSON: a request must fit into a message, its claim and its dead letter into
a document. What is larger belongs into the bucket, as a recording or a timeline of its own."""


def bounded_params(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The params; raises ``ValueError`` for more than ``MAX_PARAMS_BYTES``."""
    if len(json.dumps(params, default=str)) > MAX_PARAMS_BYTES:
        raise ValueError(f"are more than {MAX_PARAMS_BYTES:,} bytes of JSON")
    return params


NOT_MADE = "not made yet"
"""Why a dry run skips a step."""


class PartAsked(Model):
    """Which part of a step's work a request is for."""

    model_config = ConfigDict(frozen=True)

    number: int = Field(ge=0)
    count: int = Field(ge=2)
    of: str
    """The cache key of the work that was split."""


class StepRequest(Model):
    """The one message that drives everything."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    """A field that this version does not know is a newer one's, while both are deployed."""

    tenant_id: Name
    env: Name
    user_id: Name | None = None
    step: StepName
    asset_id: Name
    artifact_id: Name | None = None
    """Work on this artifact of the asset instead of on the recording itself."""
    run_id: Name | None = None
    """``None``: the request came from outside, and a run is opened for it."""
    params: Mapping[str, Any] = Field(default_factory=dict)
    force: bool = False
    """Compute again although the result is known."""
    part: PartAsked | None = None
    """Do this part of it alone; ``None``: the step, of which parts may be made."""

    @field_validator("params")
    @classmethod
    def _bounded(cls, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return bounded_params(params)

    @property
    def context(self) -> RequestContext:
        """Whose it is; raises ``ValidationError`` for an unknown tenant."""
        return RequestContext.of(self.tenant_id, self.env, self.user_id)

    @property
    def dry_run(self) -> bool:
        """It asks what would be done, and nothing is to be done for it."""
        return self.params.get("dry_run") is True

    @property
    def attributes(self) -> dict[str, str]:
        """What routes and filters read without opening the message."""
        return {"tenant": self.tenant_id, "env": self.env, "step": self.step}


class StepRecord(Model):
    """One step of one run, as its document keeps it."""

    model_config = ConfigDict(frozen=True)

    step: StepName
    state: StepState = StepState.QUEUED
    reason: str | None = None
    error: Mapping[str, Any] | None = None
    progress: float = Field(default=0.0, ge=0.0, le=1.0)
    cache_key: str | None = None
    artifact_ids: tuple[str, ...] = ()
    lease_generation: int = 0
    """Of the claim whose owner wrote this last; an older owner may not write any more."""
    parts: int = 0
    """So many parts it was split into; 0: none."""
    parts_done: int = 0

    spent_s: Mapping[str, float] | None = None
    """Where the time went, in seconds: `queue`, `claim`, `fetch`, `engine` (and within it, side by
    side, tools that `decode` and `encode`), `store`, `publish`, `settle`. No result depends on it."""

    def settled(self, state: StepState, **changes: Any) -> Self:
        """A copy in ``state``, its progress complete."""
        return self.model_copy(update={"state": state, "progress": 1.0, **changes})


class Run(Model):
    """One cause (an upload, a reprocess message) and the steps planned for it."""

    model_config = ConfigDict(frozen=True)

    run_id: Name
    tenant_id: Name
    env: Name
    user_id: Name | None = None
    source: str
    """The file's name as people know it, or what asked for the run."""
    asset_id: Name | None = None
    """``None`` until probing has made the asset."""
    planned: tuple[StepName, ...] = ()
    asked: tuple[StepName, ...] = ()
    """Steps that somebody named: they run whatever the recording holds, and so does what they need."""
    params: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    """Step name -> the params that this run sets."""
    artifact_id: Name | None = None
    """The steps work on this artifact of the asset, not on the recording."""
    force: tuple[StepName, ...] = ()
    """Steps to compute again although their results are known."""
    dry_run: bool = False
    """The last step alone is done; of the others what is known is taken, and nothing made."""
    created_at: float
    """Unix seconds."""
    dismissed: bool = False
    """It failed, and somebody has seen that: lists need not show it first any more."""
    damaged: str | None = None
    """Why its document cannot be read; the rest is then as good as unknown."""
