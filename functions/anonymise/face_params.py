"""The params of ``anonymise.faces``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from functions.anonymise.blur import Shape
from shared.contracts.step_engine import StepParams, check_range


class FacesParams(StepParams):
    """How faces are covered, and which."""

    preset: Literal["light", "medium", "strong", "pixelate", "solid"] = "strong"
    shape: Shape = "ellipse"
    """``box`` covers the corners, too."""
    soft_edge: float = 0.0
    """A cover fades into the picture over this part of its half width and height, outside of it, 0 to 1."""
    mask_dilation: float = 0.25
    """A cover is wider than the face by this part of it on each side, 0 to 1."""
    hold_before_ms: float = 400.0
    """A face is covered from so long before its first detection, 0 to 5,000."""
    hold_after_ms: float = 400.0
    """... and until so long after its last."""
    bridge_ms: float = 1500.0
    """Where a face is lost and one is found nearby within this, both stay covered; 0 to 10,000."""
    keep_track_ids: tuple[str, ...] = ()
    """Tracks of the summary that are to stay visible."""
    blur_track_ids: tuple[str, ...] | None = None
    """The only tracks that are covered; ``None``: all but ``keep_track_ids``."""
    cover_unsure: bool = True
    """Cover weak detections, too, though they may be no faces; not where ``blur_track_ids`` is given."""
    pixels: Literal["playable", "source"] = "playable"
    """H.264 with 8 bits and 4:2:0, HDR mapped to an ordinary screen, which everything plays; or the
    recording's own bits, chroma and HDR, which some players refuse."""
    fail_closed: bool = False
    """Deliver the report but no video where the coverage is in doubt."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        check_range("soft_edge", self.soft_edge, 0, 1)
        check_range("mask_dilation", self.mask_dilation, 0, 1)
        check_range("hold_before_ms", self.hold_before_ms, 0, 5000)
        check_range("hold_after_ms", self.hold_after_ms, 0, 5000)
        check_range("bridge_ms", self.bridge_ms, 0, 10_000)
        return self
