"""Who asks: this home's own tenant, or whom a signed token names. Never what a payload says."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Depends, Request

from shared.contracts.context import RequestContext
from shared.contracts.ids import checked_name, digest
from shared.errors import CrossTenant, Unauthenticated, Unavailable, ValidationError
from shared.settings import Settings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
"""Asymmetric ones alone: with a shared secret, or ``none``, anybody could sign."""
_LEEWAY_S = 30
_FETCH_S = 5.0

Identity = Callable[[str | None], RequestContext]
"""From the ``Authorization`` header to who asks; raises ``Unauthenticated``."""


def identity_of(settings: Settings) -> Identity:
    """What the settings name; raises ``ValidationError`` where they lack something."""
    if settings.identity == "dev":
        ctx = RequestContext.of(settings.tenant, settings.env, settings.user)
        return lambda authorization: ctx
    return Oidc(settings)


class Oidc:
    """OpenID Connect: bearer tokens (JWT), checked against the issuer's published keys."""

    def __init__(self, settings: Settings) -> None:
        for name in ("oidc_issuer", "oidc_audience"):
            if not getattr(settings, name):
                raise ValidationError(f"RUSHES_{name.upper()}", "is missing")
        self._settings = settings

    def __call__(self, authorization: str | None) -> RequestContext:
        """Who the token names; raises ``Unauthenticated``, or ``Unavailable`` without the keys."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("a bearer token is needed")
        claims = self._claims(token.strip())
        config = self._settings
        try:
            return RequestContext.of(
                _text(claims, config.oidc_tenant_claim),
                _text(claims, config.oidc_env_claim),
                _user(_text(claims, config.oidc_user_claim)),
            )
        except ValidationError as error:
            raise Unauthenticated(f"the token names nobody: {error.message}") from error

    def _claims(self, token: str) -> Mapping[str, Any]:
        import jwt

        try:
            key = self._keys.get_signing_key_from_jwt(token)
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._settings.oidc_audience,
                issuer=self._settings.oidc_issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise Unavailable("the issuer", "its keys cannot be fetched") from error
        except jwt.PyJWTError as error:
            raise Unauthenticated(str(error)) from error
        return claims

    @cached_property
    def _keys(self) -> Any:
        import jwt

        address = self._settings.oidc_jwks_url or self._discovered()
        return jwt.PyJWKClient(address, lifespan=300, timeout=_FETCH_S)

    def _discovered(self) -> str:
        issuer = str(self._settings.oidc_issuer).rstrip("/")
        try:
            with urllib.request.urlopen(
                f"{issuer}/.well-known/openid-configuration", timeout=_FETCH_S
            ) as answer:
                return str(json.load(answer)["jwks_uri"])
        except (OSError, ValueError, KeyError) as error:
            raise Unavailable("the issuer", "its keys cannot be found") from error


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) else None


def _user(subject: str | None) -> str | None:
    """The subject as an id; one that is none (``auth0|123``, a mail address) by its hash."""
    if subject is None:
        return None
    try:
        return checked_name("user_id", subject)
    except ValidationError:
        return f"u_{digest(subject)[:32]}"


async def identified(request: Request) -> RequestContext:
    """The context of this request."""
    identity: Identity = request.app.state.identity
    authorization = request.headers.get("authorization")
    if isinstance(identity, Oidc):  # may fetch the issuer's keys
        return await anyio.to_thread.run_sync(identity, authorization)
    return identity(authorization)


Caller = Annotated[RequestContext, Depends(identified)]


def check_claimed(ctx: RequestContext, payload: Mapping[str, Any]) -> None:
    """Raise ``CrossTenant`` where a payload names another tenant, env or user than the identity."""
    ctx.check_payload(payload)
    if payload.get("user_id") not in (None, ctx.user_id):
        raise CrossTenant("user_id")
