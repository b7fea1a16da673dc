"""The backbone: latency and throughput on the Pub/Sub emulator, cold imports, the cache.

Bare: a functions-framework handler that only acknowledges, behind the same emulator, and one that reads a
document and publishes it by Google's clients; for imports, functions-framework with the three clients.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from google.api_core.exceptions import AlreadyExists
from google.cloud import pubsub_v1

from functions.wiring import engine_of
from infra.local.emulators import free_port
from infra.local.stack import Stack, local_stack, start_function, stop_function
from shared.contracts.context import RequestContext
from shared.contracts.step import StepRequest, StepState
from shared.contracts.topics import RESULTS_TOPIC
from shared.errors import NotFound
from shared.homes.bus import Outgoing
from shared.homes.home import Home, open_home
from shared.runs.intake import Wishes
from shared.runs.records import load_run, upload_run_id
from shared.runs.stored_json import run_json
from shared.runs.uploading import upload
from shared.runs.views import list_artifacts, newest_runs, run_object
from shared.settings import Settings
from shared.steps.storing import artifact_path
from tests.bench import bare_function, bare_teller
from tests.bench.measuring import INSTALLED, cpu_s, wall_s
from tests.bench.report import Row

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "infra" / "demo" / "demo.mp4"
LIGHT = ("probe", "detect", "transcribe")
MESSAGES, RESULTS = 200, 50
SINGLE = 20
CTX = RequestContext(tenant_id="bench", env="dev")
CLIENTS = (
    "functions_framework, google.cloud.storage, google.cloud.pubsub_v1, google.cloud.firestore"
)

WATCHING = "bench"
"""Our own subscription of ``results``."""


def measure() -> Iterator[Row]:
    """What needs no emulator, then the stack."""
    yield from cold_imports()
    yield from cached_again()
    with tempfile.TemporaryDirectory() as folder:
        config = Settings(data=Path(folder))
        with local_stack(config) as stack:
            yield from push_rows(stack, Path(folder))
            yield from reads(open_home(stack.settings, engine_of))


def cold_imports() -> Iterator[Row]:
    """Process start to loaded trigger, for each function that computes nothing by itself."""
    home = ", ".join(f"shared.homes.{one}.google_{one}" for one in ("bus", "documents", "objects"))
    loads = [f"functions_framework, functions.{name}.main, {home}" for name in LIGHT]
    ours = cpu_s(*(lambda words=words: _python(f"import {words}") for words in [*loads, CLIENTS]))
    for name, taken in zip(LIGHT, ours, strict=False):
        what = f"cold import of {name}, beside functions-framework with Google's clients"
        yield Row(what, taken, ours[-1], "s", "ratio <= 1.2", "pydantic makes the models")


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=INSTALLED)


def cached_again() -> Iterator[Row]:
    """``rushes process`` of the demo's clip: the second time beside the first."""
    with tempfile.TemporaryDirectory() as folder:
        rushes = [sys.executable, "-m", "infra.command.main"]

        def process() -> None:
            command = [*rushes, "process", str(DEMO), "--data", folder]
            subprocess.run(command, check=True, cwd=ROOT, env=INSTALLED, stdout=subprocess.DEVNULL)

        (fresh_s,) = cpu_s(process, rounds=1)
        (cached_s,) = cpu_s(process)
    what = "the same file again, embedded, beside its fresh run"
    yield Row(
        what, cached_s, fresh_s, "s", "ratio <= 0.02", "the command imports what it needs to look"
    )


def push_rows(stack: Stack, folder: Path) -> Iterator[Row]:
    """Publish to handled: our step that is answered from the cache, and a bare handler."""
    home = open_home(stack.settings, engine_of)
    home.documents.put(bare_teller.KNOWN, {"state": "done", "text": "x" * 1000})
    with _bare_function(stack, folder, "bare_function") as process:
        silent = _measure_bare(home, folder / bare_function.LOG, process)
    with _bare_function(stack, folder, "bare_teller") as process:
        telling = _measure_bare(home, folder / bare_teller.LOG, process)
    ours = _measure_ours(home, stack.processes["detect"])
    why = "two reads of the store, 35 artifacts among them, and a message told, each waited for"
    for other, bare in (
        ("a bare handler", silent),
        ("a bare one that reads a document and publishes it", telling),
    ):
        what = f"a cached step by push, beside {other}"
        yield Row(f"{what}: processor", ours.cpu_ms, bare.cpu_ms, "ms")
        yield Row(f"{what}: publish to handled, p50", ours.p50_ms, bare.p50_ms, "ms")
        yield Row(f"{what}: messages", ours.rate, bare.rate, "/s", "ratio >= 0.7", why)


def reads(home: Home) -> Iterator[Row]:
    """What a run asks of the Firestore emulator to be shown, and its results to be told."""
    run = newest_runs(home.documents, CTX, limit=1, after=None)[0]
    made = [
        artifact_path(CTX, one.artifact_id)
        for one in list_artifacts(home.documents, CTX, str(run.asset_id))
    ]
    ours_s = wall_s(lambda: run_json(home, CTX, run.run_id))
    bare_s = wall_s(lambda: home.documents.get_all(made))
    what = f"a run with {len(made)} artifacts on the emulator, beside one get_all: wall"
    yield Row(what, 1000 * ours_s, 1000 * bare_s, "ms", "ratio <= 2", "three calls")
    told = Outgoing(RESULTS_TOPIC, b"{}", {"tenant": CTX.tenant_id, "env": CTX.env})
    together_s = wall_s(lambda: home.bus.publish_all([told] * RESULTS))
    alone_s = wall_s(lambda: home.bus.publish(told.topic, told.data, told.attributes))
    what = f"{RESULTS} results published, beside one: wall"
    yield Row(what, 1000 * together_s, 1000 * alone_s, "ms", "ours <= 50")


