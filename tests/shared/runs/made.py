"""Results as hand-made documents: what a folder is laid out from, without any step having run."""

from __future__ import annotations

import hashlib
from typing import Any

from shared.contracts.artifact import Artifact
from shared.contracts.asset import Asset, AudioStream, MediaInfo, Source, VideoStream
from shared.contracts.step import StepState
from shared.runs.standing import Standing
from tests.toy import CTX


def asset(name: str, *, video: bool = False, length_ms: int = 12_000) -> Asset:
    sound = AudioStream(index=0, codec="aac", sample_rate_hz=48_000, channels=2)
    picture = VideoStream(index=1, codec="h264", width=640, height=360)
    return Asset(
        asset_id="ast_1",
        tenant_id=CTX.tenant_id,
        env=CTX.env,
        sha256="0" * 64,
        bytes=100,
        content_type="video/mp4" if video else "audio/flac",
        key=f"{CTX.object_prefix}media_v2/ast_1/source/ast_1.{'mp4' if video else 'flac'}",
        media=MediaInfo(
            container="x", duration_ms=length_ms, audio=(sound,), video=(picture,) if video else ()
        ),
        sources=(Source(key="k", generation=1, name=name),),
    )


def artifact(kind: str, name: str, extension: str = "wav", **meta: Any) -> Artifact:
    identity = hashlib.sha256(f"{kind}/{name}/{extension}/{meta}".encode()).hexdigest()
    types = {
        "json": "application/json",
        "png": "image/png",
        "mp4": "video/mp4",
        "zip": "application/zip",
    }
    key = f"{CTX.object_prefix}media_v2/ast_1/{kind}/art_{identity[:8]}.{extension}"
    return Artifact(
        artifact_id=f"art_{identity[:8]}",
        kind=kind,
        asset_id="ast_1",
        tenant_id=CTX.tenant_id,
        env=CTX.env,
        key=key,
        uri=f"file:///{key}",
        content_type=types.get(extension, "audio/wav" if extension == "wav" else "text/vtt"),
        sha256=identity,
        bytes=10,
        meta={"name": name, **meta},
    )


def standing(step: str, *artifacts: Artifact, made_from: str | None = None) -> Standing:
    return Standing(step, StepState.DONE, artifacts=artifacts, made_from=made_from)
