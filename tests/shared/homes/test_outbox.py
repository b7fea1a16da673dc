"""Messages that are sent together: none before the end, all of them then, in their order."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.contracts.topics import UPLOADS_TOPIC
from shared.homes.bus import Outgoing
from shared.homes.home import Home
from shared.homes.outbox import sent_together
from tests.toy import embedded_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return embedded_home(tmp_path / "data")


def sent(home: Home) -> list[bytes]:
    return [one.message.data for one in home.bus.pull(["uploads"], limit=10, wait_s=0)]


def test_nothing_leaves_before_the_end_and_all_does_then(home: Home) -> None:
    with sent_together(home) as held:
        assert held.bus.publish(UPLOADS_TOPIC, b"1", {}) == ""
        held.bus.publish_all([Outgoing(UPLOADS_TOPIC, data, {}) for data in (b"2", b"3")])
        assert sent(home) == []
    assert sorted(sent(home)) == [b"1", b"2", b"3"]


def test_what_was_told_before_an_error_is_sent_all_the_same(home: Home) -> None:
    with pytest.raises(RuntimeError), sent_together(home) as held:
        held.bus.publish(UPLOADS_TOPIC, b"1", {})
        raise RuntimeError
    assert sent(home) == [b"1"]
