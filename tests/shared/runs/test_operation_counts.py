"""What an upload costs in calls to stores and bus: they are paid for, and times flicker where counts don't.

A count that falls is good news: lower it here. One that rises is a decision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from infra.capacity.tables import part_operations
from shared.contracts.message import Message
from shared.homes.home import Home
from shared.homes.objects import embedded_objects
from shared.homes.objects.index import Index
from shared.homes.sqlite import Database
from shared.messages.requests import handle_request
from shared.pipeline import step_named
from shared.runs.planning import request_for
from shared.runs.records import load_run
from shared.runs.stored_json import public_run
from shared.steps import progress_told
from tests.toy import CTX, Toy, embedded_home, install, run_file

READS = ("get", "get_all", "list", "list_by", "newest", "list_group")
WRITES = ("create", "create_all", "update", "put", "delete")


LISTS = ("list", "list_by", "newest", "list_group")


def _billed(method: str, args: tuple[Any, ...], answer: Any) -> int:
    """Documents, objects or messages, as Google counts them: an empty list is a read, too."""
    if method in ("get_all", "create_all", "publish_all"):
        return len(args[0])
    return max(1, len(answer)) if method in LISTS else 1


class Counted:
    """Stands before an adapter, and counts what is asked of it."""

    def __init__(self, adapter: object, name: str, calls: Counter[str]) -> None:
        self._adapter, self._name, self._calls = adapter, name, calls

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._adapter, method)
        if not callable(found):
            return found

        def counted(*args: Any, **named: Any) -> Any:
            answer = found(*args, **named)
            if method in LISTS:
                answer = list(answer)
            self._calls[f"{self._name}.{method}"] += _billed(method, args, answer)
            return answer

        return counted


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    return install(monkeypatch)


@pytest.fixture
def calls() -> Counter[str]:
    return Counter()


@pytest.fixture
def syncs(calls: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Count what waits for the disk: synced files and folders, and durable commits."""

    def count(target: object, name: str) -> None:
        plain = getattr(target, name)

        def counted(*args: Any, **named: Any) -> Any:
            calls["syncs"] += named.get("durable", True)
            return plain(*args, **named)

        monkeypatch.setattr(target, name, counted)

    count(Database, "write")
    count(Index, "transaction")
    for name in ("sync", "sync_all"):
        count(embedded_objects, name)


@pytest.fixture
def home(tmp_path: Path, toy: Toy, calls: Counter[str], syncs: None) -> Home:
    plain = embedded_home(tmp_path / "home")
    adapters = {name: getattr(plain, name) for name in ("objects", "documents", "bus")}
    counted: dict[str, Any] = {
        name: Counted(adapter, name, calls) for name, adapter in adapters.items()
    }
    return replace(plain, **counted)


def spent(calls: Counter[str], act: Callable[[], object]) -> dict[str, int]:
    """What ``act`` costs: document reads and writes, object reads and writes, messages."""
    calls.clear()
    act()

    def total(adapter: str, methods: Iterable[str]) -> int:
        return sum(calls[f"{adapter}.{method}"] for method in methods)

    return {
        "document reads": total("documents", READS),
        "document writes": total("documents", WRITES),
        "object reads": total("objects", ("stat", "read", "list")),
        "object writes": total("objects", ("put", "create_all", "copy", "delete")),
        "messages": total("bus", ("publish", "publish_all")),
        "syncs": calls["syncs"],
    }


def one_step(home: Home, folder: Path, number: int = 1) -> Callable[[], object]:
    params = {"toy.one": {"number": number}}
    return lambda: run_file(home, folder, steps=("toy.one",), params=params)


