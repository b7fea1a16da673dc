"""Push endpoints: how a function's ``main`` answers Pub/Sub.

204 acknowledges; 503 turns the message back, to come again with backoff.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.bus import Message
from shared.dead import bury
from shared.delivery import Handler, deliver
from shared.errors import Permanent
from shared.events import message_from_push
from shared.home import this_home
from shared.log import configure
from shared.settings import settings

if TYPE_CHECKING:
    from flask import Request

Answer = tuple[str, int]


def answer(request: Request, handle: Handler) -> Answer:
    """Decode the push, hand the message over, and say whether it must come again."""
    configure(settings().log_level)
    body = request.get_data()
    try:
        message = message_from_push(body, dict(request.headers))
    except Permanent as error:
        bury(this_home(), Message(message_id="", data=body, attributes={}), error)
        return "", 204
    return ("", 503) if deliver(message, this_home(), handle) else ("", 204)
