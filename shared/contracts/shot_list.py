"""The shot list: where in the video the clips of an audio edit come from (``render.origin``)."""

from __future__ import annotations

from typing import ClassVar

from shared.contracts.result_document import Part, ResultDocument


class ShotMeta(Part):
    """How a shot was found, and the clip that it is of."""

    asset_id: str | None
    start_ms: int
    """Of the clip."""
    speed: float
    """Of the clip."""
    source_asset_id: str | None
    """Of audio that was cut out of a video: which."""
    source_start_ms: int
    """And where its 0 lies in it."""
    semantic_offset_ms: int
    """From the clip's start to the first speech in it."""
    semantic_version: str | None
    """Of the semantic timeline that was read; none without one."""
    semantic_cache_key: str | None
    snapped_to: str | None
    """``beat`` or ``pause``, where it was moved there."""
    snap_ms: int
    """By so much, beyond the offset."""
    notices: tuple[str, ...]


class VideoShot(Part):
    """A window of a source, and where it stands in the edit."""

    clip_id: str | None
    source_asset_id: str
    source_start_ms: int
    source_end_ms: int
    target_start_ms: int
    target_duration_ms: int
    meta: ShotMeta


class ShotListMeta(Part):
    """As last seen in the shots."""

    semantic_version: str | None
    """None: no semantic timeline was read."""
    semantic_cache_key: str | None
    notices: tuple[str, ...]
    """Of all shots, each once."""


class ShotList(ResultDocument):
    """Where in the video the clips of an audio edit come from."""

    kind: ClassVar[str] = "video_shot_list"
    title: ClassVar[str] = "shot list"
    ascii_only: ClassVar[bool] = True

    shots: tuple[VideoShot, ...]
    """In the clips' order."""
    meta: ShotListMeta
