"""What the storm blows over: emulators, bucket, topics and functions, each of which can fail."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from functions.wiring import engine_of
from infra.local import subscriptions
from infra.local.emulators import firestore_command, free_port, pubsub_command
from infra.local.stack import start_function, stop_function
from infra.local.storage_server import StorageServer, serve
from infra.local.worker import worker_environment
from shared.contracts.topics import UPLOADS_TOPIC
from shared.errors import Unavailable
from shared.homes.bus.google_bus import GoogleBus
from shared.homes.home import Home, consumed_topics, open_home
from shared.homes.objects.embedded_objects import EmbeddedObjects
from shared.runs import erasing
from shared.settings import Settings
from tests import toy
from tests.toy import wait_until

WORKERS = 4
CALM = "calm"
"""A file in the stage's folder: the storm is over."""
DISK_BYTES = 64 << 20
SERVE = Path(__file__).with_name("serve.py")


class SlowObjects(EmbeddedObjects):
    """A disk that is slow now and then, and sometimes not there."""

    trouble = 0.0
    """How likely an operation is disturbed."""

    def open(self, key: str, **which: Any) -> Any:
        self._disturb()
        return super().open(key, **which)

    def take(self, *what: Any) -> Any:
        self._disturb()
        return super().take(*what)

    def _disturb(self) -> None:
        luck = random.random()
        if luck < self.trouble / 4:
            raise Unavailable("the disk", "it is told to fail")
        if luck < self.trouble:
            time.sleep(random.uniform(0.05, 0.8))


@dataclass
class Service:
    """An emulator at a fixed address, so that it can be frozen, killed and started again."""

    command: Sequence[str]
    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "--host=127.0.0.1", f"--port={self.port}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def await_ready(self) -> None:
        import urllib.request

        def answers() -> bool:
            with (
                suppress(OSError),
                urllib.request.urlopen(f"http://{self.host}/", timeout=2) as got,
            ):
                return bool(got.status == 200)
            return False

        wait_until(answers, at_most_s=60)

    def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def signal(self, sign: signal.Signals) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, sign)


@dataclass
class Stage:
    """The running whole."""

    folder: Path
    config: Settings
    home: Home
    pubsub: Service
    firestore: Service
    objects: SlowObjects
    server: StorageServer
    functions: subprocess.Popen[bytes]
    addresses: Mapping[str, str]
    """Function -> where it is pushed to."""
    small_disk: bool
    """The bucket and the functions' temporary files share a disk of ``DISK_BYTES``."""

    @property
    def log(self) -> str:
        """All that the functions said."""
        return (self.folder / "functions.log").read_text(errors="replace")

    def workers(self) -> list[psutil.Process]:
        """The processes that answer pushes."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.functions.pid).children()
        return []

    def restart_bucket(self, after_s: float = 0.0) -> None:
        """Its state is on disk: nothing is lost."""
        port = self.server.port
        self.server.stop()
        time.sleep(after_s)
        self.server = _serve_bucket(self.objects, self.config, port)

    def restart_pubsub(self) -> None:
        """It keeps all in memory: every message under way is lost, and so are the topics."""
        self.pubsub.stop()
        self.pubsub.start()
        self.pubsub.await_ready()
        make_topics(self.config.project, self.addresses)


def _addresses(port: int) -> dict[str, str]:
    return {name: f"http://127.0.0.1:{port}/{name}" for name in consumed_topics().values()}


def make_topics(project: str, addresses: Mapping[str, str]) -> None:
    """With a shorter patience than people's, for the storm is short."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(subscriptions, "_BACKOFF_S", (1, 4))
        patched.setattr(subscriptions, "ACK_DEADLINE_S", 10)
        subscriptions.create_topics(project, addresses)


def _serve_bucket(objects: EmbeddedObjects, config: Settings, port: int) -> StorageServer:
    bus = GoogleBus(config.project)

    def publish(data: bytes, attributes: Mapping[str, str]) -> object:
        return bus.publish(UPLOADS_TOPIC, data, attributes)

    return serve(objects, config.bucket, "127.0.0.1", port, publish=publish)


def _stop_bucket(built: Stage) -> None:
    built.server.stop()  # the one that runs now


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """A file system of its own, where that is allowed (as root); ``False`` where it is not."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _services(folder: Path, stack: ExitStack) -> tuple[Service, Service]:
    """The emulators of Pub/Sub and Firestore, ready, until the stack unwinds."""
    services = (
        Service(pubsub_command(), folder / "pubsub.log"),
        Service(firestore_command(), folder / "firestore.log"),
    )
    for service in services:
        stack.callback(service.stop)
        service.start()
    for service in services:
        service.await_ready()
    return services


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Build it up, and take it down whatever happens. Raises ``MissingDependency``."""
    disk = folder / "disk"
    disk.mkdir(parents=True)
    with ExitStack() as stack:
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        toy.install(patched)
        patched.setattr(erasing, "RESUMED_AFTER_S", 15.0)
        small = stack.enter_context(_small_disk(disk))
        (disk / "tmp").mkdir()
        config = Settings(
            data=disk / "data", home="google", lease_s=4.0, max_attempts=20, parts_at_once=3
        )
        pubsub, firestore = _services(folder, stack)
        environment = {
            "PUBSUB_EMULATOR_HOST": pubsub.host,
            "FIRESTORE_EMULATOR_HOST": firestore.host,
            **worker_environment(config),
        }
        for name, value in environment.items():
            patched.setenv(name, value)
        port = free_port()
        make_topics(config.project, _addresses(port))
        objects = SlowObjects(config.data / "objects")
        server = _serve_bucket(objects, config, 0)
        storage = {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{server.port}"}
        patched.setenv(*next(iter(storage.items())))
        told = {
            **environment,
            **storage,
            "TMPDIR": str(disk / "tmp"),
            "WORKERS": str(WORKERS),
            "CALM": str(folder / CALM),
        }
        functions = start_function("functions", port, told, folder, source=SERVE)
        stack.callback(stop_function, functions)
        built = Stage(
            folder,
            config,
            open_home(config, engine_of),
            *(pubsub, firestore, objects, server, functions),
            addresses=_addresses(port),
            small_disk=small,
        )
        stack.callback(_stop_bucket, built)
        wait_until(lambda: len(built.workers()) == WORKERS, at_most_s=60)
        yield built
