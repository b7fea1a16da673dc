"""The trigger of separate: a step request on the topic ``steps-separate``.

``GET /ready`` answers 200 once the default model is loaded, which the first such request sees to.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from functions.separate.host import warm_worker
from functions.separate.models import DEFAULT_MODEL, find_weights
from functions.separate.slot import slot
from functions.wiring import this_home
from shared.contracts.message import Message
from shared.errors import RushesError
from shared.homes.home import Home
from shared.messages.push import Answer, answer
from shared.messages.requests import handle_request

if TYPE_CHECKING:
    from flask import Request


def handle(message: Message, home: Home) -> None:
    """Do the step that the message asks for, if no other is being done on this machine."""
    with slot():
        handle_request(message, home, "separate")


def ready(model: str = DEFAULT_MODEL) -> Answer:
    """Is the model loaded, and on what? Loads it."""
    worker = warm_worker()
    try:
        with slot(), worker.lock:
            loaded = worker.load(model, find_weights(model), lambda: None)
    except RushesError as error:
        return json.dumps({"ready": False, "error": error.to_json()}), 503
    return json.dumps({"ready": True, "model": model, "device": loaded.device}), 200


def main(request: Request) -> Answer:
    """Answer a push of Pub/Sub, or a question whether it is ready."""
    if (request.method, request.path) == ("GET", "/ready"):
        return ready()
    return answer(request, handle, this_home)
