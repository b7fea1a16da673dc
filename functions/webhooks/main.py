"""The trigger of webhooks: a message on the topic ``results``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.webhooks.telling import tell
from functions.wiring import this_home
from shared.contracts.message import Message
from shared.homes.home import Home
from shared.messages.push import Answer, answer

if TYPE_CHECKING:
    from flask import Request


def handle(message: Message, home: Home) -> None:
    """Tell the tenant's webhook, if it has one that wants to know."""
    tell(message, home)


def main(request: Request) -> Answer:
    """Answer a push of Pub/Sub."""
    return answer(request, handle, this_home)
