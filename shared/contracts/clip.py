"""A clip: a window of a recording, as a timeline plays it."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from shared.contracts.ids import Name
from shared.contracts.model import RequestBody


class Clip(RequestBody):
    """Milliseconds of the recording, ``[start_ms, end_ms)``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    asset_id: Name
    start_ms: int = Field(ge=0)
    end_ms: int
    speed: float = Field(1.0, gt=0, le=16)
    """How fast it is played: 2 in half the time."""

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        if self.end_ms <= self.start_ms:
            raise ValueError("end_ms must be greater than start_ms")
        return self
