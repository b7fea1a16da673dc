"""What there is to choose from: effects, macros, mixes and models, as the command lists them."""

from __future__ import annotations

import importlib
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response

from functions.api.answers import answer
from functions.api.identity import Caller
from shared.errors import NotFound
from shared.homes.home import Home
from shared.weights import WEIGHTS, installed_state


def routes(home: Home) -> APIRouter:
    """The endpoints of choices."""
    router = APIRouter(tags=["presets"])

    @router.get("/presets")
    def presets(request: Request, ctx: Caller) -> Response:
        """All effects and macros."""
        tables = _tables()
        return answer(request, {"presets": tables.list_presets(), "macros": tables.list_macros()})

    @router.get("/presets/{preset_id}")
    def preset(request: Request, ctx: Caller, preset_id: str) -> Response:
        """One effect or macro, with its knobs."""
        tables = _tables()
        for listed, describe in (
            (tables.list_macros(), tables.describe_macro),
            (tables.list_presets(), tables.describe_preset),
        ):
            if any(row["id"] == preset_id for row in listed):
                return answer(request, describe(preset_id))
        raise NotFound("preset", preset_id)

    @router.get("/mixes")
    def mixes(request: Request, ctx: Caller) -> Response:
        """What a mix may begin with, the buses that take its tracks' roles, and what it is made for."""
        return answer(request, _mixes())

    @router.get("/models")
    def models(request: Request, ctx: Caller) -> Response:
        """The models that can be installed, and whether this server's home has them."""
        folder = home.settings.models
        rows = [
            {
                "name": row.name,
                "family": row.family,
                "licence": row.licence,
                "bytes": row.bytes,
                "multilingual": row.multilingual,
                "state": installed_state(row, folder),
            }
            for row in WEIGHTS.values()
        ]
        return answer(request, {"models": rows})

    return router


def _mixes() -> dict[str, Any]:
    """The tables of ``functions/render/audio``."""
    tables = importlib.import_module("functions.render.audio.export_presets")
    return {
        "mix_presets": {
            name: [bus.model_dump(mode="json") for bus in buses]
            for name, buses in tables.MIX_PRESETS.items()
        },
        "export_presets": {name: asdict(preset) for name, preset in tables.EXPORT_PRESETS.items()},
    }


def _tables() -> Any:
    """The tables of ``functions/transform``: read as the pipeline's engines are, none is run."""
    return importlib.import_module("functions.transform.catalogue")
