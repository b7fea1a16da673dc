"""The composition root: which code does a step, and this process's home.

``shared/`` names no function; it is handed what stands here. Everything is imported when it is first
asked for: what that costs is paid by whoever needs it.
"""

from __future__ import annotations

import importlib
from functools import cache

from shared.contracts.row import Step
from shared.contracts.step_engine import Engine
from shared.homes.home import Home, open_home
from shared.settings import settings


def engine_of(step: Step) -> Engine:
    """``ENGINE`` of ``functions/<function>/<engine>.py``. Costs what the engine's imports cost."""
    engine = importlib.import_module(f"functions.{step.name}").ENGINE
    assert isinstance(engine, Engine)
    return engine


@cache
def this_home() -> Home:
    """The home that this process's settings name, connected once."""
    return open_home(settings(), engine_of)
