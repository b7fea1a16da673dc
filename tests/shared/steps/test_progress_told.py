"""Progress is written where people see it move, and not so often that a store asks money for it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from shared.errors import LeaseLost
from shared.steps.progress_told import EVERY_S, ProgressTold


class Held:
    """A lease that is held, until it is not."""

    lost = False

    def check(self) -> None:
        if self.lost:
            raise LeaseLost(1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock of a machine that has just started shows, as its one item."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def told_by(
    clock: list[float], every_s: float, reports: list[tuple[float, float]], lease: Any = None
) -> list[float]:
    """What is written of ``reports``: (seconds since the one before, fraction)."""
    written: list[float] = []
    progress = ProgressTold(lease or Held(), every_s, written.append)
    for passed_s, fraction in reports:
        clock[0] += passed_s
        progress(fraction)
    return written


@pytest.mark.parametrize(("home", "writes"), [("embedded", 20), ("google", 5)])
def test_ten_seconds_of_work_are_so_many_writes(home: str, writes: int, clock: list[float]) -> None:
    reports = [(0.125, n / 80) for n in range(1, 81)]
    assert len(told_by(clock, EVERY_S[home], reports)) == writes


def test_the_first_news_is_told_at_once_and_then_what_is_new_enough(clock: list[float]) -> None:
    reports = [(0.0, 0.25), (0.25, 0.5), (0.25, 0.5), (9.0, 0.515625), (0.0, 0.53125)]
    assert told_by(clock, 0.5, reports) == [0.25, 0.5, 0.53125]


def test_it_is_a_fraction_whatever_an_engine_reports(clock: list[float]) -> None:
    assert told_by(clock, 0.5, [(1.0, -3.0), (1.0, 0.5), (1.0, 7.0)]) == [0.5, 1.0]


def test_who_has_lost_the_lease_is_stopped(clock: list[float]) -> None:
    lease = Held()
    lease.lost = True
    with pytest.raises(LeaseLost):
        told_by(clock, 0.5, [(1.0, 0.5)], lease)
