"""Objects that are stored as gzip: decoded while they are fetched, and never beyond the limit."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputTooLarge, TransientDownload, UnsupportedMedia
from shared.homes.objects import ObjectInfo
from shared.homes.objects.encodings import Stored, encoding_of, most_stored_bytes
from shared.homes.objects.fetch import Fetched, fetch_object

DATA = bytes(range(256)) * 40
BOMB_BYTES = 64 << 20


class Store:
    """One object, in blocks of a size that breaks every header."""

    def __init__(self, data: bytes, encoding: str, *, block_bytes: int = 7, cut: int = 0) -> None:
        self.data, self.encoding, self.block_bytes = data, encoding, block_bytes
        self.arrive = len(data) - cut

    def stat(self, key: str) -> ObjectInfo:
        return ObjectInfo(key, len(self.data), 1, "audio/wav", content_encoding=self.encoding)

    def read(self, key: str, *, generation: int | None = None) -> Iterator[bytes]:
        for start in range(0, self.arrive, self.block_bytes):
            yield self.data[start : min(start + self.block_bytes, self.arrive)]


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


def fetch(store: Store, folder: Path, max_bytes: int = len(DATA)) -> Fetched:
    return fetch_object(store, "a.wav", folder / "a.wav", max_bytes=max_bytes)


@pytest.mark.parametrize(
    ("stored", "label"),
    [
        (gzip.compress(DATA), "gzip"),
        (gzip.compress(DATA), "GZIP"),
        (gzip.compress(DATA), "x-gzip"),
        (gzip.compress(DATA), "gzip,aws-chunked"),
        (gzip.compress(DATA, 0), "gzip"),
        (gzip.compress(DATA[:100]) + gzip.compress(b"") + gzip.compress(DATA[100:]), "gzip"),
        (gzip.compress(DATA) + bytes(512), "gzip"),
        (DATA, "gzip"),
        (DATA, "identity"),
        (DATA, "aws-chunked"),
        (DATA, ""),
    ],
)
def test_an_asset_is_its_decoded_bytes(stored: bytes, label: str, tmp_path: Path) -> None:
    fetched = fetch(Store(stored, label), tmp_path)
    assert fetched.path.read_bytes() == DATA
    assert (fetched.bytes, fetched.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())


def test_the_limit_is_of_the_decoded_bytes(tmp_path: Path) -> None:
    noise = Random(1).randbytes(100_000)
    grown = gzip.compress(noise)
    assert len(grown) > len(noise)
    assert fetch(Store(grown, "gzip", block_bytes=4096), tmp_path, len(noise)).bytes == len(noise)
    with pytest.raises(InputTooLarge):
        fetch(Store(grown, "gzip", block_bytes=4096), tmp_path, len(noise) - 1)


def test_a_bomb_is_stopped_at_the_limit_and_takes_no_memory(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(BOMB_BYTES), 9, 31)
    assert len(bomb) < 100_000
    tracemalloc.start()
    with pytest.raises(InputTooLarge) as caught:
        fetch(Store(bomb, "gzip", block_bytes=1 << 20), tmp_path, 3_000_000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.fields["received_bytes"] <= 3_000_000 + (1 << 20)
    assert peak_bytes < 8 << 20
    assert list(tmp_path.iterdir()) == []


def test_what_is_stored_broken_is_refused_and_what_arrives_broken_comes_again(
    tmp_path: Path,
) -> None:
    whole = gzip.compress(DATA)
    for broken in (whole[:-9], whole[:20], whole[:-8] + bytes(8), whole[:40] + b"\xff" * 40):
        with pytest.raises(UnsupportedMedia, match="upload it again"):
            fetch(Store(broken, "gzip"), tmp_path)
    with pytest.raises(TransientDownload):
        fetch(Store(whole, "gzip", cut=9), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("label", ["br", "zstd", "deflate", "gzip, gzip", "gzip;q=1"])
def test_another_encoding_is_refused_by_its_name(label: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia, match="Content-Encoding"):
        fetch(Store(b"?", label), tmp_path)


@given(st.lists(st.binary(max_size=300), max_size=4), st.integers(1, 50), st.integers(0, 9))
def test_any_bytes_come_back(parts: list[bytes], block_bytes: int, level: int) -> None:
    stored = b"".join(gzip.compress(part, level) for part in parts)
    blocks = [stored[i : i + block_bytes] for i in range(0, len(stored), block_bytes)]
    assert b"".join(Stored(blocks).gunzipped()) == b"".join(parts)
    assert len(gzip.compress(b"".join(parts), level)) <= most_stored_bytes(len(b"".join(parts)))
    assert encoding_of("gzip") == "gzip"
