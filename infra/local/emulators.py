"""Google's Pub/Sub and Firestore emulators, as bare Java: no gcloud wrapper, Docker or account.

Each runs in a process group of its own, which ``stop`` kills whole. Nothing that they hold is on
disk, so there is nothing to shut down in order. On Linux they also die with the thread that
started them, however that ends: start them from a thread that stays.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from shared.errors import MissingDependency, Unavailable
from shared.processes import tied_to_caller

READY_S = 60.0
RESTARTS = 2
"""A port found free may be taken before Java gets to it."""
JAVA_OPTIONS = (
    # They keep all in memory: in 128 MiB, Firestore's was full after 500 uploads and nothing moved any
    # more. The others keep the heap from growing before it must.
    *("-Xmx2g", "-XX:+UseSerialGC", "-XX:MinHeapFreeRatio=10", "-XX:MaxHeapFreeRatio=30"),
    "-XX:-UsePerfData",  # no files left in the temporary folder
)
INSTALL_JAVA = "install a Java runtime (Debian: apt install default-jre-headless)"
INSTALL_SDK = (
    "install the Google Cloud SDK, then"
    " `gcloud components install pubsub-emulator cloud-firestore-emulator`"
    " (Debian: apt install google-cloud-cli-pubsub-emulator google-cloud-cli-firestore-emulator)"
)


@dataclass(frozen=True)
class Emulators:
    """Where the running emulators listen, each as ``host:port``."""

    pubsub: str
    firestore: str
    running: Mapping[str, Emulator] = field(default_factory=dict)
    """Each by its name."""

    @property
    def environment(self) -> dict[str, str]:
        """What to set before a Google client is made. No credentials are needed then."""
        return {"PUBSUB_EMULATOR_HOST": self.pubsub, "FIRESTORE_EMULATOR_HOST": self.firestore}


@contextmanager
def google_emulators(logs: Path) -> Iterator[Emulators]:
    """Run both while the context lasts; their output goes to ``logs``.

    Raises ``MissingDependency`` that says what to install, or ``Unavailable`` with the last words
    of one that did not start.
    """
    commands = {"pubsub": pubsub_command(), "firestore": firestore_command()}
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        started = {}
        for name, command in commands.items():
            started[name] = Emulator(name, command, logs / f"{name}.log")
            stack.callback(started[name].stop)
            started[name].launch()
        pubsub, firestore = [emulator.await_ready() for emulator in started.values()]
        yield Emulators(pubsub, firestore, started)


class Emulator:
    """One emulator: ``command`` lacks but the address."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self._name = name
        self._command = command
        self._log = log
        self._host = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ended(self) -> bool:
        """Has it, by itself or by somebody else's hand (the system's, where memory ran out)?"""
        return self._process is not None and self._process.poll() is not None

    def launch(self) -> None:
        """Start it on a free port, without waiting for it."""
        self._host = f"127.0.0.1:{free_port()}"
        self._start()

    def restart(self) -> None:
        """Start it at the address that it had, and wait until it answers; raises ``Unavailable``."""
        self._start()
        if not self._answers():
            self.stop()
            raise self._not_started()

    def _start(self) -> None:
        port = self._host.rpartition(":")[2]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [*self._command, "--host=127.0.0.1", f"--port={port}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def await_ready(self) -> str:
        """Where it listens, once it answers; raises ``Unavailable`` with its last words."""
        for restarts_left in reversed(range(RESTARTS + 1)):
            if self._answers():
                return self._host
            self.stop()
            if restarts_left:
                self.launch()
        raise self._not_started()

    def _not_started(self) -> Unavailable:
        last_words = self._log.read_text(errors="replace")[-500:].strip()
        return Unavailable(f"the {self._name} emulator", f"it did not start: {last_words}")

    def stop(self) -> None:
        """Kill it with all its children, and wait until it is gone."""
        # While the leader is not reaped its number cannot have gone to another group.
        if self._process is not None and self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _answers(self) -> bool:
        """Wait until it does; ``False`` if it exits first or takes longer than ``READY_S``."""
        assert self._process is not None
        deadline_s = time.monotonic() + READY_S
        while self._process.poll() is None and time.monotonic() < deadline_s:
            connection = HTTPConnection(self._host, timeout=5)
            try:
                connection.request("GET", "/")
                return connection.getresponse().status == 200
            except (OSError, HTTPException):  # not listening yet
                time.sleep(0.05)
            finally:
                connection.close()
        return False


def pubsub_command() -> list[str]:
    """How to run the Pub/Sub emulator, but for its address."""
    jar = _component("pubsub-emulator", "lib/cloud-pubsub-emulator-*-all.jar")
    return [*_java(), "-jar", str(jar)]


def firestore_command() -> list[str]:
    """How to run the Firestore emulator, but for its address."""
    jar = _component("cloud-firestore-emulator", "cloud-firestore-emulator.jar")
    main = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
    return [*_java(), "-Duser.language=en", "-cp", str(jar), main, "start"]


def free_port() -> int:
    """A port of this machine that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def sdk_platform() -> Path:
    """The Google Cloud SDK's folder of emulators; raises ``MissingDependency``."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        raise MissingDependency("Google Cloud SDK", None, INSTALL_SDK)
    linked = Path(gcloud).resolve().parents[1] / "platform"
    if linked.is_dir():
        return linked
    # A wrapper script instead of a link: gcloud itself knows, but needs seconds to say so.
    info = [gcloud, "info", "--format=value(installation.sdk_root)"]
    answer = subprocess.run(info, capture_output=True, text=True, timeout=60, check=False)
    asked = Path(answer.stdout.strip()) / "platform"
    if answer.returncode != 0 or not asked.is_dir():
        raise MissingDependency("Google Cloud SDK", None, INSTALL_SDK)
    return asked


def _component(folder: str, pattern: str) -> Path:
    found = sorted((sdk_platform() / folder).glob(pattern))
    if not found:
        raise MissingDependency(f"Google Cloud SDK's {folder}", None, INSTALL_SDK)
    return found[-1]


def _java() -> list[str]:
    java = shutil.which("java")
    if java is None:
        raise MissingDependency("java", "17", INSTALL_JAVA)
    return [*tied_to_caller(), java, *JAVA_OPTIONS]
