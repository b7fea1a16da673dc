"""The emulators: started, answering, and gone however their caller ends."""

import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest

from infra.local.emulators import Emulator, google_emulators
from shared.errors import MissingDependency, Unavailable
from tests.toy import wait_until

ROOT = Path(__file__).parents[2]
CALLER = """
import sys, time
from pathlib import Path
from infra.local.emulators import google_emulators

with google_emulators(Path(sys.argv[1])) as running:
    print(running.pubsub, running.firestore, flush=True)
    time.sleep(600)
"""


def answers(host: str) -> bool:
    connection = HTTPConnection(host, timeout=60)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


def java_runs(host: str) -> bool:
    """Is there a living Java for this address? (One that is dead but not reaped has no arguments.)"""
    mark = f"-Xmx.*--port={host.rsplit(':', 1)[1]}"
    command = ["pgrep", "-f", "--", mark]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0


def wait_until_gone(host: str) -> None:
    wait_until(lambda: not java_runs(host))


def program(folder: Path, name: str) -> Path:
    """An executable that does nothing."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.emulator
@pytest.mark.heavy
@pytest.mark.usefixtures("emulators")  # skips where they are not installed
def test_they_answer_and_are_gone_afterwards(tmp_path: Path) -> None:
    with google_emulators(tmp_path / "logs") as running:
        hosts = (running.pubsub, running.firestore)
        assert all(map(answers, hosts))
        assert all(map(java_runs, hosts))
        assert set(running.environment.values()) == set(hosts)
    assert not any(map(answers, hosts))
    assert not any(map(java_runs, hosts))
    assert (tmp_path / "logs" / "firestore.log").read_text()


@pytest.mark.emulator
@pytest.mark.heavy
@pytest.mark.usefixtures("emulators")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties processes to their caller")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_they_die_with_their_caller(tmp_path: Path, ending: signal.Signals) -> None:
    command = [sys.executable, "-c", CALLER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        hosts = caller.stdout.readline().split()
        running = [java_runs(host) for host in hosts]
        caller.send_signal(ending)
    assert running == [True, True]
    for host in hosts:
        wait_until_gone(host)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        with pytest.raises(MissingDependency) as raised, google_emulators(tmp_path / "logs"):
            pass
        assert "install" in raised.value.message
        return str(raised.value.fields["dependency"])

    monkeypatch.setenv("PATH", str(tmp_path / "sdk" / "bin"))
    assert missing() == "Google Cloud SDK"
    program(tmp_path, "sdk/bin/gcloud")
    assert missing() == "Google Cloud SDK"
    (tmp_path / "sdk" / "platform").mkdir()
    assert missing() == "Google Cloud SDK's pubsub-emulator"
    program(tmp_path, "sdk/platform/pubsub-emulator/lib/cloud-pubsub-emulator-1-all.jar")
    assert missing() == "java"


def test_one_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no heap left')"]
    emulator = Emulator("firestore", command, tmp_path / "log")
    emulator.launch()
    with pytest.raises(Unavailable, match="no heap left"):
        emulator.await_ready()
