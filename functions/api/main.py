"""The ASGI application: ``uvicorn --factory functions.api.main:create``."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

from functions.api.app import build
from functions.api.identity import identity_of
from functions.wiring import this_home
from shared.errors import ValidationError
from shared.homes.home import Home
from shared.settings import Settings
from shared.watch.log import configure

if TYPE_CHECKING:
    from fastapi import FastAPI

_OBJECTS_UNSEEN = 20_000
"""So many may be made before the collector looks for cycles: a page makes hundreds, none of them in one.
With Python's own 700 its looks were a tenth of what a page of 100 recordings cost."""


def create(home: Home | None = None) -> FastAPI:
    """The application over ``home``; without one, a process of its own over the settings' home.

    Raises ``ValidationError`` for settings with which it would let everybody in.
    """
    if home is not None:
        return _guarded(home)
    home = this_home()
    configure(home.settings.log_level)
    app = _guarded(home)
    gc.freeze()  # what was loaded stays to the end
    gc.set_threshold(_OBJECTS_UNSEEN)
    return app


def _guarded(home: Home) -> FastAPI:
    check_exposure(home.settings)
    return build(home, identity_of(home.settings))


def check_exposure(settings: Settings) -> None:
    """The dev identity is for this machine alone, not for a bucket in the cloud."""
    on_emulators = "FIRESTORE_EMULATOR_HOST" in os.environ
    if settings.identity == "dev" and settings.home == "google" and not on_emulators:
        raise ValidationError("RUSHES_IDENTITY", "must be oidc in Google Cloud")