@dataclass(frozen=True)
class Handled:
    """What so many messages took."""

    cpu_ms: float
    """Of the function's processor, for each."""
    p50_ms: float
    rate: float
    """A second, of many published at once."""


@contextmanager
def _bare_function(stack: Stack, folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """The handler of that module, served, and subscribed to the topic ``bare`` alone."""
    port = free_port()
    source = Path(__file__).with_name(f"{name}.py")
    process = start_function(name, port, stack.environment, folder, source=source)
    project = stack.settings.project
    subscription = f"projects/{project}/subscriptions/{name}"
    with pubsub_v1.SubscriberClient() as subscriber:
        for topic in ("bare", bare_teller.TOLD):
            with suppress(AlreadyExists):
                made = f"projects/{project}/topics/{topic}"
                pubsub_v1.PublisherClient().create_topic(name=made)
        subscriber.create_subscription(
            request={
                "name": subscription,
                "topic": f"projects/{project}/topics/bare",
                "push_config": {"push_endpoint": f"http://127.0.0.1:{port}"},
            }
        )
        try:
            yield process
        finally:
            subscriber.delete_subscription(subscription=subscription)
            stop_function(process)


def _measure_bare(home: Home, seen: Path, process: subprocess.Popen[bytes]) -> Handled:
    def send() -> None:
        home.bus.publish("bare", json.dumps({"sent": time.time()}).encode(), {})

    def handled() -> list[list[float]]:
        lines = seen.read_text().splitlines() if seen.exists() else []
        return [[float(word) for word in line.split()] for line in lines]

    for count in range(1, SINGLE + 1):
        send()
        while len(handled()) < count:
            time.sleep(0.002)
    latencies_ms = [1000 * (at - sent) for sent, at in handled()]
    begun, used_s = time.time(), _used_s(process)
    for _ in range(MESSAGES):
        send()
    while len(handled()) < SINGLE + MESSAGES:
        time.sleep(0.02)
    cpu_ms = 1000 * (_used_s(process) - used_s) / MESSAGES
    rate = MESSAGES / (handled()[-1][1] - begun)
    return Handled(cpu_ms, statistics.median(latencies_ms), rate)


def _used_s(process: subprocess.Popen[bytes]) -> float:
    """Of the server and its workers."""
    server = psutil.Process(process.pid)
    every = [one.cpu_times() for one in (server, *server.children(recursive=True))]
    return float(sum(used.user + used.system for used in every))


def _measure_ours(home: Home, process: subprocess.Popen[bytes]) -> Handled:
    """Ask for one known result again and again; ``results`` tells when each was answered."""
    run_id = upload_run_id(upload(home, CTX, DEMO, Wishes(steps=("detect.hits",))))
    asset_id = _finished(home, run_id)
    home.bus.subscribe(RESULTS_TOPIC, WATCHING)
    _drain_results(home)
    request = StepRequest(
        tenant_id=CTX.tenant_id, env=CTX.env, step="detect.hits", asset_id=asset_id, run_id=run_id
    )
    body = request.model_dump_json().encode()
    begun, used_s = time.time(), _used_s(process)
    for _ in range(MESSAGES):
        home.bus.publish("steps-detect", body, request.attributes)
    answered: list[float] = []
    while len(answered) < MESSAGES:
        for delivery in home.bus.pull([WATCHING], limit=100, wait_s=2):
            answered.append(delivery.message.published_at or time.time())
            home.bus.ack(delivery)
    cpu_ms = 1000 * (_used_s(process) - used_s) / MESSAGES
    one_ms = _one_at_a_time(home, body, request)
    return Handled(cpu_ms, one_ms, MESSAGES / (max(answered) - begun))


def _one_at_a_time(home: Home, body: bytes, request: StepRequest) -> float:
    taken_ms = []
    for _ in range(SINGLE):
        begun = time.time()
        home.bus.publish("steps-detect", body, request.attributes)
        while not (found := home.bus.pull([WATCHING], limit=10, wait_s=5)):
            continue
        taken_ms.append(1000 * ((found[0].message.published_at or time.time()) - begun))
        for delivery in found:
            home.bus.ack(delivery)
    return statistics.median(taken_ms)


def _finished(home: Home, run_id: str) -> str:
    while True:
        try:
            run = run_object(home, CTX, run_id)
        except NotFound:
            run = {"state": "queued"}
        if run["state"] not in (StepState.QUEUED, StepState.RUNNING):
            return str(load_run(home.documents, CTX, run_id).asset_id)
        time.sleep(0.1)


def _drain_results(home: Home) -> None:
    while found := home.bus.pull([WATCHING], limit=100, wait_s=1):
        for delivery in found:
            home.bus.ack(delivery)
