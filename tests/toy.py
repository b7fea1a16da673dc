"""A pipeline of toy steps, to test the runtime with: what they do is said by their params.

toy.one ──> toy.two ──┐
toy.three ────────────┴──> toy.join (partial)
toy.one ┄┄> toy.wish (on request; wants it, does not need it)
toy.long (on request; done in as many parts as its params say)
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from functions.wiring import engine_of
from shared import pipeline
from shared.contracts.asset import AudioStream, MediaInfo, Probed
from shared.contracts.context import RequestContext
from shared.contracts.message import Message
from shared.contracts.row import Step
from shared.contracts.step import StepState
from shared.contracts.step_engine import (
    Backend,
    Engine,
    Job,
    Output,
    Part,
    Parts,
    Result,
    StepParams,
)
from shared.contracts.upload import Upload, notification
from shared.errors import BackendFailed, Scarce, Unavailable
from shared.homes.home import Home, open_home
from shared.messages.requests import handle_request
from shared.pipeline import KINDS
from shared.runs.intake import Wishes, take_in
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.settings import Settings

HITS = (KINDS["audio_hits"],)
ROWS = (
    Step("toy.one", title="Toy one", takes="any", produces=HITS),
    Step("toy.three", title="Toy three", takes="any", produces=HITS),
    Step(
        "toy.two", title="Toy two", takes="any", produces=HITS, needs={"toy.one": ("audio_hits",)}
    ),
    Step(
        "toy.join",
        title="Toy join",
        takes="any",
        produces=HITS,
        needs={"toy.two": ("audio_hits",), "toy.three": ("audio_hits",)},
        partial=True,
    ),
    Step(
        "toy.wish",
        title="Toy wish",
        takes="any",
        produces=HITS,
        wants={"toy.one": ("audio_hits",)},
        default=False,
    ),
    Step("toy.long", title="Toy long", takes="any", produces=HITS, default=False),
    Step("toy.video", title="Toy video", takes="video", produces=HITS),
)

CTX = RequestContext(tenant_id="t1", env="dev")
MEDIA = MediaInfo(
    container="wav",
    duration_ms=1000,
    audio=(AudioStream(index=0, codec="pcm_s16le", sample_rate_hz=8000, channels=1),),
)


class ToyParams(StepParams):
    text: str = "toy"
    fail: str | None = None
    number: int = 1
    parts: int = 1
    """Of ``toy.long``."""
    fail_part: int | None = None


@dataclass
class Toy:
    """The toy steps at work: how often each ran, and what to do while they do."""

    ran: Counter[str] = field(default_factory=Counter)
    version: str = "toy-1"
    during: Any = None
    """Called with the job in the middle of a step."""
    steady: bool = True
    """``False``: its bytes are others each time it runs, which shows whose are kept."""

    def engine(self, step: str) -> Engine:
        if step == "toy.long":
            return self._long()

        def run(job: Job, params: ToyParams, _backend: Backend) -> Result:
            self.ran[step] += 1
            if self.during is not None:
                self.during(job)
            return self._result(step, job, params)

        return Engine(ToyParams, lambda: Backend("toy", self.version), run)

    def _long(self) -> Engine:
        def split(_media: MediaInfo, _inputs: object, params: ToyParams) -> list[Part]:
            return [Part(1000 * number, 1000 * number + 1000) for number in range(params.parts)]

        def part(job: Job, params: ToyParams, _backend: Backend, part: Part) -> Path:
            number = part.start_ms // 1000
            self.ran[f"part {number}"] += 1
            job.progress(0.5)
            if self.during is not None:
                self.during(job)
            if params.fail and params.fail_part == number:
                self._result("toy.long", job, params)
            path = job.workdir / "part.txt"
            path.write_text(f"{params.text} {part.start_ms} to {part.end_ms}")
            return path

        def join(job: Job, params: ToyParams, _backend: Backend, files: Sequence[Path]) -> Result:
            self.ran["toy.long"] += 1
            told = ToyParams(text=f"{params.text}: " + "; ".join(one.read_text() for one in files))
            return self._result("toy.long", job, told)

        parts = Parts(split, part, join)
        return Engine(ToyParams, lambda: Backend("toy", self.version), parts.run, parts=parts)

    def _result(self, step: str, job: Job, params: ToyParams) -> Result:
        if params.fail == "permanent":
            raise BackendFailed("toy", "told to fail")
        if params.fail == "transient":
            raise Unavailable("toy", "told to come again")
        if params.fail == "scarce":
            raise Scarce("memory", "told to come again")
        if params.fail == "bug":
            raise ZeroDivisionError("told to")
        if params.fail == "skip":
            return Result(state=StepState.SKIPPED, reason="told to")
        heard = [file.path.read_text() for files in job.inputs.values() for file in files]
        outputs = []
        for number in range(params.number):
            path = job.workdir / f"{number}.json"
            time_it_ran = "" if self.steady else f" ({self.ran.total()})"
            path.write_text(
                json.dumps(f"{step} {params.text} {number} {sorted(heard)}{time_it_ran}")
            )
            meta = {"duration_ms": 1000, "segment_count": 0}
            outputs.append(Output("audio_hits", f"toy_{number}", path, "application/json", meta))
        missing = ", ".join(sorted(job.failed))
        return Result(outputs, StepState.DEGRADED if missing else StepState.DONE, missing or None)


def install(monkeypatch: pytest.MonkeyPatch) -> Toy:
    """Put the toy steps in place of the pipeline's."""
    toy = Toy()
    monkeypatch.setattr(pipeline, "STEPS", ROWS)
    # Last first: undoing goes backwards, and so gives the table back in its order.
    for name in reversed(list(pipeline.BY_NAME)):
        monkeypatch.delitem(pipeline.BY_NAME, name)  # type: ignore[arg-type]
    for row in ROWS:
        monkeypatch.setitem(pipeline.BY_NAME, row.name, row)  # type: ignore[misc]
        module = ModuleType(f"functions.{row.name}")
        module.ENGINE = toy.engine(row.name)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return toy


