"""All functions of the storm behind one server, as functions-framework serves them.

The steps are the toy ones, now and then with a child process; recordings are probed by the real
probe. Each worker process has a clock of its own, up to an hour off.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Request

import shared.homes.bus.google_bus
import shared.homes.documents.google_documents
import shared.homes.objects.google_objects  # noqa: F401 - loaded once, before the workers are forked
from functions.probe.recording import probe_recording
from functions.sweep.main import handle as sweep
from functions.wiring import this_home
from shared.contracts.asset import Probed
from shared.contracts.message import Message
from shared.contracts.step_engine import Job
from shared.homes.home import Home
from shared.lazy_log import get_logger
from shared.messages.delivery import Handler
from shared.messages.events import upload_from_message
from shared.messages.push import Answer, answer
from shared.messages.requests import handle_request
from shared.processes import started
from shared.runs.intake import take_in
from tests import toy

_HOUR_S = 3600.0
LOST = 1 / 12
log = get_logger()


class SkewedClock:
    """The module ``time`` with this worker's clock. (gRPC must keep the true one: its deadlines are
    told to code of its own that reads the machine's.)
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def time(self) -> float:
        return time.time() + (os.getpid() % 3 - 1) * _HOUR_S


def during(job: Job) -> None:
    """Some jobs take a moment, a few have a child that does."""
    number = int(job.cache_key.encode().hex()[-4:], 16)
    if number % 4 == 0:
        with started(["sleep", "0.3"], timeout_s=10) as child:
            list(child.chunks())
    elif number % 4 == 1:
        time.sleep(0.1)
    job.progress(1.0)


def probe(path: Path) -> Probed:
    """The real probe for what looks like a recording."""
    with path.open("rb") as file:
        looks_real = file.read(4) == b"RIFF"
    return probe_recording(path) if looks_real else toy.probed(path)


def take_upload(message: Message, home: Home) -> None:
    """As functions/probe does."""
    found = upload_from_message(message)
    if found is not None:
        take_in(found, message, home, probe)


def calm() -> bool:
    """Is the storm over: nothing more is lost, and the deployment is through?"""
    return Path(os.environ["CALM"]).exists()


def do_step(message: Message, home: Home) -> None:
    """As any function with steps does; one request for a part in twelve is lost."""
    if b'"part":{' in message.data and random.random() < LOST and not calm():
        log.info("chaos.part_lost")
        return
    handle_request(message, home, "toy")


def ignore(_message: Message, _home: Home) -> None:
    """What the results topic tells is nobody's concern here."""


HANDLERS: Mapping[str, Handler] = {
    "probe": take_upload,
    "toy": do_step,
    "sweep": sweep,
    "webhooks": ignore,
}


class TwoVersions(toy.Toy):
    """As during a deployment: of two workers one has the next version already, in the end all."""

    @property  # type: ignore[override]
    def version(self) -> str:
        return "toy-2" if calm() else f"toy-{1 + os.getpid() % 2}"


toys = toy.install(pytest.MonkeyPatch())
toys.during = during
toys.__class__ = TwoVersions
for name, module in list(sys.modules.items()):
    if name.startswith(("shared.", "functions.")) and vars(module).get("time") is time:
        vars(module)["time"] = SkewedClock()


def main(request: Request) -> Answer:
    """Answer a push; the path says to which function."""
    return answer(request, HANDLERS[request.path.strip("/")], this_home)
