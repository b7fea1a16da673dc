"""The whole product on this machine's emulators: what `rushes up --emulators` starts.

    GCS-compatible bucket --notification--> Pub/Sub emulator --push--> each function, served by
    functions-framework --> Firestore emulator and the bucket again

Everything started here is stopped here, whatever happens.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Never

from functions.sweep.lost import announce_missed
from functions.sweep.stalled import resume_stalled
from functions.wiring import engine_of
from infra.local.emulators import Emulator, free_port, google_emulators
from infra.local.storage_server import serve
from infra.local.worker import worker_environment
from shared.contracts.topics import DEAD_TOPIC, UPLOADS_TOPIC
from shared.errors import Unavailable
from shared.homes.home import Home, consumed_topics, open_home
from shared.homes.objects.embedded_objects import EmbeddedObjects
from shared.processes import tied_to_caller
from shared.settings import Settings

ROOT = Path(__file__).parents[2]
_START_S = 60.0
_LOOK_S = 1.0
"""Between two looks whether all functions are served."""
_SWEEP_EVERY_S = 300.0
"""As long as the sweep leaves an upload to its own message."""


@dataclass(frozen=True)
class Stack:
    """A running stack: how to reach it."""

    environment: Mapping[str, str]
    """What a client's process needs in its environment."""
    settings: Settings
    functions: Mapping[str, str]
    """Function -> its address."""
    processes: dict[str, subprocess.Popen[bytes]]
    """Function -> the process that serves it."""
    emulators: Mapping[str, Emulator] = field(default_factory=dict)
    """Each by its name."""

    def restart_pubsub(self) -> bool:
        """Start Pub/Sub's emulator again at its address, if it has ended, and ask anew for what its messages
        asked for: it keeps them in memory. Those who work are at it still, and find its topics again.

        Raises ``Unavailable`` where Firestore's has ended, for with it went what is known of all recordings.
        """
        if self.emulators["firestore"].ended:
            gone = "it has ended, and all that was known of recordings with it: start anew"
            raise Unavailable("the firestore emulator", gone)
        if not self.emulators["pubsub"].ended:
            return False
        from infra.local.subscriptions import create_topics

        self.emulators["pubsub"].restart()
        create_topics(self.settings.project, self.functions)
        home = open_home(self.settings, engine_of)
        announce_missed(home, now=time.time(), grace_s=1.0)
        resume_stalled(home, grace_s=0.0)
        return True

    def restart_dead(self) -> list[str]:
        """Serve again, at its address, each function whose process has ended; returns which."""
        dead = [name for name, process in self.processes.items() if process.poll() is not None]
        for name in dead:
            stop_function(self.processes[name])  # its workers
            port = int(self.functions[name].rsplit(":", 1)[1])
            logs = self.settings.data / "logs"
            self.processes[name] = start_function(name, port, self.environment, logs)
        return dead


