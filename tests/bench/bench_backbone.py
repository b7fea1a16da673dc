"""The backbone: latency and throughput on the Pub/Sub emulator, cold imports, the cache.

Bare: a functions-framework handler that only acknowledges, behind the same emulator; for imports,
functions-framework with the three Google clients.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from google.cloud import pubsub_v1

from functions.wiring import engine_of
from infra.local.emulators import free_port
from infra.local.stack import Stack, local_stack, start_function, stop_function
from shared.contracts.context import RequestContext
from shared.contracts.step import StepRequest, StepState
from shared.contracts.topics import RESULTS_TOPIC
from shared.homes.home import Home, consumed_topics, open_home
from shared.runs.intake import Wishes
from shared.runs.records import load_run, upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.settings import Settings
from tests.bench.report import Row, median_s, show

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "infra" / "demo" / "demo.mp4"
MESSAGES = 200
SINGLE = 20
CTX = RequestContext(tenant_id="bench", env="dev")
CLIENTS = (
    "functions_framework, google.cloud.storage, google.cloud.pubsub_v1, google.cloud.firestore"
)

WATCHING = "bench"
"""Our own subscription of ``results``."""


def main() -> None:
    """Measure and show."""
    rows = [*cold_imports(), *cache_rows()]
    with tempfile.TemporaryDirectory() as folder:
        config = Settings(data=Path(folder))
        with local_stack(config) as stack:
            rows += push_rows(stack, Path(folder))
    show("backbone", rows)


def cold_imports() -> Iterator[Row]:
    """Process start to loaded trigger, for each function."""
    bare_s = median_s(lambda: _python(f"import {CLIENTS}"))
    for function in dict.fromkeys(consumed_topics().values()):
        module = f"functions.{function}.main"
        homes = ("bus", "documents", "objects")
        home = ", ".join(f"shared.homes.{name}.google_{name}" for name in homes)
        ours_s = median_s(lambda: _python(f"import functions_framework, {module}, {home}"))  # noqa: B023
        yield Row(f"cold import, {function}", ours_s, bare_s, "s")


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def cache_rows() -> Iterator[Row]:
    """``rushes process`` of the demo's clip: the second time beside the first."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "infra.command.main",
            "process",
            str(DEMO),
            "--data",
            folder,
        ]

        def process() -> None:
            subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)

        fresh_s = median_s(process, times=1)
        cached_s = median_s(process, times=3)
    yield Row("process, cached over fresh", cached_s, fresh_s, "s", "a small fraction")


def push_rows(stack: Stack, folder: Path) -> Iterator[Row]:
    """Publish to handled: our step that is answered from the cache, and a bare handler."""
    home = open_home(stack.settings, engine_of)
    with _bare_function(stack, folder) as seen:
        bare_ms, bare_rate = _measure_bare(home, seen)
    ours_ms, ours_rate = _measure_ours(home)
    yield Row("publish to handled, p50 (cached step)", ours_ms, bare_ms, "ms")
    yield Row("messages a second (cached steps)", ours_rate, bare_rate, "/s")


@contextmanager
def _bare_function(stack: Stack, folder: Path) -> Iterator[Path]:
    port = free_port()
    source = Path(__file__).with_name("bare_function.py")
    process = start_function("bare", port, stack.environment, folder, source=source)
    with pubsub_v1.SubscriberClient() as subscriber:
        project = stack.settings.project
        topic = f"projects/{project}/topics/bare"
        pubsub_v1.PublisherClient().create_topic(name=topic)
        subscriber.create_subscription(
            request={
                "name": f"projects/{project}/subscriptions/bare",
                "topic": topic,
                "push_config": {"push_endpoint": f"http://127.0.0.1:{port}"},
            }
        )
    try:
        yield folder / "bare_times.txt"
    finally:
        stop_function(process)


def _measure_bare(home: Home, seen: Path) -> tuple[float, float]:
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
    begun = time.time()
    for _ in range(MESSAGES):
        send()
    while len(handled()) < SINGLE + MESSAGES:
        time.sleep(0.02)
    return statistics.median(latencies_ms), MESSAGES / (handled()[-1][1] - begun)


def _measure_ours(home: Home) -> tuple[float, float]:
    """Ask for one known result again and again; ``results`` tells when each was answered."""
    run_id = upload_run_id(upload(home, CTX, DEMO, Wishes(steps=("detect.hits",))))
    asset_id = _finished(home, run_id)
    home.bus.subscribe(RESULTS_TOPIC, WATCHING)
    _drain_results(home)
    request = StepRequest(
        tenant_id=CTX.tenant_id, env=CTX.env, step="detect.hits", asset_id=asset_id, run_id=run_id
    )
    body = request.model_dump_json().encode()
    begun = time.time()
    for _ in range(MESSAGES):
        home.bus.publish("steps-detect", body, request.attributes)
    answered: list[float] = []
    while len(answered) < MESSAGES:
        for delivery in home.bus.pull([WATCHING], limit=100, wait_s=2):
            answered.append(delivery.message.published_at or time.time())
            home.bus.ack(delivery)
    one_ms = _one_at_a_time(home, body, request)
    return one_ms, MESSAGES / (max(answered) - begun)


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
    from shared.errors import NotFound

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


if __name__ == "__main__":
    main()
