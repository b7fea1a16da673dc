"""What the reading endpoints take of the processor, and how late the latest answer is, beside bare FastAPI.

    python -m tests.bench api

The bare application has the same paths and returns the very bytes that ours does, from memory: the
difference is what finding out who asks, reading the documents, and writing the JSON cost. Both are
served by one uvicorn process each, one after the other, to so many connections that stay open.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

from functions.wiring import engine_of
from infra.local.emulators import free_port
from shared.contracts.artifact import Artifact, artifact_key
from shared.contracts.asset import Asset, AudioStream, MediaInfo, Source
from shared.contracts.context import RequestContext
from shared.contracts.step import Run, StepRecord, StepState
from shared.homes.home import Home, open_home
from shared.pipeline import KINDS, PROBE
from shared.settings import Settings
from tests.bench.report import Row
from tests.toy import wait_until

ROOT = Path(__file__).parents[2]
CTX = RequestContext(tenant_id="local", env="dev")
CONNECTIONS, REQUESTS, WARM_UP = 16, 1600, 100
ASSETS, ARTIFACTS = 200, 80
WHY = "who asks is found out, documents are read, JSON is put together"
PATHS = {
    "one recording": "/assets/ast_0000",
    "a page of 100 recordings": "/assets",
    "a run with 80 artifacts": "/runs/run_1",
    "one artifact": "/artifacts/art_0000",
    "64 KiB of sound": "/artifacts/art_0000/content",
}


def measure() -> Iterator[Row]:
    """Ours, then the bare application."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _fill(open_home(Settings(data=folder / "data"), engine_of))
        environment = {"RUSHES_DATA": str(folder / "data"), "RUSHES_LOG_LEVEL": "WARNING"}
        with _served("functions.api.main:create", environment) as (ours, server):
            told = {path: urllib.request.urlopen(ours + path).read() for path in PATHS.values()}
            (folder / "bodies.json").write_text(
                json.dumps({path: body.hex() for path, body in told.items()})
            )
            own = {what: asyncio.run(_load(ours, server, path)) for what, path in PATHS.items()}
        environment = {"BENCH_BODIES": str(folder / "bodies.json")}
        with _served("tests.bench.bench_api:bare", environment) as (address, server):
            bare_ones = {
                what: asyncio.run(_load(address, server, path)) for what, path in PATHS.items()
            }
    for what in PATHS:
        one, other = own[what], bare_ones[what]
        name = f"a request for {what}, beside FastAPI that knows the answer"
        yield Row(f"{name}: processor", one.cpu_us, other.cpu_us, "us", "ratio <= 1.25", WHY)
        yield Row(f"{name}: p99", one.p99_ms, other.p99_ms, "ms")


def bare() -> Any:
    """The application that knows its answers beforehand."""
    from fastapi import FastAPI, Response

    app = FastAPI()
    bodies = json.loads(Path(os.environ["BENCH_BODIES"]).read_text())

    def add(path: str, body: bytes) -> None:
        media_type = "audio/wav" if path.endswith("content") else "application/json"

        @app.get(path)
        def answer() -> Response:
            return Response(body, media_type=media_type)

    for path, text in bodies.items():
        add(path, bytes.fromhex(text))

    @app.get("/ready")
    def ready() -> dict[str, str]:
        return {"status": "ok"}

    return app


@dataclass(frozen=True)
class Load:
    """What so many requests took."""

    cpu_us: float
    """Of the server's processor for a request: neighbours hardly change it."""
    p99_ms: float


