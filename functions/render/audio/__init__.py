"""``render.audio``: a timeline becomes a master and, where wanted, a stem of each bus.

    timeline -> plan -> mix, in blocks ┬-> buses -> stems (float WAV, before mastering)
                                       '-> mix on disk -> headroom, loudnorm, limiter, dither -> master

Stems are what the buses give to the mix: added up they are the mix before mastering. They carry
neither the master's gain nor its limiter; the meta says how much gain the master took.

An edit list in a timeline's place cuts the recording itself (``functions.render.cut``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from functions.render.audio.mix_params import AudioRenderParams
from shared.contracts.context import RequestContext
from shared.contracts.ids import digest
from shared.contracts.step_engine import (
    Backend,
    Engine,
    Job,
    Result,
    SourceRef,
)
from shared.watch.health import dependency, installed, require

REVISION = "mix-11"
_PACKAGES = ("numpy", "scipy", "soundfile", "soxr")


def backend() -> Backend:
    """numpy and scipy, and ffmpeg for what they cannot read or write; raises ``MissingDependency``."""
    found, ffmpeg = installed(*_PACKAGES), require("ffmpeg")
    named = "+".join(f"{name}-{found[name].version}" for name in ("numpy", "scipy"))
    return Backend(
        "rushes_mix",
        f"{REVISION}+{named}+ffmpeg-{ffmpeg}",
        dependencies={**found, "ffmpeg": dependency("ffmpeg")},
    )


def sources(params: AudioRenderParams) -> Sequence[SourceRef]:
    """All that the timeline plays, muted tracks too; or the edit list."""
    if params.timeline is not None:
        return params.timeline.sources
    return [SourceRef(artifact_id=params.edit_list, of_recording="edit_list")]


def cache_key(
    ctx: RequestContext,
    asset_id: str,
    _artifact_id: str | None,
    params: AudioRenderParams,
    backend_version: str,
    upstream: Mapping[str, str],
) -> str:
    """The common formula, with a digest in place of the params: a timeline is long."""
    stated = digest(params.stated)
    parts = [ctx.tenant_id, ctx.env, asset_id, "render.audio", stated, backend_version]
    return "|".join([*parts, digest(upstream)[:16]])


def run(job: Job, params: AudioRenderParams, backend: Backend) -> Result:
    """Render. Raises ``ValidationError`` naming track, clip and field, ``UnsupportedMedia``."""
    if params.timeline is None:
        from functions.render.audio.cut_recording import cut_recording

        return cut_recording(job, params)
    from functions.render.audio.rendering import render

    return render(job, params)


ENGINE = Engine(
    params=AudioRenderParams, backend=backend, run=run, cache_key=cache_key, sources=sources
)
