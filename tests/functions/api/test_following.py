"""Following runs over a real server: events to the end, waiting, reconnecting."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from functions.api import lookout, main
from functions.api.lookout import Looked, Lookout
from infra.local.api import api_served
from shared.contracts.context import RequestContext
from shared.contracts.step_engine import Job
from shared.contracts.upload import Upload
from shared.errors import RushesError, Unavailable
from shared.runs.intake import Wishes
from shared.runs.records import open_upload_run, upload_run_id
from shared.runs.uploading import upload
from tests.functions.api.conftest import Desk
from tests.toy import drain


@dataclass
class Served:
    """A desk whose API listens on a port of this machine."""

    desk: Desk
    address: str

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=60)
        connection.request("GET", path, headers=told)
        return connection.getresponse()

    def begun(self, text: str = "sound", **wishes: Any) -> str:
        """An upload whose run stands and waits for a worker; returns the run's id."""
        path = self.desk.folder / "take.wav"
        path.write_text(text)
        landed: Upload = upload(self.desk.home, self.desk.ctx, path, Wishes(**wishes))
        open_upload_run(self.desk.home.documents, landed, "take.wav", at=0.0)
        return upload_run_id(landed)


@pytest.fixture
def served(desk_of: Callable[..., Desk]) -> Iterator[Served]:
    desk = desk_of(tenant="t1")
    with api_served(desk.home, None) as address:
        yield Served(desk, address)


def events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any, str | None]]:
    """Name, data and id of each event, until the server ends the stream."""
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    for block in _blocks(answer):
        lines = dict(line.split(": ", 1) for line in block if not line.startswith(":"))
        if lines:
            yield lines["event"], json.loads(lines["data"]), lines.get("id")


def _blocks(answer: http.client.HTTPResponse) -> Iterator[list[str]]:
    block: list[str] = []
    for line in answer:
        text = line.decode().rstrip("\n")
        if text:
            block.append(text)
        else:
            yield block
            block = []


def test_events_tell_each_step_to_the_end(served: Served) -> None:
    run_id = served.begun(steps=("toy.two",))
    answer = served.get(f"/runs/{run_id}/events")
    stream = events(answer)
    name, first, _ = next(stream)
    assert name == "run" and first["state"] == "queued"
    worker = threading.Thread(target=drain, args=(served.desk.home,))
    worker.start()
    told = list(stream)
    worker.join(60)
    last_states = {data["step"]: data["state"] for name, data, _ in told if name == "step"}
    assert last_states == {"probe": "done", "toy.one": "done", "toy.two": "done"}
    name, whole, identifier = told[-1]
    assert name == "finished" and whole == served.desk.client.get(f"/runs/{run_id}").json()
    assert identifier is not None
    assert served.get(f"/runs/{run_id}/events", Last_Event_ID=identifier).status == 204
    again = [name for name, _, _ in events(served.get(f"/runs/{run_id}/events"))]
    assert again == ["run", "step", "step", "step", "finished"]


@pytest.mark.heavy
def test_several_runs_over_one_connection(served: Served) -> None:
    run_ids = [served.begun(text, steps=("toy.one",)) for text in ("a", "b")]
    answer = served.get("/runs/events?" + "&".join(f"run={run_id}" for run_id in run_ids))
    worker = threading.Thread(target=drain, args=(served.desk.home,))
    worker.start()
    finished = [data["run_id"] for name, data, _ in events(answer) if name == "finished"]
    worker.join(60)
    assert sorted(finished) == sorted(run_ids)


def test_events_of_no_run_and_of_too_many(served: Served) -> None:
    assert served.get("/runs/run_none/events").status == 404
    assert served.get("/runs/events?run=run_none").status == 404
    assert served.get("/runs/events").status == 422
    assert served.get("/runs/events?" + "&".join(f"run=r{n}" for n in range(51))).status == 422


