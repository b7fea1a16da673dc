"""The triggers of sweep: a dead letter, and the clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from functions.sweep.lost import announce_missed, recall_lapsed
from shared.bus import Message
from shared.dead import keep
from shared.home import Home
from shared.push import Answer, answer

if TYPE_CHECKING:
    from flask import Request


def handle(message: Message, home: Home) -> None:
    """Record a dead letter; a message with the attribute ``sweep`` runs the scheduled round."""
    if "sweep" in message.attributes:
        recall_lapsed(home)
        announce_missed(home, now=time.time())
    else:
        keep(home, message)


def main(request: Request) -> Answer:
    """Answer a push of Pub/Sub: of the dead topic, or the scheduler's."""
    return answer(request, handle)
