"""The artifact: one file that a step made; its kinds, and the meta that each kind demands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.contracts.context import RequestContext
from shared.contracts.ids import Name
from shared.errors import ValidationError

COMMON_META = ("backend", "backend_type", "backend_version", "cache_key", "backend_info")

_SEGMENT = ("start_ms", "end_ms", "score", "confidence")
_SEGMENT_SUMMARY = ("duration_ms", "segment_count")
_MIX = (
    "bus_id",
    "roles",
    "gain_db",
    "export_preset",
    "limiter_thresh",
    "headroom",
    "loudnorm_target",
    "dithered",
    "render_profile",
)

KIND_META: Mapping[str, tuple[str, ...]] = {
    "audio_hit": _SEGMENT,
    "audio_hits": _SEGMENT_SUMMARY,
    "audio_loop": (*_SEGMENT, "bpm", "bars", "beats_ms"),
    "audio_loops": _SEGMENT_SUMMARY,
    "audio_phrase": (*_SEGMENT, "transcript"),
    "audio_phrases": _SEGMENT_SUMMARY,
    "audio_sample_pack": ("outcomes", "min_quality_score", "members"),
    "audio_fx": ("preset_id", "dry_wet", "knob_values"),
    "audio_macro": ("preset_id", "dry_wet", "knob_values"),
    "audio_normalised": ("norm_stats", "target_lufs"),
    "audio_loudness": ("integrated_lufs", "loudness_range_lu", "true_peak_dbtp"),
    "audio_resampled": ("tempo", "pitch", "quality"),
    "audio_stem": ("stem", "model_used", "runtime", "device"),
    "audio_semantic_timeline": (
        "semantic_version",
        "model_used",
        "include_beats",
        "include_speech_music",
        "min_silence_ms",
        "loudness_window_ms",
        "speed_change_limit",
        "audio_semantic_cache_key",
    ),
    "asr_transcript": ("model_used", "duration_ms", "language"),
    "captions": ("language", "format", "transcript"),
    "video_region_summary": (
        "model_used",
        "duration_ms",
        "frame_sample_interval_ms",
        "include_regions",
    ),
    "video_region_mask": ("track_id",),
    "visual_meta": ("model_used", "duration_ms", "frame_sample_interval_ms"),
    "video_anonymised": (
        "summary_artifact_id",
        "summary_backend_version",
        "preset",
        "face_count",
        "frames_covered",
    ),
    "video_coverage_report": ("summary_artifact_id", "doubt_count"),
    "audio_render": _MIX,
    "audio_bus_stem": (*_MIX, "parent_master"),
    "video_render": ("plan",),
    "video_shot_list": ("semantic_version", "semantic_cache_key", "shot_count"),
    "pattern_render": ("tempo", "loudness_rows", "automation_log"),
    "preview": ("shows",),
}
"""Each kind and the meta that registration demands of it, beside ``COMMON_META``. A ``preview``
is a picture for people: ``shows`` says of what."""

_FOLDERS = {"video_region_mask": "regions"}


class Artifact(BaseModel):
    """One file that a step made, with what is needed to judge it and to make it again."""

    model_config = ConfigDict(frozen=True)

    artifact_id: Name
    kind: str
    asset_id: Name
    tenant_id: Name
    env: Name
    key: str
    uri: str
    content_type: str
    sha256: str
    bytes: int
    parents: tuple[str, ...] = ()
    """The asset and artifacts that it was made from."""
    meta: Mapping[str, Any]


def artifact_key(
    ctx: RequestContext, asset_id: str, kind: str, artifact_id: str, extension: str
) -> str:
    """The one place in the bucket where this artifact may live."""
    folder = _FOLDERS.get(kind, kind)
    return f"{ctx.object_prefix}media_v2/{asset_id}/{folder}/{artifact_id}.{extension}"


def check_artifact(artifact: Artifact, ctx: RequestContext) -> None:
    """Refuse an artifact that must not be registered.

    Raises ``ValidationError`` naming the field: an unknown kind, meta that its kind demands and
    that is missing, a tenant or env that is not the context's, or a key anywhere but its place.
    """
    if artifact.kind not in KIND_META:
        raise ValidationError(
            "kind", f"{artifact.kind!r} is unknown; known: {', '.join(KIND_META)}"
        )
    for field in ("tenant_id", "env"):
        if getattr(artifact, field) != getattr(ctx, field):
            raise ValidationError(field, "is not the context's")
    extension = artifact.key.rsplit(".", 1)[-1]
    place = artifact_key(ctx, artifact.asset_id, artifact.kind, artifact.artifact_id, extension)
    if artifact.key != place or not extension.isalnum():
        raise ValidationError("key", f"a {artifact.kind} lives at {place}")
    for name in (*COMMON_META, *KIND_META[artifact.kind]):
        if name not in artifact.meta:
            raise ValidationError(f"meta.{name}", f"is demanded of every {artifact.kind}")