@contextmanager
def local_stack(config: Settings) -> Iterator[Stack]:
    """Start everything, wait until it answers, and stop it in the end.

    Raises ``MissingDependency`` for Java or the emulators, ``Unavailable`` if something does not
    come up.
    """
    told = {
        "bucket": config.bucket,
        "project": config.project,
    }  # to whoever sources the stack's file
    config = config.model_copy(update={"home": "google", "data": config.data.absolute(), **told})
    logs = config.data / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        emulators = stack.enter_context(google_emulators(logs))
        stack.enter_context(_environment(emulators.environment))
        from infra.local.subscriptions import create_topics
        from shared.homes.bus.google_bus import GoogleBus

        bus = GoogleBus(config.project)
        names = dict.fromkeys(consumed_topics().values())
        ports = {function: free_port() for function in names}
        addresses = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        create_topics(config.project, addresses)
        server = serve(
            EmbeddedObjects(config.data / "objects"),
            config.bucket,
            "127.0.0.1",
            0,
            publish=lambda data, attributes: bus.publish(UPLOADS_TOPIC, data, attributes),
        )
        stack.callback(server.stop)
        environment = {
            **emulators.environment,
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{server.port}",
            **worker_environment(config),
        }
        stack.enter_context(_environment(environment))
        processes: dict[str, subprocess.Popen[bytes]] = {}
        stack.callback(_stop_all, processes)
        for name, port in ports.items():
            processes[name] = start_function(name, port, environment, logs)
        for name, address in addresses.items():
            _wait_until_it_answers(name, address, processes[name])
        yield Stack(environment, config, addresses, processes, emulators.running)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process (Google's clients read them), and put them back."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _stop_all(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """Those that run now."""
    for process in processes.values():
        stop_function(process)


def start_function(
    name: str, port: int, environment: Mapping[str, str], logs: Path, *, source: Path | None = None
) -> subprocess.Popen[bytes]:
    """Serve one function as Cloud Run does, one request at a time.

    ``source``: the file that holds its ``main``; the function's own by default.
    """
    source = source or ROOT / "functions" / name / "main.py"
    command = [
        *(*tied_to_caller(), sys.executable, "-P", "-m", "functions_framework"),
        *("--target", "main", "--source", str(source)),
        *("--host", "127.0.0.1", "--port", str(port)),
    ]
    with (logs / f"{name}.log").open("ab") as log_file:
        return subprocess.Popen(
            command,
            env={
                **os.environ,
                **environment,
                "PYTHONPATH": str(ROOT),
                "THREADS": "1",
                "HOME": str(logs),  # gunicorn keeps a folder there
            },
            cwd=logs,
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            start_new_session=True,
        )


def stop_function(process: subprocess.Popen[bytes]) -> None:
    """End a function and all its workers."""
    for sign, patience_s in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)


def _wait_until_it_answers(name: str, address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Unavailable(f"the function {name}", f"it ended with {process.returncode}")
        with suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=2):
            return
        Event().wait(0.1)
    raise Unavailable(f"the function {name}", "it does not answer")


def serve_stack(config: Settings, port: int | None, say: Callable[[str], None]) -> None:
    """Run the stack, with console and HTTP API, saying how to use it.

    Ends with ``KeyboardInterrupt``, when all of it has stopped.
    """
    from infra.local.api import api_served

    with local_stack(config) as stack:
        home = open_home(stack.settings, engine_of)
        with api_served(home, port) as address, environment_file(stack) as file:
            say(f"console and HTTP API: {address}")
            say(f"the stack is up; in another terminal:\n  source {shlex.quote(str(file))}")
            say(f"  rushes upload FILE        # or any GCS client, into {_uploads(config)}")
            say("  rushes runs\nstop with Ctrl-C")
            _look_after(stack, home, say)


def _look_after(stack: Stack, home: Home, say: Callable[[str], None]) -> Never:
    """Start again what ends, and do what the cloud's scheduler does, until told to stop."""
    swept_at_s = time.monotonic()
    while True:
        if stack.restart_pubsub():
            say(
                "the pubsub emulator had ended, and was started again: what is not done is asked for"
            )
        for name in stack.restart_dead():
            say(f"the function {name} had ended, and was started again")
        if time.monotonic() - swept_at_s >= _SWEEP_EVERY_S:
            swept_at_s = time.monotonic()
            home.bus.publish(DEAD_TOPIC, b"", {"sweep": "all"})
        Event().wait(_LOOK_S)


@contextmanager
def environment_file(stack: Stack) -> Iterator[Path]:
    """A file for a shell to read, for as long as the stack is up: it holds the stack's keys, too."""
    path = stack.settings.data / "emulators.env"
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in stack.environment.items()]
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text("".join(sorted(lines)))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _uploads(config: Settings) -> str:
    return f"gs://{config.bucket}/tenants/{config.tenant}/{config.env}/uploads/"
