"""Delivering one message to its function's handler, in whichever home, and what its errors mean."""

from __future__ import annotations

from collections.abc import Callable

from shared.contracts.message import Message
from shared.errors import (
    AttemptsExhausted,
    BackendFailed,
    Permanent,
    Transient,
)
from shared.homes.home import Home
from shared.lazy_log import get_logger
from shared.spent import counting
from shared.steps.burying import BURIED, bury
from shared.watch.log import message_context
from shared.watch.trace import consuming

log = get_logger()

Handler = Callable[[Message, Home], None]


def deliver(message: Message, home: Home, handle: Handler) -> Transient | None:
    """Handle one message; returns why it must come again, or ``None`` to acknowledge it.

    What can never succeed, and what broke its handler time and again, is buried among the dead
    letters; until then an exception that is none of ours is raised.
    """
    with message_context(message), consuming(message), counting(message.published_at):
        try:
            handle(message, home)
        except Transient as error:
            log.info("message.turned_back", code=error.code)
            return error
        except Permanent as error:
            _give_up(home, message, error)
        except Exception as error:
            log.error("handler.raised", error_type=type(error).__name__, exc_info=error)
            if message.delivery_attempt < home.settings.max_attempts:
                raise
            _give_up(home, message, _exhausted(message, error))
        return None


def _give_up(home: Home, message: Message, error: Permanent) -> None:
    """Bury it, unless it comes from the dead letters itself: it would grow each time round."""
    if BURIED in message.attributes:
        log.error("letter.lost", code=error.code)
        return
    bury(home, message, error)


def _exhausted(message: Message, error: Exception) -> AttemptsExhausted:
    last = BackendFailed("the handler", f"{type(error).__name__}: {error}").to_json()
    return AttemptsExhausted(message.delivery_attempt, last, service=message.attributes.get("step"))
