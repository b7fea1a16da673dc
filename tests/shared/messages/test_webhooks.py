"""The secret of a webhook in its document: sealed where the home has a key."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from shared.contracts.context import RequestContext
from shared.errors import Unavailable, ValidationError
from shared.homes.documents import Documents
from shared.messages.webhooks import Webhook, load_webhook, save_webhook
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