def embedded_home(folder: Path, **changes: Any) -> Home:
    """A home of its own. Its leases outlive a busy machine: tests turn a clock on (``at_time``)."""
    told: dict[str, Any] = {"lease_s": 60.0, "max_attempts": 3, **changes}
    return open_home(Settings(data=folder, **told), engine_of)


def probed(_path: Path) -> Probed:
    """A probe that calls everything a recording."""
    return Probed(media=MEDIA, content_type="audio/wav", extension="wav")


def drain(home: Home) -> list[str]:
    """Deliver all messages until none is left; returns what was turned back, by error code."""
    from shared.messages.delivery import deliver

    turned_back = []
    handlers = {
        "uploads": lambda message, at: handle_upload(message, at),  # noqa: PLW0108 - tests replace it
        "steps-toy": lambda message, at: handle_request(message, at, "toy"),
        "steps-dead": _keep,
    }
    while deliveries := home.bus.pull(list(handlers), limit=10, wait_s=0):
        for delivery in deliveries:
            try:
                error = deliver(delivery.message, home, handlers[delivery.subscription])
            except RuntimeError:
                home.bus.nack(delivery)
                continue
            if error is None:
                home.bus.ack(delivery)
            else:
                turned_back.append(error.code)
                home.bus.nack(delivery)
    return turned_back


def _keep(message: Message, home: Home) -> None:
    from shared.messages.dead_letters import keep

    keep(home, message)


def handle_upload(message: Message, home: Home) -> None:
    """As functions/probe does, with the probe that calls everything a recording."""
    from shared.messages.events import upload_from_message

    found = upload_from_message(message)
    if found is not None:
        take_in(found, message, home, probed)


def run_file(
    home: Home, folder: Path, *, ctx: RequestContext = CTX, text: str = "sound", **wishes: Any
) -> dict[str, Any]:
    """Upload a file, do all that follows, and return the run as people see it."""
    path = folder / "take.wav"
    path.write_text(text)
    run_id = upload_run_id(upload(home, ctx, path, Wishes(**wishes)))
    drain(home)
    return run_object(home, ctx, run_id)


def announce(home: Home, landed: Upload) -> None:
    """Announce an upload once more."""
    home.bus.publish("uploads", b"", notification(landed.bucket, landed.key, landed.generation))


def states(run: dict[str, Any]) -> dict[str, str]:
    """Step -> state."""
    return {step["step"]: step["state"] for step in run["steps"]}


@contextmanager
def at_time(unix_s: float) -> Iterator[None]:
    """Let the embedded stores' clock stand at this time."""
    with pytest.MonkeyPatch.context() as clock:
        clock.setattr(time, "time", lambda: unix_s)
        yield


def wait_until(condition: Any, *, at_most_s: float = 120.0) -> None:
    """Wait for a condition; fails the test if it does not come true."""
    deadline = time.monotonic() + at_most_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
