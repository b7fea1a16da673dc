"""Install one function as its image does, in a clean folder, and have it answer a request.

    python -m infra.images.install_check FUNCTION

No Docker is needed: install.sh, serve.sh and the Dockerfile's own COPY lines are what is used, with
this machine's Python and ffmpeg in place of the image's. The function works in an embedded home; this
process uploads the demo's clip, does what comes before, and pushes to it what Pub/Sub would.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from functions.wiring import engine_of
from infra.local.emulators import free_port
from infra.local.handlers import handler_of
from infra.local.worker import worker_environment
from shared.contracts.context import RequestContext
from shared.contracts.message import Message
from shared.contracts.topics import steps_topic
from shared.contracts.upload import Upload, notification
from shared.errors import Unavailable
from shared.homes.home import Home, consumed_topics, open_home
from shared.messages.delivery import deliver
from shared.pipeline import PROBE, functions, step_named, with_needs
from shared.processes import tied_to_caller
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.settings import Settings
from shared.steps.step_records import load_records

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "infra" / "demo" / "demo.mp4"
PATTERN = ROOT / "docs" / "examples" / "rehearsal.json"
CTX = RequestContext(tenant_id="image", env="dev")
ASKED: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "render": ("render.video", {}),
    "separate": ("separate.stems", {"model": "tiny_band"}),
}
"""Step and params of a function whose first step does not work on the demo's clip as it stands."""
MODELS = ROOT / "tests" / "fixtures"
"""Tiny weights in place of those that an image may bring."""
START_S = 60.0
ANSWER_S = 600.0


@dataclass(frozen=True)
class Image:
    """What an image would hold, in a folder."""

    function: str
    app: Path
    venv: Path

    def packages(self) -> set[str]:
        """Names of what is installed, in lower case."""
        listed = subprocess.run(
            [self.venv / "bin" / "pip", "list", "--format=json"],
            check=True,
            capture_output=True,
            text=True,
        )
        return {row["name"].lower() for row in json.loads(listed.stdout)}


def install(function: str, folder: Path) -> Image:
    """Do the Dockerfile's steps for ``function`` in ``folder``; raises ``CalledProcessError``."""
    image = Image(function, folder / "app", folder / "venv")
    script = ROOT / "infra" / "images" / "install.sh"
    subprocess.run([script, function, "cpu", image.venv], check=True, stdout=subprocess.DEVNULL)
    for source, target in copied():
        if (ROOT / source).is_dir():
            shutil.copytree(
                ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / source, folder / target)
    return image


def copied() -> list[tuple[str, str]]:
    """The Dockerfile's COPY lines into the image's last stage: from the repository, to below ``/``."""
    last_stage = (ROOT / "infra" / "images" / "Dockerfile").read_text().split("\nFROM ")[-1]
    return re.findall(r"^COPY ([\w./]+) /(app/\S+)$", last_stage, re.MULTILINE)


@contextmanager
def served(image: Image, config: Settings) -> Iterator[str]:
    """Serve the function with nothing but what its image has; yields its address."""
    port = free_port()
    log = image.app.parent / "function.log"
    with log.open("wb") as log_file:
        process = subprocess.Popen(
            [*tied_to_caller(), str(image.app / "serve.sh")],
            cwd=config.data,
            env=_environment(image, config, port),
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            start_new_session=True,
        )
    try:
        _wait_for(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=10)


def _environment(image: Image, config: Settings, port: int) -> dict[str, str]:
    return {
        "PATH": f"{image.venv / 'bin'}:{os.environ['PATH']}",
        "VIRTUAL_ENV": str(image.venv),
        "PYTHONPATH": str(image.app),
        "HOME": str(config.data),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "THREADS": "1",
        "FUNCTION": image.function,
        "FUNCTION_TARGET": "main",
        "FUNCTION_SOURCE": str(image.app / "functions" / image.function / "main.py"),
        **worker_environment(config),
    }


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/robots.txt", timeout=2)
        except urllib.error.HTTPError:  # it answers, that is all we ask
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise Unavailable("the function", log.read_text()[-2000:])


