"""What every object store promises: the embedded one, and Google's client on the local server."""

import gzip
import hashlib
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from threading import Barrier
from typing import Any

import pytest
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from infra.local.gcs import reads
from shared.errors import (
    BackendFailed,
    Conflict,
    InputTooLarge,
    NotFound,
    Unavailable,
    ValidationError,
)
from shared.homes.objects import ABSENT, NewObject, ObjectInfo, Objects, index
from shared.homes.objects.embedded_objects import EmbeddedObjects
from shared.homes.objects.fetch import fetch_object
from shared.homes.objects.files import md5_of
from shared.homes.objects.google_objects import GoogleObjects
from shared.homes.objects.guarded_writes import Facts, Guard
from shared.homes.objects.keys import relative_path
from tests.shared.homes.objects.strategies import KEYS

ROOT = Path(__file__).parents[2]
BLNS = ROOT.parent / "shared/media/bad/blns.json"
KEY = "tenants/t1/dev/uploads/Take 3.wav"
ReadAll = Callable[..., bytes]


def put(objects: Objects, key: str, data: bytes, **options: Any) -> ObjectInfo:
    return objects.put(key, data, content_type="audio/wav", **options)


def test_what_is_put_is_found(objects: Objects, read_all: ReadAll) -> None:
    before = time.time()
    info = put(objects, KEY, b"sound", metadata={"rushes-steps": "detect.hits"})
    assert (info.key, info.size, info.content_type) == (KEY, 5, "audio/wav")
    assert info.metadata == {"rushes-steps": "detect.hits"}
    assert before - 1 < info.updated_at < time.time() + 1
    assert objects.stat(KEY) == info
    assert read_all(KEY) == b"sound"


def test_what_is_absent_is_not_found(objects: Objects) -> None:
    assert objects.stat(KEY) is None
    assert objects.delete(KEY) is False
    assert list(objects.list("tenants/")) == []
    with pytest.raises(NotFound):
        b"".join(objects.read(KEY))
    with pytest.raises(NotFound):
        objects.copy(KEY, "b.wav")


def test_an_empty_object_is_one(objects: Objects, read_all: ReadAll) -> None:
    assert put(objects, KEY, b"").size == 0
    assert read_all(KEY) == b""


def test_several_are_created_at_once_where_there_are_none(
    objects: Objects, read_all: ReadAll, tmp_path: Path
) -> None:
    path = tmp_path / "new.wav"
    path.write_bytes(b"new")
    standing = objects.put("b.wav", b"standing", content_type="audio/wav")
    made = objects.create_all([NewObject(f"{name}.wav", path, "audio/wav") for name in "abc"])
    assert sorted(made) == ["a.wav", "c.wav"]
    assert [read_all(f"{name}.wav") for name in "abc"] == [b"new", b"standing", b"new"]
    assert objects.stat("a.wav") == made["a.wav"]
    assert objects.stat("b.wav") == standing
    assert objects.create_all([]) == {}


def test_of_many_creators_one_wins(objects: Objects, read_all: ReadAll) -> None:
    start = Barrier(20)

    def create(number: int) -> bool:
        start.wait()
        try:
            put(objects, KEY, b"%d" % number, if_generation=ABSENT)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(create, range(20)))
    assert won.count(True) == 1
    assert read_all(KEY) == b"%d" % won.index(True)


def test_a_stale_generation_conflicts(objects: Objects, read_all: ReadAll) -> None:
    first = put(objects, KEY, b"1")
    second = put(objects, KEY, b"2", if_generation=first.generation)
    assert second.generation > first.generation
    with pytest.raises(Conflict):
        put(objects, KEY, b"3", if_generation=first.generation)
    with pytest.raises(Conflict):
        put(objects, KEY, b"3", if_generation=ABSENT)
    with pytest.raises(Conflict):
        objects.delete(KEY, if_generation=first.generation)
    assert read_all(KEY) == b"2"
    assert objects.delete(KEY, if_generation=second.generation) is True


def test_generations_grow_also_across_a_deletion(objects: Objects) -> None:
    first = put(objects, KEY, b"1")
    objects.delete(KEY)
    assert put(objects, KEY, b"1").generation > first.generation > 10**15


