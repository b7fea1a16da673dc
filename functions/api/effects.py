"""The named effects and macros, as the command lists them."""

from __future__ import annotations

import importlib
from typing import Any

from fastapi import APIRouter, Request, Response

from functions.api.answers import answer
from functions.api.identity import Caller
from shared.errors import NotFound


def routes() -> APIRouter:
    """The endpoints of presets."""
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

    return router


def _tables() -> Any:
    """The tables of ``functions/transform``: read as the pipeline's engines are, none is run."""
    return importlib.import_module("functions.transform.catalogue")
