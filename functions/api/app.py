"""The application: its endpoints over one home."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from functions.api import (
    answers,
    choices,
    comments,
    cutting,
    following,
    guard,
    keeping,
    openapi,
    reading,
    recordings,
    reviewing,
    steps,
    uploads,
)
from functions.api.identity import Identity
from functions.api.lookout import Lookout
from functions.console import pages
from shared.homes.home import Home

_LEAST_BYTES = 1000
"""Smaller answers are not worth compressing. Media and event streams are left as they are, too."""


def build(home: Home, identity: Identity) -> FastAPI:
    """All endpoints, the console, and what guards them."""
    app = FastAPI(title="Rushes", version="1", docs_url=None, redoc_url=None)
    app.state.identity = identity
    app.state.lookout = Lookout(home)
    app.state.reads_at_once = home.settings.home == "embedded"
    answers.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=_LEAST_BYTES, compresslevel=6)
    app.add_middleware(
        guard.Guard,
        own_names_only=home.settings.identity == "dev",
        identity=identity,
        policy=guard.page_policy(direct=home.settings.direct_transfers),
    )
    for router in (
        reading.routes(home),  # first, for they are tried one after another
        following.routes(home),
        uploads.routes(home),
        recordings.routes(home),
        steps.routes(home),
        keeping.routes(home),
        choices.routes(home),
        comments.routes(home),
        cutting.routes(home),
        reviewing.routes(home),
    ):
        app.routes.extend(router.routes)  # an included router is searched three times a request
    openapi.install(app)
    pages.install(app)
    return app
