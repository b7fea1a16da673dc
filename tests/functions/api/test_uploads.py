"""Uploads in pieces: whatever the pieces, the bytes arrive; what does not fit is refused."""

from __future__ import annotations

import fcntl
import gzip
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.functions.api.conftest import Desk, shared_home

NAMES = itertools.count()


def begin(desk: Desk, size: int, **told: Any) -> dict[str, Any]:
    answer = desk.client.post("/uploads", json={"name": "take.wav", "size_bytes": size, **told})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def put(desk: Desk, session: dict[str, Any], data: bytes, span: str | None = None) -> Any:
    headers = {"Content-Range": f"bytes {span}/{session['size_bytes']}"} if span else {}
    return desk.client.put(session["upload_url"], content=data, headers=headers)


def arrived(desk: Desk, session: dict[str, Any]) -> bytes:
    """The recording's bytes, once its run has finished."""
    desk.drained()
    complete = desk.client.get(session["links"]["self"]).json()
    assert complete["state"] == "complete"
    run = desk.client.get(complete["links"]["run"]).json()
    return desk.client.get(f"/assets/{run['asset_id']}/media").content


@settings(shared_home, max_examples=settings().max_examples // 5)
@given(data=st.binary(min_size=1, max_size=300), cuts=st.sets(st.integers(1, 299), max_size=5))
def test_any_pieces_make_the_whole(desk: Desk, data: bytes, cuts: set[int]) -> None:
    session = begin(desk, len(data), name=f"{next(NAMES)}.wav")
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    for first, last in itertools.pairwise(edges):
        asked = put(desk, session, b"", "*")
        assert asked.status_code == 308
        assert asked.headers.get("Range") == (f"bytes=0-{first - 1}" if first else None)
        answer = put(desk, session, data[first:last], f"{first}-{last - 1}")
    assert answer.status_code == 201 and answer.json()["state"] == "complete"
    assert arrived(desk, session) == data


def test_all_at_once_and_what_the_uploader_wished(desk: Desk) -> None:
    session = begin(desk, 5, name="C:\\takes\\gitarre ☔.wav", steps=["toy.one"])
    complete = put(desk, session, b"sound").json()
    desk.drained()
    run = desk.client.get(complete["links"]["run"]).json()
    assert run["source"] == "gitarre ☔.wav" and run["state"] == "done"
    assert [step["step"] for step in run["steps"]] == ["probe", "toy.one"]
    assert put(desk, session, b"sound").json() == complete, "sent again, it is what it was"


def test_a_piece_twice_does_no_harm_and_a_gap_is_refused(desk: Desk) -> None:
    session = begin(desk, 6)
    put(desk, session, b"abc", "0-2")
    assert put(desk, session, b"bcd", "1-3").headers["Range"] == "bytes=0-3"
    gap = put(desk, session, b"f", "5-5")
    assert gap.status_code == 409 and "4 bytes are here" in gap.json()["error"]["message"]
    put(desk, session, b"ef", "4-5")
    assert arrived(desk, session) == b"abcdef"


def test_a_connection_that_breaks_leaves_what_it_brought(desk: Desk) -> None:
    session = begin(desk, 6)

    def breaking() -> Iterator[bytes]:
        yield b"abc"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        desk.client.put(session["upload_url"], content=breaking())
    assert desk.client.get(session["links"]["self"]).json()["received_bytes"] <= 3
    put(desk, session, b"abcdef", "0-5")
    assert arrived(desk, session) == b"abcdef"


@pytest.mark.parametrize("data", [b"", b"def"])
def test_a_part_that_says_not_which_is_refused(desk: Desk, data: bytes) -> None:
    """Any place for it would be a guess, and a 308 would have its sender try for ever."""
    session = begin(desk, 6)
    put(desk, session, b"abc", "0-2")
    for content in (data, iter([data])):  # with its length, and in blocks whose sum nobody has said
        refused = desk.client.put(session["upload_url"], content=content)
        assert refused.status_code == 422, refused.text
        error = refused.json()["error"]
        assert error["details"]["field"] == "Content-Range"
        assert (
            "bytes FIRST-LAST/6" in error["message"] and f"brings {len(data)}" in error["message"]
        )
    assert put(desk, session, b"abcdef").status_code == 201
    assert arrived(desk, session) == b"abcdef"


@pytest.mark.parametrize(
    ("span", "data"),
    [("0-2", b"abcdefgh"), (None, b"abcdefg"), ("2-1", b""), ("0-6", b"abcdefg"), ("x-y", b"a")],
)
def test_more_or_other_than_said_is_refused(desk: Desk, span: str | None, data: bytes) -> None:
    session = begin(desk, 6)
    assert put(desk, session, data, span).status_code == 422
    assert desk.client.get(session["links"]["self"]).json()["state"] == "open"
    foreign = desk.client.put(
        session["upload_url"], content=b"abc", headers={"Content-Range": "bytes 0-2/7"}
    )
    assert foreign.status_code == 422


def test_the_size_limit_holds_before_and_while_it_streams(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(max_input_bytes=1000)
    refused = desk.client.post("/uploads", json={"name": "a.wav", "size_bytes": 1001})
    assert refused.status_code == 413
    assert refused.json()["error"]["max_bytes"] == 1000
    session = begin(desk, 1000)
    too_much = (b"x" * 100_000 for _ in range(100))
    assert put_stream(desk, session, too_much).status_code == 422
    folder = desk.home.settings.data / "uploads"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 1000


def put_stream(desk: Desk, session: dict[str, Any], content: Iterator[bytes]) -> Any:
    return desk.client.put(session["upload_url"], content=content)


def test_a_tenants_own_limit_counts(desk: Desk) -> None:
    path = f"{desk.ctx.document_prefix}settings/pipeline"
    desk.home.documents.put(path, {"max_input_bytes": 10})
    refused = desk.client.post("/uploads", json={"name": "a.wav", "size_bytes": 11})
    assert refused.status_code == 413


@pytest.mark.parametrize("name", ["..", ".", "a/../..", "/etc/passwd", "x" * 400, "\x00\n", "-rf"])
def test_no_name_leads_out_of_its_folder(desk: Desk, name: str) -> None:
    session = begin(desk, 3, name=name, steps=["probe"])
    assert put(desk, session, b"abc").status_code == 201
    assert arrived(desk, session) == b"abc"
    stray = [
        path for path in desk.folder.rglob("*") if path.is_file() and path.parent == desk.folder
    ]
    assert stray == []
    assert not any((desk.home.settings.data / "uploads").rglob("*.wav"))


@pytest.mark.parametrize(
    "told",
    [
        {"size_bytes": 0},
        {"size_bytes": -1},
        {"name": ""},
        {"steps": ["toy.none"]},
        {"params": {"toy.none": {}}},
        {"params": {"toy.one": {"number": "one"}}},
        {"steps": ["toy.one"], "params": {"toy.one": {"unheard_of": 1}}},
        {"content_type": "a\r\nb: c"},
        {"more": 1},
    ],
)
def test_a_beginning_that_cannot_be_is_refused(desk: Desk, told: dict[str, Any]) -> None:
    body = {"name": "a.wav", "size_bytes": 3, **told}
    assert desk.client.post("/uploads", json=body).status_code == 422


def test_one_key_begins_one_upload(desk: Desk) -> None:
    body = {"name": "a.wav", "size_bytes": 3}
    keyed = {"Idempotency-Key": "k"}
    one, two = (desk.client.post("/uploads", json=body, headers=keyed).json() for _ in range(2))
    assert one == two
    assert begin(desk, 3)["upload_id"] != one["upload_id"]


def test_giving_up_removes_the_bytes(desk: Desk) -> None:
    session = begin(desk, 6)
    put(desk, session, b"abc", "0-2")
    assert desk.client.delete(session["links"]["self"]).status_code == 204
    assert desk.client.get(session["links"]["self"]).status_code == 404
    assert put(desk, session, b"def", "3-5").status_code == 404
    assert not any((desk.home.settings.data / "uploads").rglob("*.wav"))


def test_a_second_sender_is_told_to_wait(desk: Desk) -> None:
    session = begin(desk, 6)
    path = desk.home.settings.data / "uploads" / "t1" / "dev" / session["upload_id"] / "take.wav"
    path.parent.mkdir(parents=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert put(desk, session, b"abcdef").status_code == 409
    assert put(desk, session, b"abcdef").status_code == 201
    assert arrived(desk, session) == b"abcdef"


def test_registering_from_a_bucket_is_for_those_named(desk: Desk) -> None:
    for uri in ("s3://other/key", "gs://other/key", "file:///etc/passwd", "/etc/passwd", "s3://"):
        refused = desk.client.post("/assets", json={"uri": uri})
        assert refused.status_code == 422, uri
        assert refused.json()["error"]["details"]["field"] == "uri"


def test_our_own_bucket_is_no_source_even_if_named(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(source_buckets="gs://recordings", bucket="recordings")
    uri = "gs://recordings/tenants/another/dev/uploads/secret.wav"
    refused = desk.client.post("/assets", json={"uri": uri})
    assert refused.status_code == 422
    assert refused.json()["error"]["details"]["field"] == "uri"


@pytest.mark.parametrize(
    "key", ["t2/dev/take.wav", "t1/prod/take.wav", "t1/device/take.wav", "t1-2/dev/a.wav"]
)
def test_a_source_with_a_tenant_is_that_tenants_alone(
    desk_of: Callable[..., Desk], key: str
) -> None:
    desk = desk_of(source_buckets="s3://incoming/{tenant}/{env}")
    refused = desk.client.post("/assets", json={"uri": f"s3://incoming/{key}"})
    assert refused.json()["error"]["details"]["field"] == "uri"


@pytest.mark.parametrize(
    "uri",
    [
        "s3://incoming/t1/../t2/take.wav",
        "s3://incoming/t1/a/../../../other/take.wav",
        "s3://incoming/t1/./../t2/take.wav",
        "gs://more/t1/../../recordings/tenants/t2/dev/uploads/a.wav",
    ],
)
def test_no_key_leads_out_of_the_place_that_is_named(
    desk_of: Callable[..., Desk], uri: str
) -> None:
    """A key is no path, but a server in between may take it for one."""
    places = "s3://incoming/{tenant}, gs://more/{tenant}"
    desk = desk_of(source_buckets=places, bucket="recordings")
    refused = desk.client.post("/assets", json={"uri": uri})
    assert refused.status_code == 422
    assert refused.json()["error"]["details"]["field"] == "uri"


@pytest.mark.parametrize("places", ["gs://", "s3:///", "gs://, s3://", "gs:///key"])
def test_a_scheme_alone_names_no_bucket(desk_of: Callable[..., Desk], places: str) -> None:
    desk = desk_of(source_buckets=places)
    for uri in ("gs://any/key.wav", "s3://any/key.wav"):
        refused = desk.client.post("/assets", json={"uri": uri})
        assert refused.json()["error"]["details"]["field"] == "uri"


@pytest.mark.heavy
def test_registering_from_s3(desk_of: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    boto3 = pytest.importorskip("boto3")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="rushes-in")
        s3.put_object(Bucket="rushes-in", Key="t1/day 1/take.wav", Body=b"from afar")
        desk = desk_of(source_buckets="gs://a, s3://rushes-in/{tenant}")
        asked = desk.client.post("/assets", json={"uri": "s3://rushes-in/t1/day 1/take.wav"})
        assert asked.status_code == 202
        desk.drained()
        run = desk.client.get(asked.json()["links"]["run"]).json()
        assert run["source"] == "take.wav"
        assert desk.client.get(f"/assets/{run['asset_id']}/media").content == b"from afar"
        odd = {"Key": "t1/a/../b.wav", "Body": gzip.compress(b"odd"), "ContentEncoding": "gzip"}
        s3.put_object(Bucket="rushes-in", **odd)
        s3.put_object(Bucket="rushes-in", Key="t1/b.wav", Body=b"another")
        asked = desk.client.post("/assets", json={"uri": "s3://rushes-in/t1/a/../b.wav"})
        desk.drained()
        run = desk.client.get(asked.json()["links"]["run"]).json()
        assert desk.client.get(f"/assets/{run['asset_id']}/media").content == b"odd"
        limits = f"{desk.ctx.document_prefix}settings/pipeline"
        desk.home.documents.put(limits, {"max_input_bytes": 8})
        refused = desk.client.post("/assets", json={"uri": "s3://rushes-in/t1/day 1/take.wav"})
        assert refused.status_code == 413
    finally:
        server.stop()


@pytest.mark.heavy
def test_straight_to_the_bucket_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pieces, to a session of the bucket's own (the local bucket, by Google's client)."""
    import urllib.error
    import urllib.request

    pytest.importorskip("google.cloud.storage")
    from fastapi.testclient import TestClient

    from functions.api.app import build
    from infra.local.storage_server import serve
    from shared.contracts.context import RequestContext
    from shared.homes.objects.embedded_objects import EmbeddedObjects
    from shared.homes.objects.google_objects import GoogleObjects
    from tests.toy import embedded_home

    embedded = embedded_home(tmp_path / "data", direct_transfers=True)
    assert isinstance(embedded.objects, EmbeddedObjects)
    server = serve(embedded.objects, "rushes-local", "127.0.0.1", 0, publish=lambda *_: None)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.port}")
    try:
        objects = GoogleObjects("rushes-local", "test")
        home = replace(embedded, objects=objects)
        ctx = RequestContext(tenant_id="t1", env="dev")
        client = TestClient(build(home, lambda _: ctx), base_url="http://localhost")
        session = client.post(
            "/uploads", json={"name": "take ☔.wav", "size_bytes": 300_000}
        ).json()
        assert session["upload_url"].startswith(f"http://127.0.0.1:{server.port}/")
        pieces = ((0, b"a" * 262_144), (262_144, b"b" * 37_856))
        for first, piece in pieces:
            span = f"bytes {first}-{first + len(piece) - 1}/300000"
            request = urllib.request.Request(
                session["upload_url"], piece, {"Content-Range": span}, method="PUT"
            )
            try:
                urllib.request.urlopen(request).close()
            except urllib.error.HTTPError as answer:
                assert answer.code == 308 and first == 0
        complete = client.get(session["links"]["self"]).json()
        assert complete["state"] == "complete" and complete["run_id"].startswith("run_")
        (info,) = objects.list("tenants/t1/dev/uploads/")
        assert info.size == 300_000 and info.metadata["rushes-name"] == "take ☔.wav"
    finally:
        server.stop()


def test_a_signed_address_is_one_of_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing itself needs no network, only a key."""
    pytest.importorskip("google.cloud.storage")
    from urllib.parse import parse_qs, urlsplit

    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from google.cloud import storage  # type: ignore[attr-defined]
    from google.oauth2 import service_account

    from shared.homes.objects import google_objects

    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    credentials = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
        {
            "client_email": "a@b.example",
            "token_uri": "https://x.example",
            "private_key": pem.decode(),
        }
    )
    client = storage.Client("p", credentials)
    monkeypatch.setattr(google_objects, "_client", lambda _project: client)
    address = google_objects.GoogleObjects("bucket", "p").download_address(
        "a/ü.wav", name="ü.wav", seconds=60
    )
    parts, query = urlsplit(address), parse_qs(urlsplit(address).query)
    assert parts.netloc == "storage.googleapis.com" and parts.path == "/bucket/a/%C3%BC.wav"
    assert query["X-Goog-Expires"] == ["60"] and query["X-Goog-Signature"]
    assert query["response-content-disposition"] == ["inline; filename*=UTF-8''%C3%BC.wav"]
