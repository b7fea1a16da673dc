"""Dead letters: kept once, never larger than a document, and never the start of another."""

from __future__ import annotations

import base64
import json
import time
from datetime import timedelta
from pathlib import Path

import pytest

from shared.contracts.message import Message
from shared.contracts.step import Run
from shared.contracts.topics import DEAD_TOPIC, UPLOADS_TOPIC
from shared.errors import BackendFailed, ValidationError
from shared.homes.home import Home
from shared.messages.dead_letters import (
    UNATTRIBUTED,
    dead_letters,
    keep,
    redrive,
)
from shared.messages.delivery import deliver
from shared.runs.records import open_run, upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.steps.burying import BURIED, bury
from shared.steps.step_records import load_records
from tests.toy import CTX, Toy, drain, run_file, states

pytestmark = pytest.mark.allow_error_logs
REQUEST = {"tenant": "t1", "env": "dev", "step": "toy.one"}


def buried(home: Home, message: Message, code: str = "backend_failed") -> Message:
    bury(home, message, BackendFailed("toy", "told to"), cache_key="k")
    (delivery,) = home.bus.pull([DEAD_TOPIC])
    home.bus.ack(delivery)
    assert delivery.message.attributes["code"] == code
    return delivery.message


def test_a_letter_says_what_was_given_up_why_and_for_how_long_it_is_kept(home: Home) -> None:
    data = json.dumps({"asset_id": "ast_1"}).encode()
    letter = keep(home, buried(home, Message("m", data, REQUEST)))
    assert (letter.code, letter.step, letter.asset_id) == ("backend_failed", "toy.one", "ast_1")
    assert (letter.topic, letter.cache_key) == ("steps-toy", "k")
    assert base64.b64decode(letter.data_base64) == data and letter.attributes == REQUEST
    assert letter.error is not None and "told to" in letter.error["message"]
    assert letter.expires_at == letter.buried_at + timedelta(days=90).total_seconds()
    assert abs(letter.buried_at - time.time()) < 600 and len(letter.letter_id) == 32
    assert list(dead_letters(home.documents, CTX)) == [letter]


def test_the_same_again_is_the_same_letter(home: Home) -> None:
    letter = buried(home, Message("m", b"{}", REQUEST))
    assert keep(home, letter) == keep(home, letter)
    assert len(list(dead_letters(home.documents, CTX))) == 1


def test_what_is_larger_than_a_document_is_told_without_its_data(home: Home) -> None:
    letter = keep(home, buried(home, Message("m", b"x" * 600_000, REQUEST)))
    assert len(letter.data_base64) == 800_000
    letter = keep(home, buried(home, Message("m", b"x" * 600_001, REQUEST)))
    assert letter.data_base64 == "" and letter.error is not None
    assert "too large" in letter.error["message"]


def test_a_letter_that_cannot_be_kept_is_not_buried_again(home: Home) -> None:
    """It would grow by a third each time round."""

    def fail(_message: Message, _home: Home) -> None:
        raise ValidationError("letter", "cannot be kept")

    letter = buried(home, Message("m", b"{}", REQUEST))
    assert BURIED in letter.attributes
    assert deliver(letter, home, fail) is None
    assert home.bus.pull([DEAD_TOPIC]) == []
    assert deliver(Message("m", b"{}", REQUEST), home, fail) is None
    assert len(home.bus.pull([DEAD_TOPIC])) == 1


def test_what_pubsub_gave_up_itself_is_kept_with_its_own_attributes(home: Home) -> None:
    forwarded = {**REQUEST, "CloudPubSubDeadLetterSourceDeliveryCount": "100"}
    letter = keep(home, Message("m", b'{"x": 1}', forwarded, 1, 1_000.0))
    assert letter.code == "undeliverable" and letter.attributes == REQUEST
    assert base64.b64decode(letter.data_base64) == b'{"x": 1}'
    assert letter.buried_at == 1_000.0


