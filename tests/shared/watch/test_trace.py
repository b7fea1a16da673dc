"""Traces: one upload is one trace; without an exporter nothing is loaded and nothing is sent."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.contracts.message import Message
from shared.errors import Unavailable
from shared.homes.home import Home
from shared.settings import Settings
from shared.watch import trace
from tests.shared.watch.collector import Collector, collector
from tests.toy import Toy, run_file

PARTS = {"claim", "fetch", "engine", "store", "settle", "publish"}


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(trace, "settings", Settings)
        trace._provider.cache_clear()
        yield running
        provider = trace._provider()
        if provider is not None:
            provider.shutdown()
    trace._provider.cache_clear()


def test_an_upload_is_one_trace_and_each_step_hangs_below_what_asked_for_it(
    traced: Collector, home: Home, toy: Toy, tmp_path: Path
) -> None:
    run = run_file(home, tmp_path)
    spans = traced.spans()
    assert len({span.trace_id for span in spans}) == 1
    by_id = {span.span_id: span for span in spans}
    steps = {span.name.removeprefix("process "): span for span in spans if " " in span.name}
    assert {"probe", "toy.one", "toy.two", "toy.three", "toy.join"} <= set(steps)
    for step, asked_by in {"toy.one": "probe", "toy.two": "toy.one"}.items():
        publishing = by_id[steps[step].parent_id]
        assert publishing.name == "publish"
        assert by_id[publishing.parent_id] == steps[asked_by]
    for name in ("probe", "toy.one"):
        parts = {span.name for span in spans if span.parent_id == steps[name].span_id}
        assert parts == PARTS, name
        assert steps[name].attributes["rushes.run_id"] == run["run_id"]


def test_a_span_tells_an_error_s_code_and_not_its_words(
    traced: Collector, home: Home, toy: Toy, tmp_path: Path
) -> None:
    run_file(home, tmp_path, steps=("toy.one",), params={"toy.one": {"fail": "permanent"}})
    (failed,) = [span for span in traced.spans() if "error.type" in span.attributes]
    assert (failed.name, failed.attributes["error.type"]) == ("engine", "backend_failed")
    assert not any(b"told to fail" in body for body in traced.bodies)


def test_a_message_sent_again_stays_in_its_trace(traced: Collector) -> None:
    mine = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    with trace.consuming(Message("m", b"", {})):
        assert trace.onward(mine) == mine
        assert trace.onward({})["traceparent"] != mine["traceparent"]
    with trace.consuming(Message("m", b"", mine)):
        assert "a" * 32 in trace.onward({})["traceparent"]
    assert trace.onward({}) == {}


@pytest.mark.allow_error_logs
def test_a_collector_that_is_away_costs_little_and_breaks_nothing(
    traced: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(trace, "FLUSH_S", 0.2)
    began = time.monotonic()
    with pytest.raises(Unavailable), trace.consuming(Message("m", b"", {})):
        raise Unavailable("it", "is told")
    assert time.monotonic() - began < 5


@pytest.mark.heavy
def test_without_an_exporter_nothing_is_loaded_and_nothing_is_added(tmp_path: Path) -> None:
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from shared.homes.bus import Message\n"
        "from shared.messages.delivery import deliver\n"
        "from tests.toy import embedded_home\n"
        f"home = embedded_home(Path({str(tmp_path)!r}))\n"
        "home.bus.publish('uploads', b'', {'a': 'b'})\n"
        "(got,) = home.bus.pull(['uploads'])\n"
        "deliver(got.message, home, lambda message, home: None)\n"
        "loaded = [name for name in sys.modules if name.startswith('opentelemetry')]\n"
        "print(json.dumps([loaded, dict(got.message.attributes)]))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(told.stdout) == [[], {"a": "b"}]
