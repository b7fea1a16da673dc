"""The trigger of probe: an object was finalised in the bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from functions.wiring import this_home
from shared.contracts.asset import Probed
from shared.contracts.message import Message
from shared.homes.home import Home
from shared.messages.events import upload_from_message
from shared.messages.push import Answer, answer
from shared.runs.intake import take_in

if TYPE_CHECKING:
    from flask import Request


def handle(message: Message, home: Home) -> None:
    """Take an upload in; what is not an upload is ignored."""
    upload = upload_from_message(message)
    if upload is not None:
        take_in(upload, message, home, _probe)


def _probe(path: Path) -> Probed:
    from functions.probe.recording import probe_recording  # not for what is known already

    return probe_recording(path)


def main(request: Request) -> Answer:
    """Answer a push of Pub/Sub or Eventarc."""
    return answer(request, handle, this_home)
