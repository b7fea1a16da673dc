"""Push endpoints: how a function's ``main`` answers Pub/Sub.

204 acknowledges; 503 turns the message back, to come again with backoff; a batch comes again as a
whole, which does what is done already no second time. ``GET /health`` answers 200. Where
``RUSHES_PUSH_AUDIENCE`` is set, a push must carry a token that Google signed for that audience and the
service account that pushes: 401 otherwise, whatever the platform in front has let through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from shared.contracts.message import Message
from shared.errors import Permanent, Unavailable, ValidationError
from shared.homes.home import Home
from shared.lazy_log import get_logger
from shared.messages.delivery import Handler, deliver
from shared.messages.pushes import Event, events_of_push, message_of
from shared.settings import Settings, settings, variable
from shared.steps.burying import bury
from shared.watch.log import bound, configure
from shared.watch.trace import log_fields_of_request

if TYPE_CHECKING:
    from flask import Request

Answer = tuple[str, int]

CERTIFICATES = "https://www.googleapis.com/oauth2/v1/certs"
ISSUERS = ("https://accounts.google.com", "accounts.google.com")
_HEALTH_PATHS = ("/", "/health", "/healthz")
_CLOCK_SKEW_S = 30
_FETCH_S = 10.0

log = get_logger()


def answer(request: Request, handle: Handler, home_of: Callable[[], Home]) -> Answer:
    """Decode the push, hand the message over, and say whether it must come again.

    ``home_of`` is asked once the push has been let through.
    """
    configure(settings().log_level)
    if request.method != "POST":
        return _look(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    with bound(**_request_fields(headers)):
        return _answer(request, handle, home_of)


def _answer(request: Request, handle: Handler, home_of: Callable[[], Home]) -> Answer:
    try:
        why_not = refusal(request.headers.get("Authorization", ""), settings())
    except Unavailable as error:
        log.warning("push.unchecked", code=error.code)
        return "", 503
    if why_not:
        log.warning("push.refused", reason=why_not)
        return "", 401
    body = request.get_data()
    try:
        events = events_of_push(body, dict(request.headers))
    except Permanent as error:
        _bury(body, error, home_of())
        return "", 204
    again = [_turned_back(event, handle, home_of()) for event in events]
    return ("", 503) if any(again) else ("", 204)


def _turned_back(event: Event, handle: Handler, home: Home) -> bool:
    """Hand one event's message over; must it come again?"""
    try:
        message = message_of(event)
    except Permanent as error:
        _bury(event.body, error, home)
        return False
    return message is not None and deliver(message, home, handle) is not None


def _bury(body: bytes, error: Permanent, home: Home) -> None:
    bury(home, Message(message_id="", data=body, attributes={}), error)


def _look(request: Request) -> Answer:
    """Whoever looks whether the function lives; it says nothing that a stranger may not know."""
    if request.method not in ("GET", "HEAD"):
        return "", 405
    return ("ok", 200) if request.path in _HEALTH_PATHS else ("", 404)


def refusal(authorization: str, config: Settings) -> str | None:
    """Why a push with this ``Authorization`` header is not taken; ``None`` if it is.

    Raises ``Unavailable`` where Google's certificates cannot be had, and ``ValidationError`` where
    the settings name an audience but nobody who pushes.
    """
    if config.push_audience is None:
        return None
    if config.push_service_account is None:
        raise ValidationError(variable("push_service_account"), "goes with the audience")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        return "no token"
    try:
        claims = _verified(token, config.push_audience)
    except ValueError:
        return "the token is not valid, or not for this audience"
    if claims.get("iss") not in ISSUERS:
        return "another issuer"
    if claims.get("email") != config.push_service_account or not claims.get("email_verified"):
        return "another account"
    return None


def _verified(token: str, audience: str) -> Mapping[str, Any]:
    """The claims of a token whose signature, time and audience hold; ``ValueError`` otherwise."""
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.oauth2.id_token import verify_token

    try:
        claims: Mapping[str, Any] = verify_token(
            token,
            _fetcher(),
            audience=audience,
            certs_url=CERTIFICATES,
            clock_skew_in_seconds=_CLOCK_SKEW_S,
        )
    except TransportError as error:
        raise Unavailable("Google's certificates", "they cannot be fetched") from error
    except GoogleAuthError as error:
        raise ValueError(str(error)) from None
    return claims


@cache
def _fetcher() -> Any:
    """Fetches certificates, and keeps them as long as their headers allow."""
    import requests
    from cachecontrol import CacheControl
    from google.auth.transport.requests import Request as Fetch

    return partial(Fetch(session=CacheControl(requests.Session())), timeout=_FETCH_S)


def _request_fields(headers: Mapping[str, str]) -> dict[str, str]:
    """What Cloud Run and Cloud Trace call this request; ``headers`` by their names in lower case."""
    execution_id = headers.get("function-execution-id")
    named = {"execution_id": execution_id} if execution_id else {}
    return named | log_fields_of_request(headers)
