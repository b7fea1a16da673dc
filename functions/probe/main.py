"""The trigger of probe: an object was finalised in the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.probe.probe import probe_recording
from shared.bus import Message
from shared.events import upload_from_message
from shared.home import Home
from shared.intake import take_in
from shared.push import Answer, answer

if TYPE_CHECKING:
    from flask import Request


def handle(message: Message, home: Home) -> None:
    """Take an upload in; what is not an upload is ignored."""
    upload = upload_from_message(message)
    if upload is not None:
        take_in(upload, message, home, probe_recording)


def main(request: Request) -> Answer:
    """Answer a push of Pub/Sub or Eventarc."""
    return answer(request, handle)
