"""Delivering one message to its function's handler, in whichever home, and what its errors mean."""

from __future__ import annotations

import errno
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from shared.errors import (
    AttemptsExhausted,
    BackendFailed,
    Permanent,
    RushesError,
    Transient,
    Unavailable,
)
from shared.homes.bus import Message
from shared.homes.home import Home
from shared.messages.dead_letters import bury
from shared.watch.log import message_context
from shared.watch.trace import consuming

log = structlog.get_logger()

Handler = Callable[[Message, Home], None]

_SCARCE = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def handler_of(function: str) -> Handler:
    """What hands messages to ``functions/<function>/main.py``; imported when the first one comes."""

    def handle(message: Message, home: Home) -> None:
        importlib.import_module(f"functions.{function}.main").handle(message, home)

    return handle


def deliver(message: Message, home: Home, handle: Handler) -> Transient | None:
    """Handle one message; returns why it must come again, or ``None`` to acknowledge it.

    What can never succeed, and what broke its handler time and again, is buried among the dead
    letters; until then an exception that is none of ours is raised.
    """
    with message_context(message), consuming(message):
        try:
            handle(message, home)
        except Transient as error:
            log.info("message.turned_back", code=error.code)
            return error
        except Permanent as error:
            bury(home, message, error)
        except Exception as error:
            log.error("handler.raised", error_type=type(error).__name__, exc_info=error)
            if message.delivery_attempt < home.settings.max_attempts:
                raise
            bury(home, message, _exhausted(message, error))
        return None


def _exhausted(message: Message, error: Exception) -> AttemptsExhausted:
    last = BackendFailed("the handler", f"{type(error).__name__}: {error}").to_json()
    return AttemptsExhausted(message.delivery_attempt, last, service=message.attributes.get("step"))


@contextmanager
def one_of_ours(service: str, backend_name: str, backend_version: str | None) -> Iterator[None]:
    """Turn whatever is raised inside into one of our errors, and say where it happened.

    Scarcity (memory, disk, open files) is transient; anything unforeseen is ``backend_failed``.
    """
    try:
        yield
    except RushesError as error:
        error.locate(service=service, backend_version=backend_version)
        raise
    except Exception as error:
        ours = _ours(error, backend_name)
        if not ours.transient:
            log.error("engine.raised", error_type=type(error).__name__, exc_info=error)
        raise ours.locate(service=service, backend_version=backend_version) from error


def _ours(error: Exception, backend_name: str) -> RushesError:
    if isinstance(error, MemoryError):
        return Unavailable("memory", "the machine ran out of it")
    if isinstance(error, OSError) and error.errno in _SCARCE:
        return Unavailable("this machine", str(error.strerror))
    return BackendFailed(backend_name, f"{type(error).__name__}: {error}")
