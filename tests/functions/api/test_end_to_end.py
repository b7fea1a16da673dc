"""``rushes up``, as its users meet it: upload over HTTP, follow, read; and somebody is told."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functions.webhooks.conftest import SECRET, Receiver, receiver  # noqa: F401
from tests.toy import wait_until

DEMO = Path(__file__).parents[3] / "infra" / "demo" / "demo.mp4"
PIECE = 262_144


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-m", "infra.command.main", "up", "--data", str(data)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "RUSHES_WEBHOOK_PRIVATE": "true", "RUSHES_WORKERS": "1"},
    ) as serving:
        assert serving.stdout is not None
        line = serving.stdout.readline()
        assert "console and HTTP API: http://127.0.0.1:" in line
        yield line.split()[-1]
        serving.send_signal(signal.SIGINT)
        assert serving.wait(60) == 0


def call(address: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    if not isinstance(body, bytes):
        told["Content-Type"] = "application/json"
    request = urllib.request.Request(address + path, data, told, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


def read(address: str, path: str) -> Any:
    return json.loads(call(address, "GET", path)[2])


@pytest.mark.heavy
def test_a_recording_goes_in_and_its_hits_come_out(
    address: str,
    receiver: Receiver,  # noqa: F811
) -> None:
    wish = {"url": receiver.url, "secret": SECRET, "events": ["run.finished"]}
    assert call(address, "PUT", "/settings/webhooks", wish)[0] == 200
    recording = DEMO.read_bytes()
    begun = {"name": "demo.mp4", "size_bytes": len(recording), "steps": ["detect.hits"]}
    session = json.loads(call(address, "POST", "/uploads", begun)[2])
    for first in range(0, len(recording), PIECE):
        piece = recording[first : first + PIECE]
        span = f"bytes {first}-{first + len(piece) - 1}/{len(recording)}"
        status, _, answer = call(address, "PUT", session["upload_url"], piece, Content_Range=span)
        assert status == (308 if first + PIECE < len(recording) else 201)
    run_path = json.loads(answer)["links"]["run"]
    wait_until(lambda: call(address, "GET", run_path)[0] == 200)
    with urllib.request.urlopen(f"{address}{run_path}/events", timeout=240) as stream:
        told = stream.read().decode()
    assert "event: finished" in told and '"state":"done"' in told
    run = read(address, run_path)
    asset = read(address, run["links"]["asset"])
    assert asset["sha256"] == hashlib.sha256(recording).hexdigest()
    hits = [a for a in run["steps"][2]["artifacts"] if a["kind"] == "audio_hit"]
    assert len(hits) > 10
    status, headers, sound = call(address, "GET", hits[0]["links"]["content"])
    assert status == 200 and headers["Content-Type"] == "audio/wav"
    assert hashlib.sha256(sound).hexdigest() == hits[0]["sha256"] and sound[:4] == b"RIFF"
    wait_until(lambda: bool(receiver.got), at_most_s=60)
    _, content = receiver.got[0]
    assert content["data"] == run
    again = {"asset_id": asset["asset_id"]}
    status, _, answer = call(address, "POST", "/audio/hits/detect", again)
    assert status == 200, answer
    result = json.loads(answer)["result"]
    assert result["meta"]["cache_hit"]
    assert len(result["content"]["segments"]) == len(hits)


@pytest.mark.heavy
def test_page_and_documents_are_served(address: str) -> None:
    for path in ("/", "/docs", "/docs/page.js", "/openapi.json", "/health"):
        assert call(address, "GET", path)[0] == 200, path