FRESH = {
    "document reads": 29,
    "document writes": 18,
    "object reads": 7,
    "object writes": 3,
    "messages": 4,
    "syncs": 30,
}
"""An upload with one step that makes one artifact, and a look at it."""
AGAIN = {
    "document reads": 24,
    "document writes": 11,
    "object reads": 5,
    "object writes": 1,
    "messages": 3,
    "syncs": 16,
}
"""The same once more: the upload itself is stored, and what is known is asked of nobody."""
MORE = {
    "document reads": 1,
    "document writes": 1,
    "object reads": 0,
    "object writes": 1,
    "messages": 0,
    "syncs": 0,
}
"""What each further artifact adds; it is read to be shown."""


def test_an_upload_costs_no_more_than_it_did(
    home: Home, calls: Counter[str], tmp_path: Path
) -> None:
    fresh = spent(calls, one_step(home, tmp_path))
    assert fresh == FRESH
    assert spent(calls, one_step(home, tmp_path)) == AGAIN


def test_each_artifact_is_one_object_and_one_document(
    home: Home, calls: Counter[str], tmp_path: Path
) -> None:
    fifty = spent(calls, one_step(home, tmp_path, 50))
    assert fifty == {name: FRESH[name] + 49 * MORE[name] for name in FRESH}
    again = spent(calls, one_step(home, tmp_path, 50))
    assert again == {**AGAIN, "document reads": AGAIN["document reads"] + 49}


def test_a_run_is_read_alike_however_much_it_made(
    home: Home, calls: Counter[str], tmp_path: Path
) -> None:
    reads = []
    for number in (1, 50):
        params = {"toy.one": {"number": number}}
        run = run_file(home, tmp_path, steps=("toy.one",), params=params)
        reads.append(spent(calls, lambda run=run: public_run(home, CTX, run["run_id"])))
    assert reads[1]["document reads"] - reads[0]["document reads"] == 49 * MORE["document reads"]
    assert reads[0]["document reads"] <= 7


def test_progress_is_written_where_it_can_be_seen(
    home: Home, calls: Counter[str], toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a second apart, here, and 2 %; of a thousand small steps within a minute that is 50."""
    ticks = iter(range(10_000))
    monkeypatch.setattr(
        progress_told, "time", SimpleNamespace(monotonic=lambda: 0.06 * next(ticks))
    )
    monkeypatch.setattr(toy, "during", lambda job: [job.progress(n / 1000) for n in range(1001)])
    busy = spent(calls, one_step(home, tmp_path))
    assert 40 <= busy["document writes"] - FRESH["document writes"] <= 50


def test_each_part_of_a_long_step_costs_what_the_calculator_takes(
    home: Home, calls: Counter[str], tmp_path: Path
) -> None:
    """Four parts more, beside four. Each looks at how all others stand."""

    def parts(number: int) -> dict[str, int]:
        params = {"toy.long": {"parts": number}}
        text = f"in {number} parts"
        return spent(
            calls,
            lambda: run_file(home, tmp_path, text=text, steps=("toy.long",), params=params),
        )

    few, many = parts(4), parts(8)
    assert many["messages"] - few["messages"] == 4
    for shown, unit in (("document reads", "document_reads"), ("messages", "messages_requests")):
        priced = part_operations(unit, 8) - part_operations(unit, 4)
        assert many[shown] - few[shown] == priced


def test_a_message_that_comes_again_is_two_reads_of_the_store(
    home: Home, calls: Counter[str], tmp_path: Path
) -> None:
    """However many artifacts it tells of."""
    params = {"toy.one": {"number": 50}}
    made = run_file(home, tmp_path, steps=("toy.one",), params=params)
    run = load_run(home.documents, CTX, made["run_id"])
    request = request_for(run, step_named("toy.one"))
    asked = Mock(wraps=home.documents)
    again = Message("again", request.model_dump_json().encode(), request.attributes)
    cost = spent(calls, lambda: handle_request(again, replace(home, documents=asked), "toy"))
    assert [name for name, args, _ in asked.method_calls if args[0]] == ["get_all", "get_all"]
    nothing = dict.fromkeys(FRESH, 0)
    assert cost == {**nothing, "document reads": 2 + 1 + 50, "messages": 1}
