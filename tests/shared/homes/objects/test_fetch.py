"""Fetching inputs: size guards, retries, checksums, and nothing left behind."""

import gzip
import hashlib
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
import stamina
from moto.server import ThreadedMotoServer
from structlog.testing import capture_logs

from shared.errors import (
    BackendFailed,
    InputTooLarge,
    MissingDependency,
    NotFound,
    TransientDownload,
    Unavailable,
    ValidationError,
)
from shared.homes.objects import ObjectInfo
from shared.homes.objects.embedded_objects import EmbeddedObjects
from shared.homes.objects.fetch import ensure_local, fetch_object
from shared.homes.objects.s3 import S3Objects
from tests.listening import listening

KEY = "tenants/t1/dev/uploads/secret name.wav"
DATA = b"sound" * 100


class Flaky:
    """A store that breaks off ``failures`` times, and claims whatever ``size`` says."""

    def __init__(self, data: bytes, *, failures: int = 0, size: int | None = None) -> None:
        self.data, self.failures = data, failures
        self.size = len(data) if size is None else size
        self.reads = 0

    def stat(self, key: str) -> ObjectInfo:
        return ObjectInfo(key, self.size, 1, "audio/wav")

    def read(self, key: str, *, generation: int | None = None) -> Iterator[bytes]:
        self.reads += 1
        for start in range(0, len(self.data), 10):
            if start == 50 and self.reads <= self.failures:
                raise Unavailable("the network", "it broke")
            yield self.data[start : start + 10]


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def fetch(store: Any, folder: Path, max_bytes: int = 1000, **options: Any) -> Any:
    return fetch_object(store, KEY, folder / "source.wav", max_bytes=max_bytes, **options)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_the_file_is_whole_and_known_by_its_hash(tmp_path: Path, folder: Path) -> None:
    store = EmbeddedObjects(tmp_path / "objects")
    generation = store.put(KEY, DATA, content_type="audio/wav").generation
    fetched = fetch(store, folder, max_bytes=len(DATA), generation=generation)
    assert fetched.path.read_bytes() == DATA
    assert (fetched.sha256, fetched.bytes) == (hashlib.sha256(DATA).hexdigest(), len(DATA))
    assert names_in(folder) == ["source.wav"]
    with pytest.raises(NotFound):
        fetch(store, folder, generation=generation - 1)


def test_two_failures_are_survived_and_counted(folder: Path) -> None:
    store = Flaky(DATA, failures=2)
    with capture_logs() as logs:
        assert fetch(store, folder).path.read_bytes() == DATA
    assert store.reads == 3
    assert {"event": "fetch.done", "attempts": 3, "bytes": 500, "log_level": "info"} in logs
    assert "secret" not in str(logs)


def test_three_failures_are_one_too_many(folder: Path) -> None:
    store = Flaky(DATA, failures=3)
    with capture_logs() as logs, pytest.raises(TransientDownload) as caught:
        fetch(store, folder)
    assert caught.value.fields["details"]["attempts"] == store.reads == 3
    assert {"event": "fetch.gave_up", "attempts": 3, "log_level": "warning"} in logs
    assert names_in(folder) == []


def test_a_large_object_is_not_even_begun(folder: Path) -> None:
    store = Flaky(DATA)
    with pytest.raises(InputTooLarge) as caught:
        fetch(store, folder, max_bytes=499)
    assert caught.value.fields == {"max_bytes": 499, "received_bytes": 500}
    assert store.reads == 0


class Packed(Flaky):
    """The same, labelled as gzip."""

    def stat(self, key: str) -> ObjectInfo:
        return replace(super().stat(key), content_encoding="gzip")


def test_a_packed_object_is_not_begun_where_no_packing_makes_so_much_of_so_little(
    folder: Path,
) -> None:
    most = 20_000
    store = Packed(DATA, size=most + 2_000)
    with pytest.raises(InputTooLarge):
        fetch(store, folder, max_bytes=most)
    assert store.reads == 0
    noise = random.Random(1).randbytes(most)
    whole = Packed(gzip.compress(noise, 1))
    assert len(whole.data) > most and fetch(whole, folder, max_bytes=most).bytes == most


