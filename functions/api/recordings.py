"""What the console's list shows: small rows, and each recording's shape in a few numbers."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from functions.api.answers import Paged, answer, merged
from functions.api.identity import Caller
from shared.contracts.asset import Asset
from shared.contracts.audio_activity import AudioActivity, Waveform
from shared.contracts.ids import NAME_PATTERN
from shared.homes.documents.readable import readable
from shared.homes.home import Home
from shared.runs.listing import recording_rows
from shared.steps.preparing import load_asset

_KEPT = 2000
"""So many shapes are kept in memory; each is a few hundred bytes."""

Id = Annotated[str, Path(pattern=NAME_PATTERN)]
Points = Annotated[int, Query(ge=8, le=1000, description="How many levels.")]


def routes(home: Home) -> APIRouter:
    """The endpoints of the list."""
    router = APIRouter(tags=["assets"])
    known_levels = lru_cache(_KEPT)(partial(_levels, home))

    @router.get("/recordings")
    def recordings(request: Request, ctx: Caller, page: Paged) -> Response:
        """The recordings in short, by id, each with the state of its results."""
        found, following = page.of(home, f"{ctx.document_prefix}assets")
        assets = [asset for _, asset in readable(found, Asset)]
        rows = recording_rows(home.documents, ctx, assets)
        shown = [row.model_dump(mode="json", exclude_none=True) for row in rows]
        return answer(request, merged(shown, "recordings", following))

    @router.get("/assets/{asset_id}/levels")
    def levels(request: Request, ctx: Caller, asset_id: Id, points: Points = 120) -> Response:
        """Its outline: the highest sample of each of `points` parts, 0 to 1; none before it was heard."""
        load_asset(home, ctx, asset_id)
        where = {"asset_id": asset_id, "kind": AudioActivity.kind}
        keys = [
            str(found.data["key"])
            for found in home.documents.list(f"{ctx.document_prefix}artifacts", where=where)
        ]
        told = known_levels(keys[0], points) if keys else ()
        return answer(request, {"asset_id": asset_id, "levels": told})

    return router


def _levels(home: Home, key: str, points: int) -> tuple[float, ...]:
    """Of what was heard, which never changes."""
    return highest_levels(AudioActivity.read_from(home.objects.read(key)).waveform, points)


def highest_levels(waveform: Waveform, points: int) -> tuple[float, ...]:
    """The highest absolute sample of each of ``points`` equal parts, full scale 1; of each step of
    the waveform, if there are fewer.
    """
    import numpy as np

    peaks = np.maximum(waveform.highest.values(), -waveform.lowest.values())
    count = min(points, len(peaks))
    if count == 0:
        return ()
    highest = np.maximum.reduceat(peaks, np.arange(count) * len(peaks) // count)
    return tuple(round(float(level), 3) for level in np.clip(highest, 0.0, 1.0))