def test_what_names_no_tenant_is_the_operator_s(home: Home) -> None:
    letter = keep(home, Message("m", b"no letter", {"tenant": "../t1", "env": "dev"}))
    assert (letter.code, letter.topic) == ("unknown", None)
    assert home.documents.get(f"{UNATTRIBUTED}/{letter.letter_id}") is not None
    assert list(dead_letters(home.documents, None)) == [letter]
    with pytest.raises(ValidationError, match="names no step"):
        redrive(home, CTX, letter)


def test_a_request_or_an_upload_without_attributes_is_its_tenant_s_and_is_sent_again(
    home: Home,
) -> None:
    """Its data alone is enough to be worked on, so it is enough for its letter."""
    request = {"tenant_id": "t1", "env": "dev", "step": "toy.one", "asset_id": "ast_1"}
    take = {"bucket": "b", "name": "tenants/t1/dev/uploads/a.wav", "generation": "1"}
    for told, topic in ((request, "steps-toy"), (take, UPLOADS_TOPIC)):
        data = json.dumps(told).encode()
        letter = keep(home, buried(home, Message("m", data, {})))
        assert (letter.topic, letter.asset_id) == (topic, told.get("asset_id"))
        assert letter in dead_letters(home.documents, CTX)
        redrive(home, CTX, letter)
        (again,) = home.bus.pull([topic])
        assert (again.message.data, again.message.attributes) == (data, {})


def test_a_request_of_attributes_alone_names_its_asset_with_which_it_goes(home: Home) -> None:
    letter = keep(home, buried(home, Message("m", b"", {**REQUEST, "asset": "ast_1"})))
    assert letter.asset_id == "ast_1"


def test_a_damaged_letter_hides_no_other(home: Home) -> None:
    letter = keep(home, buried(home, Message("m", b"{}", REQUEST)))
    home.documents.put(f"{CTX.document_prefix}dead_letters/damaged", {"letter_id": 7})
    assert list(dead_letters(home.documents, CTX)) == [letter]


def test_what_was_skipped_for_a_step_s_sake_is_asked_for_again_and_what_it_got_is_not(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    params = {"toy.one": {"fail": "scarce"}}
    run_file(home, tmp_path, steps=("toy.join",), params=params)
    (letter,) = dead_letters(home.documents, CTX)
    toy.ran.clear()
    redrive(home, CTX, letter)
    (again,) = dead_letters(home.documents, CTX)
    assert again.redriven == 1
    drain(home)
    assert toy.ran["toy.one"] == home.settings.max_attempts and toy.ran["toy.three"] == 0
    redrive(home, CTX, again)
    (once_more,) = dead_letters(home.documents, CTX)
    assert once_more.redriven == 2


@pytest.mark.parametrize("data", [b"{}", b'{"run_id": "run_gone"}'])
def test_a_letter_whose_run_is_gone_is_sent_again_all_the_same(home: Home, data: bytes) -> None:
    letter = keep(home, buried(home, Message("m", data, REQUEST)))
    redrive(home, CTX, letter)
    (delivery,) = home.bus.pull(["steps-toy"])
    assert (delivery.message.data, delivery.message.attributes) == (data, REQUEST)


def test_an_upload_that_was_given_up_is_a_failed_run_and_so_is_a_step(
    home: Home, tmp_path: Path
) -> None:
    path = tmp_path / "take.wav"
    path.write_text("sound")
    landed = upload(home, CTX, path)
    (announced,) = home.bus.pull(["uploads"])
    keep(home, buried(home, announced.message))
    run = run_object(home, CTX, upload_run_id(landed))
    assert run["error"]["code"] == "backend_failed" and states(run) == {"probe": "failed"}
    waiting = Run(
        run_id="run_1",
        tenant_id="t1",
        env="dev",
        source="x",
        planned=("toy.one",),
        created_at=1.0,
    )
    open_run(home.documents, CTX, waiting)
    asked = {"tenant_id": "t1", "env": "dev", "step": "toy.one", "asset_id": "a", "run_id": "run_1"}
    keep(home, buried(home, Message("m", json.dumps(asked).encode(), REQUEST)))
    assert load_records(home.documents, CTX, "run_1")["toy.one"].state == "failed"
