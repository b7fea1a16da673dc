"""The secret of a webhook in its document: sealed where the home has a key."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from shared.contracts.context import RequestContext
from shared.errors import Unavailable, ValidationError
from shared.homes.documents import Documents
from shared.messages.webhooks import (
    Delivery,
    Webhook,
    load_webhook,
    save_webhook,
    shown_webhook,
)
from shared.runs.results import webhook_path
from shared.settings import Settings, settings
from tests.toy import embedded_home

CTX = RequestContext(tenant_id="t1", env="dev")
OLD, NEW = (base64.urlsafe_b64encode(bytes([fill]) * 32).decode() for fill in (1, 2))
HOOK = Webhook(url="https://example.com/hooks")


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    return embedded_home(tmp_path / "data").documents


def stored(documents: Documents) -> str:
    document = documents.get(webhook_path(CTX))
    assert document is not None
    return str(dict(document.data))


def test_a_sealed_secret_is_not_in_its_document(documents: Documents) -> None:
    save_webhook(documents, CTX, HOOK, (NEW,))
    assert HOOK.secret not in stored(documents)
    assert load_webhook(documents, CTX, (NEW,)) == HOOK


def test_an_older_key_still_opens_what_it_sealed(documents: Documents) -> None:
    save_webhook(documents, CTX, HOOK, (OLD,))
    assert load_webhook(documents, CTX, (NEW, OLD)) == HOOK


def test_what_was_stored_before_there_was_a_key_is_read(documents: Documents) -> None:
    save_webhook(documents, CTX, HOOK, ())
    assert HOOK.secret in stored(documents)
    assert load_webhook(documents, CTX, (NEW,)) == HOOK


def test_the_newest_runs_deliveries_come_first_and_are_kept_for_a_month() -> None:
    older, newer = (
        Delivery.of("e1", "run.finished", "run_1", at) for at in (1_700_000_000.9, 1_700_000_001.0)
    )
    assert (older.delivery_id, newer.delivery_id) == ("8299999999_e1", "8299999998_e1")
    assert newer.expires_at == 1_700_000_001.0 + timedelta(days=30).total_seconds()
    assert (newer.state, newer.attempts) == ("pending", 0)
    assert Delivery.of("e", "run.finished", "r", 9_999_999_998.0).delivery_id == "0000000001_e"


def test_a_new_secret_is_as_long_as_a_key(documents: Documents) -> None:
    first, second = (Webhook(url=HOOK.url).secret for _ in range(2))
    assert first != second and len(base64.b64decode(first.removeprefix("whsec_"))) == 32
    assert (HOOK.events, shown_webhook(HOOK)["url"]) == (("run.finished", "step.failed"), HOOK.url)
    assert "secret" not in shown_webhook(HOOK)


@pytest.mark.parametrize("keys", [(), (NEW,)])
def test_without_its_key_nothing_is_signed_wrongly(
    documents: Documents, keys: tuple[str, ...]
) -> None:
    save_webhook(documents, CTX, HOOK, (OLD,))
    with pytest.raises(Unavailable, match="RUSHES_WEBHOOK_KEY"):
        load_webhook(documents, CTX, keys)


@pytest.mark.parametrize("wrong", ["secret", f"{NEW},", f"{NEW},x", f"{NEW}{OLD}"])
def test_what_is_no_key_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("RUSHES_WEBHOOK_KEY", wrong)
    settings.cache_clear()
    with pytest.raises(ValidationError, match="RUSHES_WEBHOOK_KEY"):
        settings()


def test_keys_are_not_shown() -> None:
    found = Settings(webhook_key=f"{NEW},{OLD}")
    assert found.webhook_keys == (NEW, OLD)
    assert NEW not in repr(found)