async def _load(address: str, server: psutil.Process, path: str) -> Load:
    host, port = address.removeprefix("http://").split(":")
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    taken_ms: list[float] = []

    async def client(count: int, *, warm: bool) -> None:
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
        for _ in range(count):
            begun = perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
            if not warm:
                taken_ms.append(1000 * (perf_counter() - begun))
        writer.close()

    await asyncio.gather(*(client(WARM_UP // CONNECTIONS, warm=True) for _ in range(CONNECTIONS)))
    begun_s = _used_s(server)
    share = REQUESTS // CONNECTIONS
    await asyncio.gather(*(client(share, warm=False) for _ in range(CONNECTIONS)))
    cpu_us = 1e6 * (_used_s(server) - begun_s) / len(taken_ms)
    return Load(cpu_us, sorted(taken_ms)[int(0.99 * len(taken_ms))])


def _used_s(server: psutil.Process) -> float:
    used = server.cpu_times()
    return float(used.user + used.system)


@contextmanager
def _served(factory: str, environment: dict[str, str]) -> Iterator[tuple[str, psutil.Process]]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", factory, "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--no-access-log", "--log-level", "warning"],
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return urllib.request.urlopen(f"{address}/ready", timeout=5).status == 200
        except OSError:
            return False

    try:
        wait_until(answers, at_most_s=120)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _fill(home: Home) -> None:
    """Recordings, and a finished run with its artifacts."""
    prefix = CTX.document_prefix
    for number in range(ASSETS):
        asset = asset_of(number)
        home.documents.put(f"{prefix}assets/{asset.asset_id}", asset.model_dump(mode="json"))
    sound = bytes(64 << 10)
    made = [artifact_of(number, len(sound)) for number in range(ARTIFACTS)]
    home.objects.put(made[0].key, sound, content_type="audio/wav")
    for artifact in made:
        home.documents.put(
            f"{prefix}artifacts/{artifact.artifact_id}", artifact.model_dump(mode="json")
        )
    run = Run(
        run_id="run_1",
        tenant_id=CTX.tenant_id,
        env=CTX.env,
        source="take.wav",
        asset_id="ast_0000",
        planned=(PROBE, "detect.hits"),
        created_at=1e9,
    )
    home.documents.put(f"{prefix}runs/run_1", run.model_dump(mode="json"))
    hits = StepRecord(
        step="detect.hits", artifact_ids=tuple(artifact.artifact_id for artifact in made)
    )
    for record in (StepRecord(step=PROBE), hits):
        settled = record.settled(StepState.DONE).model_dump(mode="json")
        home.documents.put(f"{prefix}runs/run_1/steps/{record.step}", settled)


def asset_of(number: int) -> Asset:
    audio = AudioStream(index=0, codec="pcm_s16le", sample_rate_hz=48_000, channels=2)
    return Asset(
        asset_id=f"ast_{number:04d}",
        tenant_id=CTX.tenant_id,
        env=CTX.env,
        sha256="0" * 64,
        bytes=1_000_000,
        content_type="audio/wav",
        key=f"{CTX.object_prefix}media_v2/ast_{number:04d}/source/ast_{number:04d}.wav",
        media=MediaInfo(container="wav", duration_ms=60_000, audio=(audio,)),
        sources=(Source(key="uploads/take.wav", generation=1, name="take.wav"),),
    )


def artifact_of(number: int, size: int) -> Artifact:
    identifier = f"art_{number:04d}"
    meta = {
        "name": f"hit_{number:04d}",
        "start_ms": 1000 * number,
        "end_ms": 1000 * number + 500,
        "score": 0.5,
        "confidence": 0.9,
        "backend": "librosa",
        "backend_type": "librosa",
        "backend_version": "hits-1",
        "cache_key": "local|dev|ast_0000|detect.hits|{}|hits-1",
        "backend_info": {"service": "detect.hits", "dependencies": {}},
    }
    return Artifact(
        artifact_id=identifier,
        kind="audio_hit",
        asset_id="ast_0000",
        tenant_id=CTX.tenant_id,
        env=CTX.env,
        key=artifact_key(CTX, "ast_0000", KINDS["audio_hit"], identifier, "wav"),
        uri="file:///take.wav",
        content_type="audio/wav",
        sha256="0" * 64,
        bytes=size,
        parents=("ast_0000",),
        meta=meta,
    )