def test_a_store_that_lies_is_stopped_while_streaming(folder: Path) -> None:
    store = Flaky(DATA, size=10)
    with pytest.raises(InputTooLarge) as caught:
        fetch(store, folder, max_bytes=99)
    assert caught.value.fields["received_bytes"] == 100
    assert store.reads == 1
    assert names_in(folder) == []


def test_too_few_bytes_are_a_failed_download(folder: Path) -> None:
    with pytest.raises(TransientDownload):
        fetch(Flaky(DATA, size=501), folder)
    assert names_in(folder) == []


def test_a_failure_keeps_the_file_that_was_there(folder: Path) -> None:
    (folder / "source.wav").write_bytes(b"old")
    with pytest.raises(TransientDownload):
        fetch(Flaky(DATA, failures=9), folder)
    assert (folder / "source.wav").read_bytes() == b"old"


def test_a_remote_file_is_there_for_its_use_alone(folder: Path) -> None:
    asked = []

    def objects_for(scheme: str, bucket: str) -> Flaky:
        asked.append((scheme, bucket))
        return Flaky(DATA)

    uri = "gs://a-bucket/some/key with #?%20.wav"
    with ensure_local(uri, folder, max_bytes=1000, objects_for=objects_for) as local:
        assert local.path.read_bytes() == DATA
        assert local.path.parent == folder and local.path.suffix == ".wav"
    assert names_in(folder) == []
    assert asked == [("gs", "a-bucket")]
    with (
        pytest.raises(ZeroDivisionError),
        ensure_local(uri, folder, max_bytes=1000, objects_for=objects_for),
    ):
        raise ZeroDivisionError
    assert names_in(folder) == []