def test_a_run_erased_meanwhile_ends_the_stream(served: Served) -> None:
    run_id = served.begun()
    stream = events(served.get(f"/runs/{run_id}/events"))
    next(stream)
    served.desk.home.documents.delete(f"{served.desk.ctx.document_prefix}runs/{run_id}")
    name, data, _ = list(stream)[-1]
    assert name == "finished" and data["error"]["code"] == "not_found"


@pytest.mark.heavy
def test_so_many_may_be_followed_at_a_time(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "MOST_OF_A_TENANT", 2)
    run_id = served.begun()
    path = f"/runs/{run_id}/events"
    held = [served.get(path) for _ in range(2)]
    streams = [events(answer) for answer in held]
    assert [next(stream)[0] for stream in streams] == ["run", "run"]
    refused = served.get(path)
    assert refused.status == 429 and refused.headers["Retry-After"]
    assert json.load(served.get(f"/runs/{run_id}?wait=30"))["state"] == "queued", "told at once"
    monkeypatch.setattr(lookout, "MOST", 2)
    monkeypatch.setattr(lookout, "MOST_OF_A_TENANT", 9)
    assert served.get(path).status == 503
    drain(served.desk.home)
    assert all([name for name, _, _ in stream][-1] == "finished" for stream in streams)
    assert list(events(served.get(path))), "whoever has ended makes room"


def test_a_run_is_looked_at_once_however_many_follow(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(tenant="t1")
    path = desk.folder / "take.wav"
    path.write_text("sound")
    landed: Upload = upload(desk.home, desk.ctx, path)
    open_upload_run(desk.home.documents, landed, "take.wav", at=0.0)
    run_id, looks = upload_run_id(landed), 0

    class Counted(Lookout):
        def _look(self, ctx: RequestContext, run_id: str) -> Looked | RushesError:
            nonlocal looks
            looks += 1
            return super()._look(ctx, run_id)

    async def follow() -> None:
        out = Counted(desk.home)
        with out.following(desk.ctx, [run_id]), out.following(desk.ctx, [run_id]):
            async with anyio.create_task_group() as group:
                for _ in range(50):
                    group.start_soon(out.look, desk.ctx, run_id)
        assert not out._places and not out._followed

    anyio.run(follow)
    assert looks == 1


@pytest.mark.heavy
def test_waiting_answers_when_the_run_has_finished(served: Served) -> None:
    run_id = served.begun(steps=("toy.one",))
    path = f"/runs/{run_id}"
    assert json.load(served.get(path))["state"] == "queued"
    assert json.load(served.get(f"{path}?wait=0.3"))["state"] == "queued", "the wait is bounded"
    released = threading.Event()

    def hold(_job: Job) -> None:
        assert released.wait(60)

    served.desk.toy.during = hold
    worker = threading.Thread(target=drain, args=(served.desk.home,))
    worker.start()
    waiting: list[Any] = []
    caller = threading.Thread(
        target=lambda: waiting.append(json.load(served.get(f"{path}?wait=50")))
    )
    caller.start()
    released.set()
    caller.join(60)
    worker.join(60)
    assert waiting[0]["state"] == "done"
    assert served.get(f"{path}?wait=61").status == 422


@pytest.mark.heavy
def test_a_port_that_is_taken_is_said(served: Served) -> None:
    port = int(served.address.rsplit(":", 1)[1])
    with pytest.raises(Unavailable, match=str(port)), api_served(served.desk.home, port):
        raise AssertionError("it must not serve")


@pytest.mark.heavy
def test_the_console_is_served_to_itself_alone(served: Served) -> None:
    front = served.get("/")
    assert (front.status, front.headers["Location"]) == (307, "/console/")
    for path in ("/console/", "/docs", "/openapi.json"):
        page = served.get(path)
        assert page.status == 200
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "unsafe" not in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert served.get("/console/../main.py").status == 404
    assert main.__name__ == "functions.api.main"
