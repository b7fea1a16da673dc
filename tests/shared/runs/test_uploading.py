"""Putting a recording into the bucket: names as they can be kept and shown, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import UnsupportedMedia
from shared.homes.home import Home
from shared.runs.intake import Wishes
from shared.runs.uploading import object_name, shown, upload
from tests.toy import CTX


def test_an_empty_file_is_refused_and_nothing_is_kept(home: Home, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(UnsupportedMedia, match="empty"):
        upload(home, CTX, tmp_path / "empty.wav")
    assert list(home.objects.list("tenants/")) == [] and home.bus.pull(["uploads"]) == []


def test_the_object_says_what_it_is_and_what_is_wished(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "Take 1\n.flac"
    path.write_bytes(b"one byte and more")
    keys = [upload(home, CTX, path, Wishes(steps=("toy.one",))).key for _ in range(2)]
    assert keys[0] != keys[1], "the same file twice are two uploads"
    info = home.objects.stat(keys[0])
    assert info is not None and info.content_type in ("audio/flac", "audio/x-flac")
    assert keys[0].startswith("tenants/t1/dev/uploads/") and keys[0].endswith("/Take 1%0A.flac")
    assert info.metadata == {"rushes-steps": "toy.one", "rushes-name": "Take 1\\x0a.flac"}
    announced = home.bus.pull(["uploads"], limit=5)
    assert [one.message.attributes["objectId"] for one in announced] == keys


def test_a_long_name_keeps_its_end() -> None:
    assert object_name("ä" * 300 + ".wav").endswith("ä.wav")
    assert len(object_name("ä" * 300 + ".wav").encode()) in (254, 255)
    assert object_name("x" * 255) == object_name("y" + "x" * 255) == "x" * 255
    assert shown("a\x1b[31m\udcff") == "a\\x1b[31m�"
