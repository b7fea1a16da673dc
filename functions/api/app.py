"""The application: its endpoints over one home."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles

from functions.api import (
    answers,
    effects,
    following,
    guard,
    keeping,
    openapi,
    reading,
    steps,
    uploads,
)
from functions.api.identity import Identity
from functions.api.lookout import Lookout
from shared.homes.home import Home

CONSOLE = Path(__file__).parent / "console"


def build(home: Home, identity: Identity) -> FastAPI:
    """All endpoints, the console, and what guards them."""
    app = FastAPI(title="Rushes", version="1", docs_url=None, redoc_url=None)
    app.state.identity = identity
    app.state.lookout = Lookout(home)
    answers.install(app)
    app.add_middleware(
        guard.Guard,
        own_names_only=home.settings.identity == "dev",
        identity=identity,
        policy=guard.page_policy(direct=home.settings.direct_transfers),
    )
    for router in (
        uploads.routes(home),
        following.routes(home),
        reading.routes(home),
        steps.routes(home),
        keeping.routes(home),
        effects.routes(),
    ):
        app.include_router(router)
    openapi.install(app)
    _serve_console(app)
    return app


def _serve_console(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def front(request: Request) -> Response:
        return RedirectResponse("/console/")

    app.mount("/console", StaticFiles(directory=CONSOLE, html=True), name="console")
