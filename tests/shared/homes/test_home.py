"""A home is made where it is wanted, and finds what an earlier process left there."""

from __future__ import annotations

from pathlib import Path

from shared.homes.home import consumed_topics
from tests.toy import embedded_home


def test_a_home_is_made_with_its_folders_and_found_again(tmp_path: Path) -> None:
    place = tmp_path / "not" / "there" / "yet"
    first = embedded_home(place)
    first.objects.put("a/b.wav", b"sound", content_type="audio/wav")
    first.documents.put("rows/1", {"n": 1})
    first.bus.publish("uploads", b"1", {})
    again = embedded_home(place)
    assert b"".join(again.objects.read("a/b.wav")) == b"sound"
    assert again.documents.get("rows/1") is not None
    (delivery,) = again.bus.pull(list(consumed_topics()))
    assert (delivery.subscription, delivery.message.data) == ("uploads", b"1")
