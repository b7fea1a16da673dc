"""What arrives, by whichever road, is understood the same way, or refused with the field's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.message import Message
from shared.contracts.step import MAX_PARAMS_BYTES
from shared.contracts.upload import Upload, notification
from shared.errors import CrossTenant, RushesError, ValidationError
from shared.messages.events import (
    request_from_message,
    upload_from_message,
)
from shared.messages.pushes import PUBLISHED, Event, events_of_push, message_of
from tests.toy import CTX

EVENTS = Path(__file__).parents[2] / "events"
PUSH = json.loads((EVENTS / "push_bucket_notification.json").read_text())
EVENTARC = json.loads((EVENTS / "eventarc_storage_finalized.json").read_text())
KEY = "tenants/t1/dev/uploads/field trip/rain ☔.wav"
UPLOAD = Upload(CTX, "recordings", KEY, 1762078530123456)


def message_from_push(body: bytes, headers: dict[str, str]) -> Message:
    """The one message of a push."""
    (event,) = events_of_push(body, headers)
    message = message_of(event)
    assert message is not None
    return message


def structured(event: dict[str, Any]) -> dict[str, Any]:
    attributes = {
        name.removeprefix("ce-"): value
        for name, value in event["headers"].items()
        if name.startswith("ce-")
    }
    return {**attributes, "data": event["body"]}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (PUSH, {"Content-Type": "application/json"}),
        (PUSH, {"ce-type": PUBLISHED, "ce-specversion": "1.0"}),
        ({"specversion": "1.0", "type": PUBLISHED, "data": PUSH}, {}),
        (EVENTARC["body"], EVENTARC["headers"]),
        (structured(EVENTARC), {"Content-Type": "application/cloudevents+json"}),
    ],
    ids=["push", "binary message", "structured message", "binary storage", "structured storage"],
)
def test_every_road_announces_the_same_upload(body: Any, headers: dict[str, str]) -> None:
    message = message_from_push(json.dumps(body).encode(), headers)
    assert upload_from_message(message) == UPLOAD


def test_the_push_keeps_attempt_time_and_id() -> None:
    message = message_from_push(json.dumps(PUSH).encode(), {})
    assert message.delivery_attempt == 3
    assert message.message_id == "12345678901234567"
    assert message.published_at == pytest.approx(1793614530.456)


def test_a_notification_by_attributes_alone_is_enough() -> None:
    body = {"message": {"attributes": PUSH["message"]["attributes"], "messageId": "1"}}
    assert upload_from_message(message_from_push(json.dumps(body).encode(), {})) == UPLOAD


@pytest.mark.parametrize(
    "key",
    [
        "tenants/t1/dev/media_v2/ast_1/audio_hit/art_1.wav",
        "tenants/t1/dev/media_v2/uploads/x.wav",
        "tenants/t1/dev/uploads",
        "tenants/t1/dev/uploads/",
        "tenants/t1/dev/uploads/folder/",
        "tenants/t1/dev/uploads/folder_$folder$",
        "tenants/t1/dev",
        "somewhere/else.wav",
        "tenant/t1/dev/uploads/x.wav",
        "tenants2/t1/dev/uploads/x.wav",
        "tenants/t1/dev/upload/x.wav",
        "tenants/t1/dev/uploads2/x.wav",
        "x",
    ],
)
def test_what_is_no_upload_is_ignored(key: str) -> None:
    assert upload_from_message(Message("1", b"", notification("b", key, 1))) is None


@pytest.mark.parametrize(
    "event_type", ["OBJECT_DELETE", "OBJECT_ARCHIVE", "OBJECT_METADATA_UPDATE"]
)
def test_other_changes_are_ignored(event_type: str) -> None:
    attributes = {**notification("b", KEY, 1), "eventType": event_type}
    assert upload_from_message(Message("1", b"", attributes)) is None


def test_a_zero_size_placeholder_is_ignored() -> None:
    body = {**EVENTARC["body"], "size": "0"}
    message = message_from_push(json.dumps(body).encode(), EVENTARC["headers"])
    assert upload_from_message(message) is None


@pytest.mark.parametrize(
    "key",
    [
        "tenants/t_unknown/dev/uploads/x.wav",
        "tenants/../dev/uploads/x.wav",
        "tenants//dev/uploads/x.wav",
        "tenants/t1/d v/uploads/x.wav",
        "tenants/t\n1/dev/uploads/x.wav",
    ],
)
def test_unknown_and_malformed_tenants_are_refused(key: str) -> None:
    with pytest.raises(ValidationError):
        upload_from_message(Message("1", b"", notification("b", key, 1)))


NAMES = st.sampled_from(
    [
        *("message", "data", "data_base64", "attributes", "specversion", "type", "messageId"),
        *("deliveryAttempt", "publishTime", "bucket", "name", "step", "ce-type"),
    ]
)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


BODIES = st.dictionaries(NAMES, JSON_VALUES)


@given(st.binary() | (BODIES | st.lists(BODIES)).map(lambda v: json.dumps(v).encode()))
def test_no_body_breaks_the_parser(body: bytes) -> None:
    try:
        for event in events_of_push(body, {}):
            if message := message_of(event):
                upload_from_message(message)
                request_from_message(message)
    except RushesError:
        return


@given(st.text(min_size=1), st.text())
def test_no_key_reaches_another_tenants_prefix(tenant: str, rest: str) -> None:
    key = f"tenants/{tenant}/dev/uploads/{rest}"
    try:
        upload = upload_from_message(Message("1", b"", notification("b", key, 1)))
    except ValidationError:
        return
    if upload is not None:
        assert upload.ctx.tenant_id == key.split("/")[1]
        assert ".." not in upload.ctx.object_prefix


def test_a_request_must_not_cross_its_attributes() -> None:
    content = {"tenant_id": "t1", "env": "dev", "step": "toy.one", "asset_id": "ast_1"}
    message = Message("1", json.dumps(content).encode(), {"tenant": "t2"})
    with pytest.raises(CrossTenant):
        request_from_message(message)


@pytest.mark.parametrize(
    "value", ['"\\ud800"', "NaN", "1e999", "9" * 5_000, "[" * 3_000 + "]" * 3_000]
)
def test_json_that_nobody_can_write_again_is_refused(value: str) -> None:
    """It broke its handler each time it came, or was another value to who read it next."""
    data = f'{{"tenant_id": "t1", "params": {{"text": {value}}}}}'.encode()
    with pytest.raises(ValidationError, match="is not JSON"):
        request_from_message(Message("1", data, {}))
    with pytest.raises(ValidationError, match="is not JSON"):
        message_of(Event(data, {}))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"asset_id": "../x"}, "asset_id"),
        ({"step": "no such step"}, "step"),
        ({"tenant_id": "t_unknown"}, "tenant_id"),
        ({"params": {"text": "x" * 400_001}}, "params"),
    ],
)
def test_a_malformed_request_names_the_field(changes: dict[str, Any], field: str) -> None:
    content = {"tenant_id": "t1", "env": "dev", "step": "toy.one", "asset_id": "ast_1", **changes}
    with pytest.raises(ValidationError) as refused:
        request_from_message(Message("1", json.dumps(content).encode(), {}))
    assert refused.value.fields["details"]["field"] == field


def test_a_request_of_a_newer_version_is_understood_by_this_one() -> None:
    """While a deployment rolls, one version asks and the other does the work."""
    content = {"tenant_id": "t1", "env": "dev", "step": "toy.one", "asset_id": "ast_1", "new": 1}
    assert request_from_message(Message("1", json.dumps(content).encode(), {})).step == "toy.one"


def test_a_field_that_this_version_does_not_know_is_a_newer_one_s() -> None:
    data = json.dumps({**ASKED, "priority": 7}).encode()
    assert request_from_message(Message("m", data, {})).step == "detect.hits"


def test_params_that_fit_into_no_letter_are_refused() -> None:
    """A request, its claim and its dead letter are each a document at most."""
    fits = {**ASKED, "params": {"text": "x" * (MAX_PARAMS_BYTES - 20)}}
    assert (
        request_from_message(Message("m", json.dumps(fits).encode(), {})).params == fits["params"]
    )
    grown = {**ASKED, "params": {"text": "x" * MAX_PARAMS_BYTES}}
    with pytest.raises(ValidationError, match="400,000 bytes"):
        request_from_message(Message("m", json.dumps(grown).encode(), {}))


ASKED = {"tenant_id": "t1", "env": "dev", "step": "detect.hits", "asset_id": "ast_1"}
