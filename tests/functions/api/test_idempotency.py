"""A key does its action once: of many at once, and however the first of them ends."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from functions.api.idempotency import ACTING_S, Once
from shared.errors import Conflict, Unavailable
from tests.functions.api.conftest import Desk
from tests.toy import at_time


def test_of_many_at_once_one_acts(desk: Desk) -> None:
    once, start, acted = Once(desk.ctx, "/redrive", "k"), Barrier(8), []

    def ask(number: int) -> None:
        start.wait(30)
        once.act(desk.home.documents, lambda: acted.append(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    once.act(desk.home.documents, lambda: acted.append(9))
    assert len(acted) == 1
    Once(desk.ctx, "/redrive", "other").act(desk.home.documents, lambda: acted.append(8))
    Once(desk.ctx, "/redrive", None).act(desk.home.documents, lambda: acted.append(7))
    assert acted[1:] == [8, 7]


def test_an_action_that_fails_may_be_asked_for_again(desk: Desk) -> None:
    once, done = Once(desk.ctx, "/redrive", "k"), Event()

    def fail() -> None:
        raise Unavailable("the bus", "it is away")

    with pytest.raises(Unavailable):
        once.act(desk.home.documents, fail)
    once.act(desk.home.documents, done.set)
    assert done.is_set()


def test_an_action_whose_process_died_is_done_by_who_asks_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, done = Once(desk.ctx, "/redrive", "k"), Event()
    with monkeypatch.context() as dead:
        dead.setattr(desk.home.documents, "delete", lambda *_, **__: True)
        with pytest.raises(SystemExit):
            once.act(desk.home.documents, lambda: (_ for _ in ()).throw(SystemExit))
    once.act(desk.home.documents, done.set)
    assert not done.is_set(), "it may still be on its way"
    with at_time(time.time() + ACTING_S + 1):
        once.act(desk.home.documents, done.set)
    assert done.is_set()


def test_another_body_under_a_used_key_is_refused(desk: Desk) -> None:
    once = Once(desk.ctx, "/clips", "k")
    once.check(desk.home.documents, {"a": 1})
    once.check(desk.home.documents, {"a": 1})
    with pytest.raises(Conflict):
        once.check(desk.home.documents, {"a": 2})
    assert once.identifier("clip") == Once(desk.ctx, "/clips", "k").identifier("clip")
