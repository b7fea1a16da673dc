"""What a handler's errors mean for its message."""

from __future__ import annotations

import pytest

from shared.contracts.message import Message
from shared.contracts.topics import DEAD_TOPIC
from shared.errors import BackendFailed, Unavailable
from shared.homes.home import Home
from shared.messages.delivery import deliver


def raising(error: Exception) -> object:
    def handle(_message: Message, _home: Home) -> None:
        raise error

    return handle


def given_up(home: Home, error: Exception, attempt: int = 1) -> list[str]:
    """The codes of what is buried when a handler raises it; raises what it lets through."""
    message = Message("m", b"{}", {"step": "toy.one"}, delivery_attempt=attempt)
    assert deliver(message, home, raising(error)) is None  # type: ignore[arg-type]
    return [one.message.attributes["code"] for one in home.bus.pull([DEAD_TOPIC], limit=5)]


def test_what_is_away_comes_again_and_is_no_letter(home: Home) -> None:
    away = Unavailable("the bucket", "for now")
    assert deliver(Message("m", b"{}", {}), home, raising(away)) is away  # type: ignore[arg-type]
    assert home.bus.pull([DEAD_TOPIC]) == []


@pytest.mark.allow_error_logs
def test_what_can_never_be_is_a_letter_at_once(home: Home) -> None:
    assert given_up(home, BackendFailed("toy", "told to")) == ["backend_failed"]


@pytest.mark.allow_error_logs
@pytest.mark.parametrize("more", [0, 1, 7])
def test_what_breaks_its_handler_is_a_letter_after_as_many_tries_as_are_allowed(
    home: Home, more: int
) -> None:
    bug, most = ZeroDivisionError("told to"), home.settings.max_attempts
    for attempt in range(1, most):
        with pytest.raises(ZeroDivisionError):
            given_up(home, bug, attempt)
    assert given_up(home, bug, most + more) == ["attempts_exhausted"]
