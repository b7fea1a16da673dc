"""A worker that stops in the middle of a part, and stays there until it is killed.

    python -m tests.functions.stopping_worker DATA STEP NAME MS < request

It does the one request from its standard input, with parts of so many ms as the step's module calls ``NAME``,
and says ``halfway`` when it stops.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from functions.wiring import engine_of
from shared.contracts.message import Message
from shared.contracts.row import Step
from shared.contracts.step import StepRequest
from shared.contracts.step_engine import Backend, Engine, Job, Part
from shared.homes.home import open_home
from shared.messages.requests import handle_request
from shared.pipeline import step_named
from shared.settings import Settings

HALFWAY = b"halfway\n"


def stopping(row: Step) -> Engine:
    """The step's engine, none of whose parts gets beyond a third."""
    engine = engine_of(row)
    parts = engine.parts
    assert parts is not None

    def stopped(job: Job, params: Any, backend: Backend, part: Part) -> Path:
        def told(fraction: float) -> None:
            job.progress(fraction)
            if fraction > 1 / 3:
                sys.stdout.buffer.write(HALFWAY)
                sys.stdout.buffer.flush()
                while True:
                    signal.pause()

        return parts.part(replace(job, progress=told), params, backend, part)

    return replace(engine, parts=replace(parts, part=stopped))


def main(data: str, step: str, name: str, part_ms: str) -> None:
    setattr(import_module(f"functions.{step}"), name, int(part_ms))
    request = StepRequest.model_validate_json(sys.stdin.buffer.read())
    message = Message("stopping", request.model_dump_json().encode(), request.attributes)
    home = open_home(Settings(data=Path(data)), stopping)
    handle_request(message, home, step_named(step).function)


if __name__ == "__main__":
    main(*sys.argv[1:])
