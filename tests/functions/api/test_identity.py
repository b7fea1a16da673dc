"""Who asks: tokens against a real issuer, and the dev identity's guard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi.testclient import TestClient

from functions.api.main import check_exposure, create
from functions.wiring import engine_of
from shared.errors import ValidationError
from shared.homes.home import Home, open_home
from shared.settings import Settings
from tests.listening import listening


@dataclass
class Issuer:
    """An identity provider: publishes its keys and signs with them."""

    url: str
    keys: dict[str, Any] = field(default_factory=dict)
    asked: int = 0

    def token(self, *, kid: str = "a", algorithm: str = "RS256", **claims: Any) -> str:
        told = {
            "iss": self.url,
            "aud": "rushes",
            "exp": time.time() + 60,
            "sub": "auth0|1",
            "tenant_id": "t1",
            "env": "dev",
        }
        told = {name: value for name, value in {**told, **claims}.items() if value is not None}
        return jwt.encode(told, self.keys[kid], algorithm=algorithm, headers={"kid": kid})

    def published(self) -> dict[str, Any]:
        rows = []
        for kid, key in self.keys.items():
            kind = jwt.algorithms.ECAlgorithm if kid == "ec" else jwt.algorithms.RSAAlgorithm
            row = json.loads(kind.to_jwk(key.public_key()))
            rows.append({**row, "kid": kid, "use": "sig"})
        return {"keys": rows}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            if self.path.endswith("openid-configuration"):
                body = {"issuer": found.url, "jwks_uri": f"{found.url}/keys"}
            else:
                body = found.published()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with listening(Handler) as address:
        found = Issuer(address)
        found.keys["a"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        found.keys["ec"] = ec.generate_private_key(ec.SECP256R1())
        yield found


def asking(issuer: Issuer, folder: Path) -> TestClient:
    config = Settings(data=folder, identity="oidc", oidc_issuer=issuer.url, oidc_audience="rushes")
    return TestClient(create(open_home(config, engine_of)), base_url="https://rushes.example")


@pytest.fixture
def client(issuer: Issuer, tmp_path: Path) -> TestClient:
    return asking(issuer, tmp_path)


@pytest.fixture(scope="module")
def refusing(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """One for all tokens that change nothing."""
    return asking(issuer, tmp_path_factory.mktemp("refusing"))


def me(client: TestClient, token: str) -> Any:
    return client.get("/me", headers={"Authorization": f"Bearer {token}"})


def test_a_token_names_tenant_env_and_user(client: TestClient, issuer: Issuer) -> None:
    shown = me(client, issuer.token(sub="u1")).json()
    assert shown == {"tenant_id": "t1", "env": "dev", "user_id": "u1", "home": "embedded"}
    assert me(client, issuer.token(kid="ec", algorithm="ES256")).status_code == 200
    odd = me(client, issuer.token()).json()["user_id"]
    assert odd.startswith("u_") and len(odd) == 34


def test_keys_are_fetched_once(client: TestClient, issuer: Issuer) -> None:
    me(client, issuer.token())
    asked = issuer.asked
    for _ in range(5):
        assert me(client, issuer.token()).status_code == 200
    assert issuer.asked == asked


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"aud": "another"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"nbf": time.time() + 3600},
        {"tenant_id": None},
        {"tenant_id": "t_unknown"},
        {"tenant_id": ["t1"]},
        {"tenant_id": "../t2"},
        {"env": None},
    ],
)
def test_other_tokens_are_refused(refusing: TestClient, issuer: Issuer, claims: Any) -> None:
    refused = me(refusing, issuer.token(**claims))
    assert refused.status_code == 401 and refused.headers["WWW-Authenticate"] == "Bearer"
    assert refused.json()["error"]["code"] == "unauthenticated"


@pytest.mark.parametrize(("ago_s", "status"), [(5, 200), (120, 401)])
def test_clocks_may_differ_by_half_a_minute(
    client: TestClient, issuer: Issuer, ago_s: float, status: int
) -> None:
    assert me(client, issuer.token(exp=time.time() - ago_s)).status_code == status
    assert me(client, issuer.token(nbf=time.time() + ago_s)).status_code == status


def test_forged_tokens_are_refused(client: TestClient, issuer: Issuer) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    known = {"kid": "a"}
    header, body, signature = issuer.token().split(".")
    forged = [
        jwt.encode(claims, stranger, algorithm="RS256", headers=known),
        jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": "stranger"}),
        jwt.encode(claims, None, algorithm="none", headers=known),
        jwt.encode(claims, "x" * 64, algorithm="HS256", headers=known),
        f"{header}.{body}.{signature[::-1]}",
        f"{header}.{body}.",
        "no.token.atall",
        "",
    ]
    assert {me(client, token).status_code for token in forged} == {401}
    assert client.get("/me").status_code == 401
    assert (
        client.get("/me", headers={"Authorization": f"Basic {issuer.token()}"}).status_code == 401
    )


@pytest.mark.heavy
def test_each_path_but_readiness_asks_who_it_is(client: TestClient) -> None:
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            answer = client.request(method.upper(), path.replace("{", "").replace("}", ""), json={})
            assert answer.status_code == (200 if path == "/ready" else 401), (method, path)


def test_an_issuer_that_is_away_is_no_refusal(tmp_path: Path) -> None:
    config = Settings(
        data=tmp_path, identity="oidc", oidc_issuer="http://127.0.0.1:9", oidc_audience="rushes"
    )
    client = TestClient(create(open_home(config, engine_of)))
    away = me(client, jwt.encode({"a": 1}, "x" * 64, headers={"kid": "a"}))
    assert away.status_code == 503 and away.headers["Retry-After"]


def test_what_is_missing_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="RUSHES_OIDC_AUDIENCE"):
        create(_home(tmp_path, identity="oidc", oidc_issuer="https://issuer.example"))


def test_the_dev_identity_is_not_for_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    with pytest.raises(ValidationError, match="RUSHES_IDENTITY"):
        check_exposure(Settings(home="google"))
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
    check_exposure(Settings(home="google"))


def _home(folder: Path, **told: Any) -> Home:
    return open_home(Settings(data=folder, **told), engine_of)


@pytest.fixture
def at_home(tmp_path: Path) -> Callable[..., Any]:
    app = create(_home(tmp_path))
    return lambda base, **headers: TestClient(app, base_url=base).post(
        "/clips", json={}, headers={name.replace("_", "-"): v for name, v in headers.items()}
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8321", "[::1]:8321"])
def test_this_machines_names_are_answered(at_home: Callable[..., Any], host: str) -> None:
    base = f"http://{host}"
    assert at_home(base).status_code == 422
    assert at_home(base, Origin=base, Sec_Fetch_Site="same-origin").status_code == 422


@pytest.mark.parametrize(
    ("base", "headers"),
    [
        ("http://rebound.example", {}),
        ("http://localhost.example", {}),
        ("http://127.0.0.1", {"Origin": "https://evil.example"}),
        ("http://127.0.0.1:8321", {"Origin": "http://127.0.0.1:9000"}),
        ("http://127.0.0.1", {"Origin": "null"}),
        ("http://127.0.0.1", {"Sec_Fetch_Site": "cross-site"}),
    ],
)
def test_other_sites_are_not(at_home: Callable[..., Any], base: str, headers: Any) -> None:
    refused = at_home(base, **headers)
    assert refused.status_code == 403 and refused.json()["error"]["code"] == "unauthenticated"
    assert "default-src 'self'" in refused.headers["Content-Security-Policy"]


def test_nothing_is_parsed_for_who_has_no_token(client: TestClient) -> None:
    deep = b"[" * 500_000
    refused = client.post("/timelines", content=deep, headers={"Content-Type": "application/json"})
    assert refused.status_code == 401


def test_bodies_are_bounded_in_size_and_depth(client: TestClient, issuer: Issuer) -> None:
    headers = {
        "Authorization": f"Bearer {issuer.token()}",
        "Content-Type": "application/json",
    }

    def pieces() -> Iterator[bytes]:  # without a Content-Length
        for _ in range(40):
            yield b" " * 65_536

    assert client.post("/timelines", content=b" " * 1_100_000, headers=headers).status_code == 413
    assert client.post("/timelines", content=pieces(), headers=headers).status_code == 413
    nested = b'{"a":' * 100 + b"1" + b"}" * 100
    refused = client.post("/timelines", content=nested, headers=headers)
    assert refused.status_code == 422 and "nested" in refused.json()["error"]["message"]
    hidden = '{"name":"∀", "a":'.encode("utf-16") + '{"a":'.encode("utf-16-le") * 100
    refused = client.post("/timelines", content=hidden, headers=headers)
    assert refused.status_code == 422 and "UTF-8" in refused.json()["error"]["message"]
    text = json.dumps({"name": "[" * 1_000}).encode()
    assert client.post("/timelines", content=text, headers=headers).status_code != 413


@pytest.mark.parametrize("text", [b'\\"', b'"', b"\\\\", b"\\"])
def test_a_text_without_end_is_read_once(client: TestClient, issuer: Issuer, text: bytes) -> None:
    """From each of its quotes to the body's end took hours, in which nobody else was answered."""
    headers = {
        "Authorization": f"Bearer {issuer.token()}",
        "Content-Type": "application/json",
    }
    begun = time.process_time()
    body = b'{"name": "' + text * 40_001
    assert client.post("/timelines", content=body, headers=headers).status_code == 422
    assert time.process_time() - begun < 10