def ask(address: str, function: str, home: Home) -> str:
    """Have the function do its work once; returns what came of it. Raises ``Unavailable``."""
    if function in functions():
        return _ask_step(address, function, home)
    if function == PROBE:
        landed = upload(home, CTX, str(DEMO), wishes=Wishes(steps=("transform.loudness",)))
        attributes = notification(landed.bucket, landed.key, landed.generation)
        push(address, Message("1", b"", attributes))
        return _state(home, landed, PROBE)
    if function == "api":
        with urllib.request.urlopen(f"{address}/openapi.json", timeout=ANSWER_S) as answered:
            return f"{len(json.load(answered)['paths'])} paths"
    push(address, Message("1", b"{}", {"sweep": "all", "tenant": "image", "env": "dev"}))
    return "acknowledged"


def _ask_step(address: str, function: str, home: Home) -> str:
    """Lead a run here up to a step of the function's, and push its request."""
    rows = functions()[function]
    usual = next((row for row in rows if row.default), rows[0])
    name, params = ASKED.get(function, (usual.name, {}))
    row = step_named(name)
    landed = upload(
        home,
        CTX,
        str(PATTERN if row.takes == "pattern" else DEMO),
        wishes=Wishes(steps=with_needs([name]), params={name: params}),
    )
    topics = consumed_topics()
    while deliveries := home.bus.pull(list(topics), wait_s=1):
        for delivery in deliveries:
            theirs = topics[delivery.subscription]
            if theirs == function:
                push(address, delivery.message)
                return f"{row.name} {_state(home, landed, row.name)}"
            deliver(delivery.message, home, handler_of(theirs))
            home.bus.ack(delivery)
    raise Unavailable(steps_topic(row.function), "nobody asked for the step")


def _state(home: Home, landed: Upload, step: str) -> str:
    record = load_records(home.documents, CTX, upload_run_id(landed))[step]
    if not record.state.settled or record.error:
        raise Unavailable(step, f"it is {record.state.value}: {record.error}")
    return record.state.value


def push(address: str, message: Message) -> None:
    """Push as Pub/Sub does; raises ``Unavailable`` unless the message is acknowledged."""
    envelope = {
        "subscription": "projects/p/subscriptions/s",
        "message": {
            "messageId": message.message_id,
            "data": base64.b64encode(message.data).decode(),
            "attributes": dict(message.attributes),
        },
    }
    request = urllib.request.Request(
        address,
        data=json.dumps(envelope).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answered:
            status = answered.status
    except urllib.error.HTTPError as error:
        status = error.code
    if status != 204:
        raise Unavailable("the function", f"it answered {status}")


def check(function: str, folder: Path) -> Mapping[str, object]:
    """Install, serve, ask; returns what was seen."""
    begun = time.monotonic()
    image = install(function, folder)
    installed_s = time.monotonic() - begun
    words = "whisper-tiny-words"
    home = open_home(
        Settings(data=folder / "data", models=MODELS, semantic_model=words, captions_model=words),
        engine_of,
    )
    begun = time.monotonic()
    with served(image, home.settings) as address:
        started_s = time.monotonic() - begun
        outcome = ask(address, function, home)
    size = sum(path.stat().st_size for path in image.venv.rglob("*") if path.is_file())
    return {
        "function": function,
        "outcome": outcome,
        "packages": sorted(image.packages()),
        "installed_mb": round(size / 1e6),
        "install_s": round(installed_s, 1),
        "start_s": round(started_s, 2),
    }


def main() -> None:
    """Check the named function, and print what was seen."""
    from shared.watch.log import configure

    configure("ERROR")
    with tempfile.TemporaryDirectory(prefix="rushes-image-") as folder:
        print(json.dumps(check(sys.argv[1], Path(folder)), indent=2))


if __name__ == "__main__":
    main()
