"""The trigger of edit: a step request on the topic ``steps-edit``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.wiring import this_home
from shared.contracts.message import Message
from shared.homes.home import Home
from shared.messages.push import Answer, answer
from shared.messages.requests import handle_request

if TYPE_CHECKING:
    from flask import Request


def handle(message: Message, home: Home) -> None:
    """Do the step that the message asks for."""
    handle_request(message, home, "edit")


def main(request: Request) -> Answer:
    """Answer a push of Pub/Sub."""
    return answer(request, handle, this_home)
