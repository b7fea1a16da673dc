"""Visual meta: what ``detect.visual_meta`` writes, and rendering reads to reframe."""

from __future__ import annotations

from typing import ClassVar, Literal

from shared.contracts.result_document import Part, ResultDocument

Begins = Literal["start", "cut", "dissolve", "fade_in"]
TransitionKind = Literal["dissolve", "fade_in", "fade_out"]


class Shot(Part):
    """Frames ``[first_frame, last_frame]``, shown in ``[start_ms, end_ms)``."""

    start_ms: float
    end_ms: float
    first_frame: int
    last_frame: int
    begins_with: Begins = "cut"
    """A dissolve's middle parts two shots; a fade in begins one, but at the recording's start."""


class Transition(Part):
    """One shot turns into another, or into nothing, little by little, in ``[start_ms, end_ms)``."""

    kind: TransitionKind
    start_ms: float
    end_ms: float
    first_frame: int
    """The last frame that shows the earlier shot alone."""
    last_frame: int
    """The first one that shows the later shot alone."""


class VisualSample(Part):
    """What one frame shows."""

    frame: int
    time_ms: float
    primary_subject_center_x: float
    """In parts of the upright picture's width, 0 to 1."""
    primary_subject_center_y: float
    subject: Literal["face", "saliency", "none"]
    """Whose centre it is: the most prominent face's, or that of what stands out. ``none``: the
    picture's middle, for want of either."""
    subject_confidence: float
    shot_boundary: bool
    """A shot has begun since the sample before."""
    shot: int
    """Number of its shot, from 0."""
    motion_magnitude: float
    """Mean length of the optical flow to the frame before, in picture widths a second; 0 at a cut."""


class VisualMeta(ResultDocument):
    """What a recording's picture shows and when it changes."""

    kind: ClassVar[str] = "visual_meta"
    title: ClassVar[str] = "visual meta"
    compact: ClassVar[bool] = True

    duration_ms: int
    width: int
    height: int
    frame_count: int
    frame_sample_interval_ms: float
    model_used: str
    mean_motion: float
    max_motion: float
    damage: str | None
    shots: tuple[Shot, ...]
    transitions: tuple[Transition, ...] = ()
    """In order; hard cuts are none."""
    samples: tuple[VisualSample, ...]

    @property
    def cuts_ms(self) -> list[float]:
        """When shots begin with a cut: the picture changes at once."""
        return [shot.start_ms for shot in self.shots[1:] if shot.begins_with == "cut"]