def test_only_the_generation_that_is_there_can_be_read(objects: Objects, read_all: ReadAll) -> None:
    first = put(objects, KEY, b"1")
    assert read_all(KEY, generation=first.generation) == b"1"
    second = put(objects, KEY, b"2")
    with pytest.raises(NotFound):
        read_all(KEY, generation=first.generation)
    assert read_all(KEY, generation=second.generation) == b"2"


def test_reading_can_begin_anywhere(objects: Objects) -> None:
    data = bytes(range(256)) * 20
    objects.put(KEY, data, content_type="audio/wav")
    for start in (0, 1, 3000, len(data) - 1, len(data)):
        assert b"".join(objects.read(KEY, start=start)) == data[start:]


def test_copies_keep_bytes_and_facts_and_live_on(objects: Objects, read_all: ReadAll) -> None:
    original = put(objects, KEY, b"sound", metadata={"a": "b"})
    put(objects, "copy.wav", b"earlier")
    copied = objects.copy(KEY, "copy.wav", generation=original.generation)
    assert (copied.size, copied.content_type, copied.metadata) == (5, "audio/wav", {"a": "b"})
    objects.copy(KEY, "copy.wav")  # once more: the same bytes, a new generation
    put(objects, KEY, b"other")
    with pytest.raises(NotFound):
        objects.copy(KEY, "copy.wav", generation=original.generation)
    objects.delete(KEY)
    assert read_all("copy.wav") == b"sound"
    assert objects.stat("copy.wav").generation > copied.generation


def test_lists_are_in_key_order_and_keep_to_the_prefix(objects: Objects) -> None:
    keys = ["t/a", "t/a/b", "t/a b", "t/Z", "t/é", "t/🎸", "t/\uffee", "tt/a", "t"]
    for key in keys:
        put(objects, key, b"")
    expected = sorted((key for key in keys if key.startswith("t/")), key=str.encode)
    assert [info.key for info in objects.list("t/")] == expected
    assert [info.key for info in objects.list("")] == sorted(keys, key=str.encode)


def test_a_list_may_be_of_what_was_written_of_late(objects: Objects) -> None:
    old = put(objects, "a/1", b"1")
    assert list(objects.list("a/", written_after=old.updated_at + 60)) == []
    assert list(objects.list("a/", written_after=old.updated_at - 60)) == [old]


