"""The triggers of sweep: a dead letter, and the clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from functions.sweep.lost import look_through_bucket, recall_lapsed
from functions.sweep.stalled import resume_stalled
from functions.wiring import this_home
from shared.contracts.message import Message
from shared.homes.home import Home
from shared.messages.dead_letters import keep
from shared.messages.push import Answer, answer
from shared.runs.erasing import resume_erasures

if TYPE_CHECKING:
    from flask import Request


def handle(message: Message, home: Home) -> None:
    """Record a dead letter; the attribute ``sweep`` runs a round: ``leases``, ``uploads`` or ``all``."""
    wanted = message.attributes.get("sweep")
    if wanted is None:
        keep(home, message)
        return
    if wanted in ("leases", "all"):
        recall_lapsed(home)
        resume_erasures(home)
    if wanted in ("uploads", "all"):
        look_through_bucket(home, now=time.time())
        resume_stalled(home)
        home.documents.remove_expired()


def main(request: Request) -> Answer:
    """Answer a push of Pub/Sub: of the dead topic, or the scheduler's."""
    return answer(request, handle, this_home)