def test_a_local_file_is_used_where_it_is(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "a take, 100 %.wav"
    path.write_bytes(DATA)
    for uri in (path, str(path), path.as_uri()):
        with ensure_local(uri, folder, max_bytes=500) as local:
            assert (local.path, local.bytes) == (path, 500)
            assert local.sha256 == hashlib.sha256(DATA).hexdigest()
    with pytest.raises(InputTooLarge), ensure_local(path, folder, max_bytes=499):
        pass
    assert path.exists()
    assert names_in(folder) == []


@pytest.mark.parametrize(
    "uri",
    [
        "http://example.com/a.wav",
        "https://example.com/a.wav",
        "ftp://example.com/a.wav",
        "data:audio/wav;base64,AAAA",
        "file://host/etc/passwd",
        "file:relative.wav",
        "concat:a.wav|b.wav",
        "gs://bucket",
        "gs:///key",
        "gs://UPPER/key",
        "s3://../key",
    ],
)
def test_other_addresses_are_refused(uri: str, folder: Path) -> None:
    with pytest.raises(ValidationError), ensure_local(uri, folder, max_bytes=1):
        pass


@pytest.mark.parametrize("name", ["Interview: Anna.wav", "take:2.wav", "file:a.wav", "gs:b/a.wav"])
def test_a_file_here_may_have_a_colon_in_its_name(
    name: str, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_bytes(b"sound")
    with ensure_local(name, folder, max_bytes=10) as fetched:
        assert fetched.bytes == 5 and fetched.path == Path(name)


def test_only_regular_files_are_taken(tmp_path: Path, folder: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path, Path("a\0b")):
        with pytest.raises(ValidationError), ensure_local(path, folder, max_bytes=10**9):
            pass
    with pytest.raises(NotFound), ensure_local(tmp_path / "missing", folder, max_bytes=1):
        pass


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    import boto3

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="recordings")
        client.put_object(Bucket="recordings", Key="a/é #.wav", Body=DATA, ContentType="audio/wav")
        yield client
    server.stop()


def test_s3_objects_are_fetched(s3: Any, folder: Path) -> None:
    with ensure_local("s3://recordings/a/é #.wav", folder, max_bytes=500) as local:
        assert local.path.read_bytes() == DATA
    with pytest.raises(NotFound), ensure_local("s3://recordings/b", folder, max_bytes=500):
        pass
    with pytest.raises(NotFound), ensure_local("s3://other/b", folder, max_bytes=500):
        pass
    with (
        pytest.raises(InputTooLarge),
        ensure_local("s3://recordings/a/é #.wav", folder, max_bytes=499),
    ):
        pass
    assert names_in(folder) == []


def test_a_large_s3_object_passes_by_in_blocks(s3: Any) -> None:
    s3.put_object(Bucket="recordings", Key="large", Body=bytes(3 << 20))
    blocks = [len(block) for block in S3Objects("recordings").read("large")]
    assert max(blocks) <= 1 << 20 and sum(blocks) == 3 << 20


def test_another_version_of_an_s3_object_is_not_taken_for_the_one_that_was_announced(
    s3: Any,
) -> None:
    store, key = S3Objects("recordings"), "a/é #.wav"
    info = store.stat(key)
    assert info and info.generation == info.updated_at * 1_000_000
    assert b"".join(store.read(key, generation=info.generation)) == DATA
    with pytest.raises(NotFound):
        store.read(key, generation=info.generation - 1_000_000)


def test_s3_objects_that_are_stored_as_gzip_are_decoded(s3: Any, folder: Path) -> None:
    stored = {"Body": gzip.compress(DATA), "ContentEncoding": "gzip"}
    s3.put_object(Bucket="recordings", Key="packed.wav", **stored)
    with ensure_local("s3://recordings/packed.wav", folder, max_bytes=500) as local:
        assert local.path.read_bytes() == DATA
        assert (local.sha256, local.bytes) == (hashlib.sha256(DATA).hexdigest(), 500)
    with (
        pytest.raises(InputTooLarge),
        ensure_local("s3://recordings/packed.wav", folder, max_bytes=499),
    ):
        pass


ODD_KEYS = [
    *("a/../b.wav", "../b.wav", "a/./b.wav", "a//b.wav", "/a.wav", "a/..", "a/b%2e%2e/c.wav"),
    *("%2E%2E/a.wav", "a b+c.wav", "a/%2F/b.wav", "a\\b.wav", "a;b=c.wav", "~a.wav", "a\tb.wav"),
    *("é #?&.wav", "a:b@c,d!$'()*.wav", "a/ /b.wav", "日本.wav"),
]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_just_the_s3_key_that_is_named_is_fetched(key: str, s3: Any, folder: Path) -> None:
    s3.put_object(Bucket="recordings", Key=key, Body=key.encode())
    for resolved in ("b.wav", "a.wav", "a/b.wav"):
        s3.put_object(Bucket="recordings", Key=resolved, Body=b"another")
    with ensure_local(f"s3://recordings/{key}", folder, max_bytes=500) as local:
        assert local.path.read_bytes() == key.encode()


class Wire(BaseHTTPRequestHandler):
    """Keeps the paths that are asked for, and knows nothing."""

    paths: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.paths.append(self.path)
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, Unavailable), (503, Unavailable), (429, Unavailable), (403, BackendFailed)],
)
def test_what_passes_at_s3_is_told_from_what_stays(
    status: int, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(Wire):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "test")
    with listening(Refusing) as address, pytest.raises(error):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        S3Objects("recordings").stat("a.wav")


@pytest.mark.parametrize("key", ODD_KEYS)
def test_the_path_that_is_signed_is_the_path_that_is_sent(
    key: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with listening(Wire) as address, caplog.at_level("DEBUG", logger="botocore.auth"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        assert S3Objects("recordings").stat(key) is None
    (canonical,) = (
        record.getMessage()
        for record in caplog.records
        if record.getMessage().startswith("CanonicalRequest")
    )
    signed = canonical.split("\n")[2]
    assert Wire.paths[-1] == signed == f"/recordings/{quote(key, safe='/~')}"


def test_a_dead_s3_is_tried_three_times(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with (
        pytest.raises(TransientDownload) as caught,
        ensure_local("s3://recordings/a.wav", folder, max_bytes=1),
    ):
        pass
    assert caught.value.fields["details"]["attempts"] == 3
    assert names_in(folder) == []


@pytest.mark.parametrize(
    ("scheme", "module", "extra"),
    [("s3", "botocore", "rushes[s3]"), ("gs", "google.cloud.storage.exceptions", "rushes[google]")],
)
def test_a_missing_library_is_named_with_its_extra(
    scheme: str, module: str, extra: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(MissingDependency, match=extra.replace("[", r"\[")),
        ensure_local(f"{scheme}://bucket/a.wav", folder, max_bytes=1),
    ):
        pass
