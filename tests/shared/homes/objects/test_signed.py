"""Signed addresses: for one object, for reading, and not for long."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from shared.homes.objects.google_objects import GoogleObjects

SECONDS = 900
"""As the HTTP API asks for them."""


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GoogleObjects:
    """A bucket with a service account's own key: it signs without asking anybody."""
    key = generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "client_email": "api@project.iam.gserviceaccount.com",
        "private_key": key.decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    path = tmp_path / "key.json"
    path.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    return GoogleObjects("rushes-media", "project")


def test_an_address_is_for_one_object_and_ends_soon(objects: GoogleObjects) -> None:
    key = "tenants/t1/dev/media_v2/ast_1/audio_hit/art_1.wav"
    address = objects.download_address(key, name="Take 3.wav", seconds=SECONDS)
    parts = urlsplit(address)
    query = parse_qs(parts.query)
    assert parts.scheme == "https" and parts.path == f"/rushes-media/{key}"
    assert query["X-Goog-Algorithm"] == ["GOOG4-RSA-SHA256"]
    assert int(query["X-Goog-Expires"][0]) == SECONDS
