"""The stack's functions: served again when their process ends."""

from __future__ import annotations

import urllib.request
from contextlib import suppress
from pathlib import Path

from infra.local.emulators import free_port
from infra.local.stack import Stack, start_function, stop_function
from shared.settings import Settings
from tests.toy import wait_until


def answers(address: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=2) as got:
        return bool(got.status == 200)
    return False


def test_a_function_that_was_killed_is_served_again_at_its_address(tmp_path: Path) -> None:
    logs, port = tmp_path / "logs", free_port()
    logs.mkdir()
    address = f"http://127.0.0.1:{port}"
    stack = Stack(
        {},
        Settings(data=tmp_path),
        {"webhooks": address},
        {"webhooks": start_function("webhooks", port, {}, logs)},
    )
    try:
        wait_until(lambda: answers(address))
        assert stack.restart_dead() == []
        killed = stack.processes["webhooks"]
        killed.kill()
        killed.wait()
        assert stack.restart_dead() == ["webhooks"]
        assert stack.processes["webhooks"].pid != killed.pid
        wait_until(lambda: answers(address))
    finally:
        stop_function(stack.processes["webhooks"])
