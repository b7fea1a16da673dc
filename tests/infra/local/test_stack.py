"""The stack of the emulators: what it tells, and that its functions are served again when they end."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from infra.local.emulators import Emulator, free_port
from infra.local.stack import Stack, environment_file, start_function, stop_function
from shared.errors import Unavailable
from shared.settings import Settings
from tests.toy import wait_until


def answers(address: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=2) as got:
        return bool(got.status == 200)
    return False


@pytest.mark.heavy
def test_a_function_that_was_killed_is_served_again_at_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From wherever the stack was started: where a folder is called as one of ours, too."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
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


def test_a_shell_reads_the_environment_while_the_stack_is_up(tmp_path: Path) -> None:
    told = {"RUSHES_HOME": "google", "ODD": 'it\'s a "test" $HOME\n2'}
    stack = Stack(told, Settings(data=tmp_path), {}, {})
    with environment_file(stack) as file:
        assert file.stat().st_mode & 0o777 == 0o600
        script = f'. {file} && printf %s "$RUSHES_HOME/$ODD"'
        shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert shown.stdout == f"google/{told['ODD']}"
    assert not file.exists()


def test_it_does_not_go_on_without_the_emulator_that_knew_all_recordings(tmp_path: Path) -> None:
    firestore = Emulator("firestore", [sys.executable, "-c", ""], tmp_path / "log")
    firestore.launch()
    wait_until(lambda: firestore.ended)
    stack = Stack({}, Settings(data=tmp_path), {}, {}, {"firestore": firestore})
    with pytest.raises(Unavailable, match="all that was known of recordings"):
        stack.restart_pubsub()
