"""Where webhooks may go: out into the world, and nowhere into our own network."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.webhooks.sending import Unreachable, send
from shared.errors import ValidationError
from shared.messages.webhooks import Webhook, check_url, is_public
from shared.settings import Settings, variable
from tests.functions.webhooks.conftest import SECRET, Receiver

PRIVATE = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b:1::7f00:1",
    "fec0::1",
    "2001:0:7f00:1::",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_as_text_and_as_a_names(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(ValidationError):
        check_url(f"https://{host}/hook", private=False)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    rows = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443)),
        (family, socket.SOCK_STREAM, 6, "", (address, 443)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: rows)
    webhook = Webhook(url="https://harmless.example/hook", secret=SECRET)
    with pytest.raises(Unreachable, match="not a public address"):
        send(webhook, "e", "{}", private=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://user:word@example.com/",
        "https://:word@example.com/",
        "https://user@example.com/",
        "https://example.com/#x",
        "https:///path",
        "https://localhost/",
        "https://a.localhost/",
        "https://exa mple.com/",
        "https://example.com/a\r\nX-A: b",
        "https://example.com/\x1b[2J",
        "https://example.com:99999/",
        "https://[::1/",
        "example.com",
        "",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        check_url(url, private=False)


@pytest.mark.parametrize("url", ["http://example.com/", "https://localhost/"])
def test_who_may_allow_an_address_is_said(url: str) -> None:
    setting = next(iter(re.findall(r"RUSHES_\w+", _refusal(url))))
    assert setting in {variable(field) for field in Settings.model_fields}


def _refusal(url: str) -> str:
    with pytest.raises(ValidationError) as refused:
        check_url(url, private=False)
    return refused.value.message


def test_public_ones_are_taken() -> None:
    for url in ("https://example.com/a?b=c!~", "https://example.com:8443/", "https://8.8.8.8/"):
        check_url(url, private=False)
    for url in ("http://127.0.0.1:8000/", "http://nas.lan/hook"):
        check_url(url, private=True)


@given(st.ip_addresses(v=4))
def test_an_ipv4_inside_an_ipv6_is_judged_as_itself(address: Any) -> None:
    import ipaddress

    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    assert is_public(mapped) == is_public(address)


def test_the_connection_goes_where_the_name_was_resolved(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers otherwise the second time gains nothing: there is no second time."""
    port = int(receiver.url.split(":")[2].split("/")[0])
    asked = []

    def once(*args: Any, **_: Any) -> Any:
        asked.append(args)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *a, **k: once(host) if host == "rebound.example" else real(host, *a, **k),
    )
    webhook = Webhook(url=f"http://rebound.example:{port}/", secret=SECRET)
    assert send(webhook, "e", "{}", private=True) == 204
    assert len(asked) == 1


def resolving(monkeypatch: pytest.MonkeyPatch, receiver: Receiver, *addresses: str) -> Webhook:
    """At a name that has these addresses, in this order."""
    port = int(receiver.url.split(":")[2].split("/")[0])
    real = socket.getaddrinfo
    rows = [
        (
            socket.AF_INET6 if ":" in address else socket.AF_INET,
            socket.SOCK_STREAM,
            6,
            "",
            (address, port),
        )
        for address in addresses
    ]
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *a, **k: rows if host == "several.example" else real(host, *a, **k),
    )
    return Webhook(url=f"http://several.example:{port}/", secret=SECRET)


def test_the_next_address_is_tried_where_the_first_takes_no_connection(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two families where this machine has no route for the first; and each is asked once."""
    webhook = resolving(monkeypatch, receiver, "::1", "::1", "127.0.0.2", "127.0.0.1", "127.0.0.3")
    assert send(webhook, "e", "{}", private=True) == 204
    assert len(receiver.got) == 1


@pytest.mark.heavy
def test_an_address_that_is_silent_leaves_time_for_the_next(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.webhooks.sending.TIMEOUT_S", 2.0)
    port = int(receiver.url.split(":")[2].split("/")[0])
    with socket.socket() as full, socket.socket() as waiting, socket.socket() as more:
        full.bind(("127.0.0.2", port))
        full.listen(0)
        for one in (waiting, more):  # whoever comes behind them is not even refused
            one.setblocking(False)
            one.connect_ex(("127.0.0.2", port))
        webhook = resolving(monkeypatch, receiver, "127.0.0.2", "127.0.0.1")
        assert send(webhook, "e", "{}", private=True) == 204


def test_what_was_answered_is_not_told_to_the_next_address(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.status = 500
    webhook = resolving(monkeypatch, receiver, "127.0.0.1", "127.0.0.1", "127.0.0.2")
    assert send(webhook, "e", "{}", private=True) == 500
    assert len(receiver.got) == 1


def test_a_name_that_is_known_too_late_gets_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was told as unreachable, and is tried again: it must not get the event from both."""
    monkeypatch.setattr("functions.webhooks.sending.TIMEOUT_S", 0.1)
    webhook, known = resolving(monkeypatch, receiver, "127.0.0.1"), threading.Event()
    found = socket.getaddrinfo

    def late(*args: Any, **kwargs: Any) -> Any:
        known.wait(60)
        return found(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", late)
    with pytest.raises(Unreachable, match="took longer"):
        send(webhook, "e", "{}", private=True)
    (attempt,) = [each for each in threading.enumerate() if each.name == "webhook"]
    known.set()
    attempt.join(60)
    assert not attempt.is_alive() and not receiver.got


def test_nobody_there_and_no_such_name() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(Unreachable, match="did not answer"):
        send(Webhook(url=f"http://127.0.0.1:{port}/", secret=SECRET), "e", "{}", private=True)
    with pytest.raises(Unreachable, match="name is not known"):
        send(Webhook(url="https://no-such-name.invalid/", secret=SECRET), "e", "{}", private=False)


@contextmanager
def _dripping(line: bytes) -> Iterator[str]:
    """A receiver that says something every tenth of a second, and never comes to the point."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def serve() -> None:
            with suppress(OSError):
                held, _ = listener.accept()
                with held:
                    held.sendall(b"HTTP/1.1 200 OK\r\n" if b":" in line else b"")
                    while not stop.wait(0.1):
                        held.sendall(line)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        stop.set()
        thread.join(5)


@pytest.mark.parametrize("line", [b"X-A: b\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_receiver_that_drips_is_left_at_the_deadline(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.webhooks.sending.TIMEOUT_S", 0.4)
    with _dripping(line) as url:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="took longer"):
            send(Webhook(url=url, secret=SECRET), "e", "{}", private=True)
        assert time.monotonic() - began < 5
