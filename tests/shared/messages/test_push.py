"""Who may push: real tokens, keys and certificates; only the address of Google's is another."""

from __future__ import annotations

import datetime
import io
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from flask import Request
from google.auth import crypt, jwt

from shared.contracts.message import Message
from shared.errors import Unavailable, ValidationError
from shared.homes.home import Home
from shared.messages import push
from shared.settings import Settings
from shared.watch.log import configure
from tests.listening import listening

AUDIENCE = "rushes-detect"
ACCOUNT = "rushes-push@project.iam.gserviceaccount.com"
CONFIG = Settings(push_audience=AUDIENCE, push_service_account=ACCOUNT)
BODY = json.dumps({"message": {"data": "", "messageId": "m1", "attributes": {}}}).encode()


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


class Certificates:
    """A server with one certificate, as Google's has several."""

    def __init__(self, key: RSAPrivateKey) -> None:
        self.asked = 0
        body = json.dumps({"k1": _certificate(key)}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805
                self.asked += 1
                handler.send_response(200)
                handler.send_header("Cache-Control", "public, max-age=20000")
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.handler = Handler


@pytest.fixture
def certificates(key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> Iterator[Certificates]:
    push._fetcher.cache_clear()
    served = Certificates(key)
    with listening(served.handler) as address:
        monkeypatch.setattr(push, "CERTIFICATES", f"{address}/certs")
        yield served


def token(key: RSAPrivateKey, **changes: Any) -> str:
    """What Pub/Sub sends: a token signed for one hour."""
    now = int(time.time())
    claims = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "email": ACCOUNT,
        "email_verified": True,
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    signer = crypt.RSASigner.from_string(secret, key_id="k1")
    signed: bytes = jwt.encode(signer, claims)
    return f"Bearer {signed.decode()}"


def _certificate(key: RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_at_home_nobody_is_asked_for_a_token() -> None:
    assert push.refusal("", Settings()) is None


def test_the_pushing_account_gets_in_and_the_certificates_are_fetched_once(
    certificates: Certificates, key: RSAPrivateKey
) -> None:
    for _ in range(5):
        assert push.refusal(token(key), CONFIG) is None
    assert certificates.asked == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "rushes-probe"},
        {"email": "somebody@else.iam.gserviceaccount.com"},
        {"email_verified": False},
        {"iss": "https://evil.example"},
        {"exp": -60, "iat": -3660},
        {"iat": 600},
    ],
    ids="-".join,
)
@pytest.mark.usefixtures("certificates")
def test_a_token_for_anything_else_does_not(changes: dict[str, Any], key: RSAPrivateKey) -> None:
    now = int(time.time())
    times = {name: now + changes[name] for name in ("iat", "exp") if name in changes}
    assert push.refusal(token(key, **{**changes, **times}), CONFIG)


@pytest.mark.usefixtures("certificates")
def test_a_token_that_google_did_not_sign_does_not(key: RSAPrivateKey) -> None:
    other = generate_private_key(65537, 2048)
    head, claims, signature = token(key).split(".")
    _, other_claims, _ = token(key, email="x@y").split(".")
    unsigned = "Bearer eyJhbGciOiJub25lIn0." + claims + "."
    for forged in (
        token(other),
        f"{head}.{other_claims}.{signature}",
        unsigned,
        "Bearer a.b.c",
        "Bearer ",
        "Basic dTpw",
        token(key).replace("Bearer", "Basic"),
        "",
    ):
        assert push.refusal(forged, CONFIG), forged


def test_without_certificates_it_comes_again(
    key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    push._fetcher.cache_clear()
    monkeypatch.setattr(push, "CERTIFICATES", "http://127.0.0.1:9/certs")
    with pytest.raises(Unavailable):
        push.refusal(token(key), CONFIG)


def test_an_audience_without_an_account_lets_nobody_in(key: RSAPrivateKey) -> None:
    with pytest.raises(ValidationError, match="RUSHES_PUSH_SERVICE_ACCOUNT"):
        push.refusal(token(key), Settings(push_audience=AUDIENCE))


@pytest.mark.usefixtures("certificates")
def test_an_endpoint_answers_401_and_hands_nothing_over(
    home: Home, key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "settings", lambda: CONFIG)
    handled: list[Message] = []

    def push_with(authorization: str) -> int:
        headers = {"Authorization": authorization}
        request = Request.from_values(method="POST", data=BODY, headers=headers)
        return push.answer(request, lambda message, _home: handled.append(message), lambda: home)[1]

    assert push_with("") == 401
    assert push_with(token(key, email="somebody@else")) == 401
    assert handled == []
    assert push_with(token(key)) == 204
    assert [message.message_id for message in handled] == ["m1"]


def test_lines_carry_the_platform_s_execution_and_trace(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(push, "configure", lambda _level: configure("INFO", stream))
    told = {
        "Function-Execution-Id": "abc123",
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    }

    def handle(_message: Message, _home: Home) -> None:
        raise Unavailable("the test", "told to")

    for headers in (told, {}):
        request = Request.from_values(method="POST", data=BODY, headers=headers)
        assert push.answer(request, handle, lambda: home)[1] == 503
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["logging.googleapis.com/labels"] == {"execution_id": "abc123"}
    assert first["logging.googleapis.com/trace"] == f"projects/rushes-local/traces/{'a' * 32}"
    assert first["logging.googleapis.com/spanId"] == "b" * 16
    assert second["logging.googleapis.com/labels"]["execution_id"] != "abc123"
    assert "logging.googleapis.com/trace" not in second