def test_a_list_of_many_pages_comes_whole(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_PAGE_ROWS", 2)
    monkeypatch.setattr(reads, "_MAX_PAGE", 3)
    keys = [f"n/{number:02}" for number in range(13)]
    for key in keys:
        put(objects, key, b"")
    put(objects, "o", b"")
    assert [info.key for info in objects.list("n/")] == keys


def test_large_files_arrive_whole_in_blocks(objects: Objects, tmp_path: Path) -> None:
    data = Random(1).randbytes(30_000_001)
    (tmp_path / "large").write_bytes(data)
    objects.put(KEY, tmp_path / "large", content_type="audio/wav", if_generation=ABSENT)
    digest, longest = hashlib.sha256(), 0
    for block in objects.read(KEY):
        digest.update(block)
        longest = max(longest, len(block))
    assert digest.digest() == hashlib.sha256(data).digest()
    assert longest == 1 << 20


@pytest.mark.parametrize("key", ["", "x" * 1025, "é" * 513, "a\0b", ".", "..", "\ud800"])
def test_impossible_keys_are_refused(objects: Objects, key: str, tmp_path: Path) -> None:
    for call in (objects.stat, objects.delete, objects.read, objects.uri):
        with pytest.raises(ValidationError):
            call(key)
    with pytest.raises(ValidationError):
        put(objects, key, b"")
    made = tmp_path / "made"
    made.touch()
    with pytest.raises(ValidationError):
        objects.create_all([NewObject(key, made, "audio/wav")])


@pytest.mark.heavy
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(keys=st.sets(KEYS, min_size=1, max_size=3))
@example(keys={"a", "a/", "a/b", "a//b", "/a", "a/b/"})
@example(keys={"a/../../b", "../b", "../../etc/passwd", "a/./b"})
@example(keys={"/" * 1024, "\x01" * 1024, "🎸" * 256, "-" * 1024})
def test_hostile_keys_are_keys_like_others(
    objects: Objects, read_all: ReadAll, keys: set[str]
) -> None:
    for key in keys:
        put(objects, key, key.encode())
    assert [info.key for info in objects.list("")] == sorted(keys, key=str.encode)
    assert all(read_all(key) == key.encode() for key in keys)
    assert all(objects.delete(key) for key in keys)
    assert list(objects.list("")) == []


@pytest.mark.skipif(not BLNS.exists(), reason="the list of naughty strings is not here")
def test_naughty_strings_are_keys(objects: Objects) -> None:
    naughty = sorted({text for text in json.loads(BLNS.read_text()) if text})
    assert len({relative_path(f"t/{text}") for text in naughty}) == len(naughty) > 400
    some = naughty[::9]
    for text in some:
        put(objects, f"t/{text}", b"")
    assert [info.key for info in objects.list("t/")] == [f"t/{text}" for text in some]


def test_a_dead_service_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1")
    objects = GoogleObjects("rushes-test", "rushes-local", retry_s=0.1)
    for call in (objects.stat, objects.delete, objects.read):
        with pytest.raises(Unavailable):
            call(KEY)
    with pytest.raises(Unavailable):
        list(objects.list(""))


@pytest.mark.parametrize(
    ("raised", "meant"),
    [
        (api.Unauthorized("no"), Unavailable),
        (auth.RefreshError("no"), Unavailable),  # type: ignore[no-untyped-call]
        (api.ServiceUnavailable("no"), Unavailable),
        (api.Forbidden("no"), BackendFailed),
        (api.NotFound("no"), NotFound),
        (api.PreconditionFailed("no"), Conflict),
    ],
)
def test_what_the_service_answers_means_to_us(
    raised: Exception, meant: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1")
    objects = GoogleObjects("rushes-test", "rushes-local", retry_s=0.0)

    def refuse(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(objects._bucket, "get_blob", refuse)
    with pytest.raises(meant):
        objects.read(KEY)


def test_an_empty_object_is_read_where_the_server_leaves_its_size_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1")
    objects = GoogleObjects("rushes-test", "rushes-local", retry_s=0.0)
    blob = objects._bucket.blob(KEY)
    blob._set_properties({"name": KEY, "generation": "1", "updated": "2026-01-01T00:00:00Z"})
    monkeypatch.setattr(objects._bucket, "get_blob", lambda *_, **__: blob)
    found = objects.stat(KEY)
    assert found is not None and found.size == 0
    assert list(objects.read(KEY)) == []


def test_uris_name_home_and_key(objects: Objects) -> None:
    uri = objects.uri(KEY)
    assert uri.startswith(("file:///", "gs://rushes-test/tenants/t1"))
    assert uri.startswith("file") == isinstance(objects, EmbeddedObjects)


def test_what_is_stored_as_gzip_is_told_and_read_as_it_is_stored(
    objects: Objects, tmp_path: Path
) -> None:
    """Uploaded as gsutil's -z does; ours to decode, whoever holds it."""
    stored = gzip.compress(b"sound" * 1000)
    embedded = objects if isinstance(objects, EmbeddedObjects) else None
    if embedded is None:
        client = objects._client  # type: ignore[attr-defined]
        blob = client.bucket("rushes-test").blob(KEY)
        blob.content_encoding = "gzip"
        blob.upload_from_string(stored, content_type="audio/wav")
    else:
        path = tmp_path / "objects" / ".index" / "upload"
        path.write_bytes(stored)
        facts = Facts("audio/wav", {}, md5_of(path), fields={"contentEncoding": "gzip"})
        assert embedded.take(KEY, path, facts, Guard()).content_encoding == "gzip"
    info = objects.stat(KEY)
    assert info is not None and info in list(objects.list("tenants/"))
    assert (info.content_encoding, info.size) == ("gzip", len(stored))
    assert b"".join(objects.read(KEY)) == stored
    fetched = fetch_object(objects, KEY, tmp_path / "a.wav", max_bytes=5000)
    assert fetched.path.read_bytes() == b"sound" * 1000 and fetched.decoded
    with pytest.raises(InputTooLarge):
        fetch_object(objects, KEY, tmp_path / "a.wav", max_bytes=4999)
    assert objects.copy(KEY, "copy.wav").content_encoding == "gzip"
