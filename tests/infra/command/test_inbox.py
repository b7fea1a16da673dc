"""The inbox: a file is taken in once its copying has ended, whatever its own time says."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from infra.command.inbox import SETTLED_S, Inbox


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """This process's own clock; the test turns its last entry on."""
    told = [1000.0]
    monkeypatch.setattr("infra.command.inbox.time.monotonic", lambda: told[-1])
    return told


@pytest.mark.parametrize("off_s", [-1e9, -0.2, 0.0, 2 * 3600.0, 1e9])
def test_a_file_is_told_whenever_its_camera_says_that_it_was_made(
    tmp_path: Path, clock: list[float], off_s: float
) -> None:
    """A card's local time read as UTC, or a camera that was never set, lies in the future."""
    take, inbox = tmp_path / "day" / "take.wav", Inbox(tmp_path)
    take.parent.mkdir()
    take.write_bytes(b"RIFF")
    os.utime(take, (time.time() + off_s,) * 2)
    assert list(inbox.settled()) == []
    clock.append(clock[-1] + SETTLED_S)
    assert list(inbox.settled()) == [take]
    inbox.taken(take)
    assert list(inbox.settled()) == []


def test_a_file_that_still_grows_waits_though_its_time_is_an_old_one(
    tmp_path: Path, clock: list[float]
) -> None:
    """So does a machine write whose clock runs behind, over the network."""
    take, inbox = tmp_path / "take.wav", Inbox(tmp_path)
    for size in (1, 2, 2):
        take.write_bytes(bytes(size))
        os.utime(take, (0, 0))
        clock.append(clock[-1] + SETTLED_S)
        found = list(inbox.settled())
    assert found == [take]
    inbox.taken(take)
    take.write_bytes(bytes(3))  # another take under its name
    assert list(inbox.settled()) == []
    clock.append(clock[-1] + SETTLED_S)
    assert list(inbox.settled()) == [take]
