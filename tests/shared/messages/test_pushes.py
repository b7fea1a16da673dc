"""Every form in which Google pushes an event, and those of its events that ask for nothing."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Request

from shared.contracts.message import Message
from shared.contracts.upload import Upload
from shared.errors import Unavailable, ValidationError
from shared.homes.home import Home
from shared.messages import push
from shared.messages.dead_letters import dead_letters
from shared.messages.events import request_from_message, upload_from_message
from shared.messages.pushes import FINALIZED, PUBLISHED, events_of_push, message_of
from tests.toy import CTX, Toy, drain

EVENTS = Path(__file__).parents[2] / "events"
PUSH = json.loads((EVENTS / "push_bucket_notification.json").read_text())
STORAGE = json.loads((EVENTS / "eventarc_storage_finalized.json").read_text())
RESOURCE = STORAGE["body"]
KEY = "tenants/t1/dev/uploads/field trip/rain ☔.wav"
UPLOAD = Upload(CTX, "recordings", KEY, 1762078530123456)
JSON_EVENT = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
ASKED = {"tenant_id": "t1", "env": "dev", "step": "toy.one", "asset_id": "ast_1"}


def pushed(body: Any, headers: dict[str, str]) -> list[Message | None]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [message_of(event) for event in events_of_push(raw, headers)]


def uploads(body: Any, headers: dict[str, str]) -> list[Upload | None]:
    return [message and upload_from_message(message) for message in pushed(body, headers)]


def structured(kind: str, **content: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "1", "source": "//storage", "type": kind, **content}


def b64(content: Any) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (structured(FINALIZED, data_base64=b64(RESOURCE)), JSON_EVENT),
        (structured(FINALIZED, data=json.dumps(RESOURCE)), JSON_EVENT),
        (structured(PUBLISHED, data_base64=b64(PUSH)), JSON_EVENT),
        ([structured(FINALIZED, data_base64=b64(RESOURCE))], BATCH),
        ([structured(PUBLISHED, data=PUSH)], {"content-type": "application/json"}),
        ({"message": {"messageId": "1", "data": b64(structured(FINALIZED, data=RESOURCE)),
                      "attributes": {"content-type": "application/cloudevents+json"}}}, {}),
        ({"message": {"messageId": "1", "data": b64(RESOURCE),
                      "attributes": {"ce-type": FINALIZED, "ce-specversion": "1.0"}}}, {}),
        (RESOURCE, {}),
    ],
    ids=["base64", "data as text", "message in base64", "batch", "batch by its look",
         "structured in a message", "binary in a message", "the object alone"],
)  # fmt: skip
def test_each_form_announces_the_upload(body: Any, headers: dict[str, str]) -> None:
    assert uploads(body, headers) == [UPLOAD]


@pytest.mark.parametrize("prefix", ["", "x-goog-pubsub-"])
@pytest.mark.parametrize("data", [b"", json.dumps(RESOURCE).encode()])
def test_a_push_without_wrapper_has_its_attributes_in_headers(prefix: str, data: bytes) -> None:
    as_wsgi_gives_them = {
        f"{prefix}{name}".title(): value.encode().decode("latin-1")
        for name, value in PUSH["message"]["attributes"].items()
    }
    headers = {
        **as_wsgi_gives_them,
        "X-Goog-Pubsub-Message-Id": "77",
        "X-Goog-Pubsub-Publish-Time": "2026-11-02T10:28:50.456Z",
        "X-Goog-Pubsub-Subscription-Name": "projects/p/subscriptions/uploads",
    }
    (message,) = pushed(data, headers)
    assert message is not None
    assert (message.message_id, message.data) == ("77", data)
    assert message.published_at == datetime(2026, 11, 2, 10, 28, 50, 456000, UTC).timestamp()
    assert upload_from_message(message) == UPLOAD


def test_what_users_wrote_of_their_file_makes_no_event_of_it() -> None:
    (message,) = pushed({**ASKED, "params": {"note": {"specversion": "2"}}}, {})
    assert message and request_from_message(message).step == "toy.one"


def test_a_request_without_wrapper_and_metadata_is_known_by_its_data() -> None:
    (one,), (same,) = pushed(ASKED, {}), pushed(ASKED, {})
    (other,) = pushed({**ASKED, "force": True}, {})
    assert one and same and other
    assert request_from_message(one).step == "toy.one"
    assert one.message_id == same.message_id != other.message_id
    assert len(one.message_id) == len("data-") + 32
    assert (one.delivery_attempt, one.published_at) == (1, None)


@pytest.mark.parametrize(
    "kind",
    [
        "google.cloud.storage.object.v1.deleted",
        "google.cloud.storage.object.v1.archived",
        "google.cloud.storage.object.v1.metadataUpdated",
        "google.cloud.audit.log.v1.written",
        "google.cloud.firestore.document.v1.written",
    ],
)
@pytest.mark.parametrize("body", [json.dumps(RESOURCE).encode(), b"\x0a\x01protobuf", b""])
def test_googles_other_events_ask_for_nothing(kind: str, body: bytes) -> None:
    assert pushed(body, {"ce-type": kind, "ce-specversion": "1.0"}) == [None]
    inside = structured(kind, data_base64=base64.b64encode(body).decode())
    assert pushed(inside, JSON_EVENT) == [None]
    message = {"messageId": "1", "data": b64(inside), "attributes": {}}
    message["attributes"] = {"content-type": "application/cloudevents+json"}
    assert pushed({"message": message}, {}) == [None]


def test_an_audit_log_that_a_sink_sends_to_the_topic_is_no_upload() -> None:
    entry = {"protoPayload": {"methodName": "storage.objects.create"}, "insertId": "1"}
    assert uploads({"message": {"messageId": "1", "data": b64(entry)}}, {}) == [None]


@pytest.mark.parametrize(
    ("body", "headers", "told"),
    [
        (structured("com.example.note", data={}), JSON_EVENT, "com.example.note"),
        (structured(FINALIZED, data_base64="?"), JSON_EVENT, "data_base64"),
        (structured(FINALIZED), JSON_EVENT, "not JSON"),
        ({"specversion": "1.0", "data": {}}, JSON_EVENT, "type"),
        (b"\x0a", {"ce-type": FINALIZED, "content-type": "application/protobuf"}, "protobuf"),
        ({"hello": 1}, {}, "neither"),
        ({"specversion": "1.0"}, BATCH, "batch"),
    ],
)
def test_what_cannot_be_read_says_why(body: Any, headers: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        pushed(body, headers)


class Endpoint:
    def __init__(self, home: Home) -> None:
        self.home = home
        self.handled: list[Message] = []
        self.busy = False

    def handle(self, message: Message, _home: Home) -> None:
        self.handled.append(message)
        if self.busy:
            raise Unavailable("the test", "busy")

    def ask(self, method: str, path: str = "/", body: Any = b"", **headers: str) -> tuple[str, int]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request.from_values(path, method=method, data=data, headers=named)
        return push.answer(request, self.handle, lambda: self.home)


@pytest.fixture
def endpoint(home: Home) -> Endpoint:
    return Endpoint(home)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("GET", "/healthz", 200),
        ("GET", "/", 200),
        ("GET", "/wp-admin", 404),
        ("PUT", "/", 405),
        ("DELETE", "/health", 405),
    ],
)
def test_who_looks_gets_an_answer_and_leaves_no_letter(
    method: str, path: str, status: int, endpoint: Endpoint, home: Home, toy: Toy
) -> None:
    assert endpoint.ask(method, path)[1] == status
    assert drain(home) == [] and endpoint.handled == []
    assert list(dead_letters(home.documents, None)) == []


def test_of_a_batch_each_event_is_delivered(endpoint: Endpoint) -> None:
    batch = [
        structured(FINALIZED, data=RESOURCE),
        structured("google.cloud.storage.object.v1.deleted", data=RESOURCE),
        structured(PUBLISHED, data=PUSH),
    ]
    content_type = BATCH["Content-Type"]
    assert endpoint.ask("POST", body=batch, Content_Type=content_type)[1] == 204
    assert [upload_from_message(message) for message in endpoint.handled] == [UPLOAD, UPLOAD]
    assert endpoint.ask("POST", body=[], Content_Type=content_type)[1] == 204
    endpoint.busy = True
    assert endpoint.ask("POST", body=batch, Content_Type=content_type)[1] == 503


@pytest.mark.allow_error_logs
def test_a_bad_event_of_a_batch_is_buried_alone(endpoint: Endpoint, home: Home, toy: Toy) -> None:
    batch = [structured("com.example.note", data={}), structured(FINALIZED, data=RESOURCE)]
    assert endpoint.ask("POST", body=batch, Content_Type=BATCH["Content-Type"])[1] == 204
    assert len(endpoint.handled) == 1
    drain(home)
    (letter,) = dead_letters(home.documents, None)
    assert "com.example.note" in str(letter.error)
