"""What expires carries a timestamp that Firestore's TTL can act on, and readers never see it."""

from __future__ import annotations

import pytest
from google.cloud import firestore

from shared.errors import ValidationError
from shared.homes.documents.google_documents import GoogleDocuments

PATH = "tenants/t1/envs/dev/dead_letters/a"

pytestmark = pytest.mark.emulator


def stored(project: str) -> dict[str, object]:
    fields = firestore.Client(project=project).document(PATH).get().to_dict()
    assert fields is not None
    return fields


def test_a_time_of_expiry_is_kept_as_a_timestamp(google_project: str) -> None:
    documents = GoogleDocuments(google_project)
    data = {"expires_at": 1_800_000_000.5, "code": "timeout"}
    documents.create(PATH, data)
    expires = stored(google_project)["_expires"]
    assert expires.timestamp() == 1_800_000_000.5  # type: ignore[attr-defined]
    found = documents.get(PATH)
    assert found is not None and found.data == data


def test_what_no_longer_expires_loses_it(google_project: str) -> None:
    documents = GoogleDocuments(google_project)
    documents.create(PATH, {"expires_at": 1_800_000_000})
    documents.put(PATH, {"expires_at": None})
    assert "_expires" not in stored(google_project)


def test_nobody_writes_it_by_hand(google_project: str) -> None:
    with pytest.raises(ValidationError, match="_expires"):
        GoogleDocuments(google_project).create(PATH, {"_expires": 1})
