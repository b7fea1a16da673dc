"""The local bucket, as Google's own client and plain HTTP see it."""

import gzip
import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests
from google.api_core import exceptions
from google.cloud import storage

from infra.local.storage_server import StorageServer, serve
from shared.homes.objects.embedded_objects import EmbeddedObjects
from tests.infra.local.gcs.conftest import BUCKET
from tests.toy import wait_until

CHUNK = 256 << 10


def test_small_and_large_uploads_come_back(bucket: storage.Bucket) -> None:
    for size in (0, 10, 9 << 20):  # the client sends the last one as a resumable upload
        data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        blob = bucket.blob(f"a b/ü?#{size}.wav")
        blob.metadata = {"rushes-steps": "detect.hits"}
        blob.upload_from_string(data, "audio/wav", checksum="crc32c")
        found = bucket.get_blob(blob.name)
        assert (found.size, found.content_type) == (size, "audio/wav")
        assert found.metadata == {"rushes-steps": "detect.hits"}
        assert found.crc32c == blob.crc32c
        assert found.download_as_bytes(checksum="md5") == data


def test_a_resumable_upload_goes_in_chunks(bucket: storage.Bucket, tmp_path: Path) -> None:
    data = b"0123456789abcdef" * (3 * CHUNK // 16) + b"the rest"
    (tmp_path / "file").write_bytes(data)
    blob = bucket.blob("chunks.wav", chunk_size=CHUNK)
    blob._MAX_MULTIPART_SIZE = 0
    blob.upload_from_filename(tmp_path / "file", if_generation_match=0)
    assert bucket.blob("chunks.wav").download_as_bytes() == data


def test_a_stream_of_unknown_length_is_taken(bucket: storage.Bucket) -> None:
    with bucket.blob("stream", chunk_size=CHUNK).open("wb") as file:
        for _ in range(5):
            file.write(b"x" * 100_000)
    assert bucket.get_blob("stream").size == 500_000


def send_and_hang_up(address: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
    host, port = address.removeprefix("http://").split(":")
    lines = [f"PUT {url.removeprefix(address)} HTTP/1.1", f"Host: {host}:{port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def test_an_interrupted_upload_goes_on_where_it_broke(bucket: storage.Bucket, address: str) -> None:
    data = bytes(range(256)) * 4096
    url = bucket.blob("broken.wav").create_resumable_upload_session("audio/wav", size=len(data))
    headers = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}", "Content-Length": "1048576"}
    send_and_hang_up(address, url, headers, data[:600_000])

    def progress() -> requests.Response:
        return requests.put(url, headers={"Content-Range": f"bytes */{len(data)}"})

    wait_until(lambda: progress().headers.get("Range") == "bytes=0-599999")
    assert progress().status_code == 308
    assert bucket.get_blob("broken.wav") is None
    rest = {"Content-Range": f"bytes 600000-{len(data) - 1}/{len(data)}"}
    done = requests.put(url, data=data[600_000:], headers=rest)
    assert done.json()["size"] == str(len(data))
    assert progress().json() == done.json()
    assert bucket.blob("broken.wav").download_as_bytes() == data


def test_an_upload_is_resumed_on_another_server(
    bucket: storage.Bucket, server: StorageServer, objects: EmbeddedObjects, address: str
) -> None:
    url = bucket.blob("long.wav").create_resumable_upload_session("audio/wav")
    requests.put(url, data=b"12345", headers={"Content-Range": "bytes 0-4/*"})
    second = serve(objects, BUCKET, "127.0.0.1", 0, lambda data, attributes: None)
    url = url.replace(address, f"http://127.0.0.1:{second.port}")
    done = requests.put(url, data=b"67", headers={"Content-Range": "bytes 5-6/7"})
    second.stop()
    assert done.json()["contentType"] == "audio/wav"
    assert bucket.blob("long.wav").download_as_bytes() == b"1234567"


def test_a_cancelled_upload_is_forgotten(bucket: storage.Bucket) -> None:
    url = bucket.blob("never.wav").create_resumable_upload_session("audio/wav")
    assert requests.delete(url).status_code == 499
    assert requests.put(url, data=b"late").status_code == 404


def test_a_stalled_upload_blocks_nobody(bucket: storage.Bucket, address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    head = f"POST /upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=stalled HTTP/1.1"
    stalled = [socket.create_connection((host, int(port))) for _ in range(20)]
    for connection in stalled:
        connection.sendall(f"{head}\r\nContent-Length: 1000\r\n\r\nabc".encode())
    started = time.monotonic()
    bucket.blob("quick").upload_from_string(b"x")
    assert bucket.blob("quick").download_as_bytes() == b"x"
    assert time.monotonic() - started < 5
    for connection in stalled:
        connection.close()
    assert bucket.get_blob("stalled") is None


def test_preconditions(bucket: storage.Bucket) -> None:
    blob = bucket.blob("a")
    blob.upload_from_string(b"1", if_generation_match=0)
    first = blob.generation
    for stale in ({"if_generation_match": 0}, {"if_generation_not_match": first}):
        with pytest.raises(exceptions.PreconditionFailed):
            bucket.blob("a").upload_from_string(b"2", **stale)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("a").delete(if_metageneration_match=7)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("a").reload(if_generation_match=first + 1)
    with pytest.raises(exceptions.NotModified):
        bucket.blob("a").reload(if_generation_not_match=first)
    bucket.blob("a").upload_from_string(b"2", if_generation_match=first)
    with pytest.raises(exceptions.NotFound):
        bucket.blob("a", generation=first).download_as_bytes()


def test_metadata_is_amended_under_preconditions(bucket: storage.Bucket) -> None:
    blob = bucket.blob("a")
    blob.metadata = {"keep": "1", "drop": "2"}
    blob.upload_from_string(b"1", "audio/wav")
    blob.metadata = {"keep": "1", "drop": None, "new": "é"}
    blob.cache_control = "no-store"
    blob.patch(if_metageneration_match=1)
    found = bucket.get_blob("a")
    assert found.metadata == {"keep": "1", "new": "é"}
    assert (found.cache_control, found.content_type) == ("no-store", "audio/wav")
    assert (found.metageneration, found.generation) == (2, blob.generation)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.patch(if_metageneration_match=1)
    found.metadata = {"only": "this"}
    found.update()
    assert bucket.get_blob("a").metadata == {"only": "this"}


@pytest.mark.parametrize(
    ("asked", "status", "came", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-100", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=4-2", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_ranges(
    bucket: storage.Bucket,
    address: str,
    asked: str,
    status: int,
    came: bytes | None,
    content_range: str | None,
) -> None:
    bucket.blob("a/b").upload_from_string(b"0123456789")
    url = f"{address}/storage/v1/b/{BUCKET}/o/a%2Fb?alt=media"
    answer = requests.get(url, headers={"Range": asked})
    assert answer.status_code == status
    assert answer.headers.get("Content-Range") == content_range
    assert came is None or answer.content == came


def test_lists_fold_at_a_delimiter_and_come_in_pages(bucket: storage.Bucket) -> None:
    for name in ("a/1", "a/2", "b", "c/1", "c/d/1", "d"):
        bucket.blob(name).upload_from_string(b"")
    pages = bucket.list_blobs(delimiter="/", max_results=None, page_size=2)
    assert [blob.name for blob in pages] == ["b", "d"]
    assert pages.prefixes == {"a/", "c/"}
    assert [blob.name for blob in bucket.list_blobs(prefix="c/", page_size=1)] == ["c/1", "c/d/1"]
    between = bucket.list_blobs(start_offset="a/2", end_offset="c/d")
    assert [blob.name for blob in between] == ["a/2", "b", "c/1"]


def test_copy_rewrite_and_compose(bucket: storage.Bucket) -> None:
    one, two = bucket.blob("1"), bucket.blob("2")
    one.metadata = {"a": "b"}
    one.upload_from_string(b"one", "text/plain")
    two.upload_from_string(b"two", "text/plain")
    assert bucket.copy_blob(one, bucket, "copy").metadata == {"a": "b"}
    target = bucket.blob("rewritten")
    assert target.rewrite(one, if_generation_match=0) == (None, 3, 3)
    assert (target.metadata, target.md5_hash) == ({"a": "b"}, one.md5_hash)
    with pytest.raises(exceptions.PreconditionFailed):
        target.rewrite(one, if_source_generation_match=1)
    assert bucket.move_blob(target, "moved").md5_hash == one.md5_hash
    assert not target.exists()
    joined = bucket.blob("joined")
    joined.compose([one, two])
    assert joined.download_as_bytes() == b"onetwo"
    with pytest.raises(exceptions.NotFound):
        joined.compose([one, bucket.blob("missing")])


def test_damaged_uploads_are_refused(address: str, bucket: storage.Bucket) -> None:
    url = f"{address}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=a"
    for wrong in ("crc32c=AAAAAA==", "md5=1B2M2Y8AsgTpgAmY7PhCfg=="):
        answer = requests.post(url, data=b"sound", headers={"x-goog-hash": wrong})
        assert answer.status_code == 400
        assert answer.json()["error"]["errors"][0]["reason"] == "invalid"
    blob = bucket.blob("b")
    blob.md5_hash = "1B2M2Y8AsgTpgAmY7PhCfg=="
    with pytest.raises(exceptions.BadRequest):
        blob.upload_from_string(b"sound", checksum=None)
    assert list(bucket.list_blobs()) == []


def test_errors_have_the_apis_shape(address: str) -> None:
    for path, status in (
        (f"/storage/v1/b/{BUCKET}/o/missing", 404),
        ("/storage/v1/b/other/o", 404),
        (f"/storage/v1/b/{BUCKET}/o?pageToken=%C3%A9", 400),
        (f"/storage/v1/b/{BUCKET}/o?maxResults=x", 400),
        (f"/storage/v1/b/{BUCKET}/o/%FF", 400),
        ("/nothing", 404),
    ):
        answer = requests.get(address + path)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (status, status)
        assert error["errors"][0]["message"] == error["message"]


@pytest.mark.parametrize(
    ("place", "body"),
    [
        (f"/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&name=a", b"[" * 100_000),
        (
            f"/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&name=a",
            b'{"metadata": {"rushes-name": "\\ud800"}}',
        ),
        (f"/storage/v1/b/{BUCKET}/o/a/compose", b'{"sourceObjects": ["a"]}'),
        (
            f"/storage/v1/b/{BUCKET}/o/a/compose",
            b'{"sourceObjects": [{"name": "b"}], "destination": [1]}',
        ),
    ],
)
def test_json_that_no_service_would_take_is_refused(
    bucket: storage.Bucket, address: str, place: str, body: bytes
) -> None:
    """Half a character in metadata was taken, and every announcement of the object became a dead letter."""
    bucket.blob("b").upload_from_string(b"0123456789")
    assert requests.post(address + place, data=body).status_code == 400


@pytest.mark.parametrize(("newline", "quote"), [("\r\n", '"'), ("\n", "'")])
def test_multipart_media_may_look_like_a_boundary(
    address: str, bucket: storage.Bucket, newline: str, quote: str
) -> None:
    media = "x\r\n--==B\r\n--==B--\r\n\r\n"
    parts = ["--==B", "content-type: application/json", "", json.dumps({"name": "m"}), "--==B"]
    body = newline.join([*parts, "Content-Type: audio/wav", "", media, "--==B--", ""])
    url = f"{address}/upload/storage/v1/b/{BUCKET}/o?uploadType=multipart"
    headers = {"Content-Type": f"multipart/related; boundary={quote}==B{quote}"}
    assert requests.post(url, data=body.encode(), headers=headers).status_code == 200
    blob = bucket.get_blob("m")
    assert (blob.content_type, blob.download_as_bytes()) == ("audio/wav", media.encode())


@pytest.mark.parametrize("body", [b"", b"--B", b"--B\r\n\r\n{}\r\n--B\r\n\r\nmedia without an end"])
def test_broken_multipart_is_refused(address: str, body: bytes) -> None:
    url = f"{address}/upload/storage/v1/b/{BUCKET}/o?uploadType=multipart&name=m"
    headers = {"Content-Type": "multipart/related; boundary=B"}
    assert requests.post(url, data=body, headers=headers).status_code == 400


def test_what_was_put_into_the_folder_is_served(
    objects: EmbeddedObjects, bucket: storage.Bucket
) -> None:
    objects.put("a.wav", b"sound", content_type="audio/wav")
    blob = bucket.get_blob("a.wav")
    assert blob.download_as_bytes(checksum="crc32c") == b"sound"
    assert objects.stat("a.wav").crc32c == blob.crc32c


def test_the_bucket_is_there_and_is_the_only_one(bucket: storage.Bucket) -> None:
    assert [each.name for each in bucket.client.list_buckets()] == [BUCKET]
    with pytest.raises(exceptions.Conflict):
        bucket.client.create_bucket(BUCKET)
    assert bucket.client.lookup_bucket("other") is None


def _stored_as_gzip(bucket: storage.Bucket, **fields: str) -> tuple[bytes, bytes]:
    data = b"sound" * 1000
    blob = bucket.blob("a.wav")
    blob.content_encoding = "gzip"
    for name, value in fields.items():
        setattr(blob, name, value)
    blob.upload_from_string(gzip.compress(data, mtime=0), content_type="audio/wav")
    return data, gzip.compress(data, mtime=0)


def test_gzip_is_decoded_for_who_does_not_take_it(bucket: storage.Bucket, address: str) -> None:
    data, stored = _stored_as_gzip(bucket)
    url = f"{address}/download/storage/v1/b/{BUCKET}/o/a.wav?alt=media"
    plain = {"Accept-Encoding": "identity"}
    for headers in (plain, {**plain, "Range": "bytes=3-9"}):
        answer = requests.get(url, headers=headers, timeout=5)
        assert (answer.status_code, answer.content) == (200, data)
        assert not {"Content-Encoding", "Content-Length", "Content-Range"} & set(answer.headers)
        assert answer.headers["x-goog-stored-content-encoding"] == "gzip"
        assert answer.headers["x-goog-stored-content-length"] == str(len(stored))
    taken = requests.get(url, headers={"Accept-Encoding": "gzip"}, timeout=5, stream=True)
    assert taken.headers["Content-Encoding"] == "gzip"
    assert taken.raw.read() == stored
    part = {"Accept-Encoding": "gzip", "Range": "bytes=3-9"}
    ranged = requests.get(url, headers=part, timeout=5, stream=True)
    assert (ranged.status_code, ranged.raw.read()) == (206, stored[3:10])


def test_googles_client_gets_either(bucket: storage.Bucket) -> None:
    data, stored = _stored_as_gzip(bucket)
    blob = bucket.get_blob("a.wav")
    assert (blob.content_encoding, blob.size) == ("gzip", len(stored))
    assert blob.download_as_bytes() == data
    assert blob.download_as_bytes(raw_download=True) == stored


def test_no_transform_keeps_gzip_as_it_is(bucket: storage.Bucket, address: str) -> None:
    _, stored = _stored_as_gzip(bucket, cache_control="no-transform")
    url = f"{address}/download/storage/v1/b/{BUCKET}/o/a.wav?alt=media"
    answer = requests.get(url, headers={"Accept-Encoding": "identity"}, timeout=5, stream=True)
    assert answer.raw.read() == stored


def test_a_simple_upload_may_name_its_encoding(bucket: storage.Bucket, address: str) -> None:
    url = f"{address}/upload/storage/v1/b/{BUCKET}/o"
    params = {"uploadType": "media", "name": "b.wav", "contentEncoding": "gzip"}
    requests.post(url, params=params, data=gzip.compress(b"sound"), timeout=5).raise_for_status()
    assert bucket.get_blob("b.wav").content_encoding == "gzip"
    assert bucket.get_blob("b.wav").download_as_bytes() == b"sound"
