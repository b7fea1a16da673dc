"""Whatever happens to uploads, in whatever order, ends well: a state machine over the embedded home.

``RUSHES_MACHINE_EXAMPLES=340 pytest tests/shared/runs/test_machine.py`` runs some 10,000 steps.
"""

from __future__ import annotations

import os
import tempfile
import time as real_time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from functions.sweep.lost import announce_missed, recall_lapsed
from functions.sweep.stalled import resume_stalled
from shared.contracts.message import Message
from shared.contracts.step import Run
from shared.errors import LeaseHeld, NotFound, RushesError
from shared.homes.bus import embedded_bus
from shared.homes.documents import embedded_documents
from shared.homes.home import Home
from shared.messages import requests
from shared.messages.dead_letters import keep
from shared.messages.delivery import deliver
from shared.runs.erasing import erase_asset, resume_erasures
from shared.runs.intake import Wishes
from shared.runs.records import finished, load_run, upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import list_artifacts, list_assets
from shared.steps import claims
from shared.steps.step_records import load_records
from tests import toy as toys
from tests.toy import CTX

EXAMPLES = int(os.environ.get("RUSHES_MACHINE_EXAMPLES", "10"))
STEPS = 30
MOMENTS = st.sampled_from([None, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12])
"""Before which of its writes something happens to an action; ``None``: nothing does."""
WRITES = ("create", "update", "put", "delete", "copy", "publish")
pytestmark = [pytest.mark.allow_error_logs, pytest.mark.timeout(3600)]


class Killed(BaseException):
    """The worker is gone, between two of its writes."""


def die() -> None:
    raise Killed


@dataclass
class Fate:
    """After so many writes something happens; ``None``: nothing does."""

    left: int | None = None
    then: Callable[[], object] = die

    def spend(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                self.then()


class Mortal:
    """A store between whose writes anything may happen."""

    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner, self._fate = inner, fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in WRITES:
            return found

        def write(*args: Any, **kwargs: Any) -> Any:
            self._fate.spend()
            return found(*args, **kwargs)

        return write


class Uploads(RuleBasedStateMachine):
    """Uploads, deliveries, deaths, erasures, sweeps and deployments."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.toy = toys.install(self.patch)
        self.ahead_s = 0.0
        clock = SimpleNamespace(
            time=lambda: real_time.time() + self.ahead_s,
            monotonic=real_time.monotonic,
            sleep=real_time.sleep,
        )
        for module in (embedded_bus, embedded_documents, claims):
            self.patch.setattr(module, "time", clock)
        self.folder = tempfile.TemporaryDirectory()
        self.fate = Fate()
        plain = toys.embedded_home(Path(self.folder.name) / "data", lease_s=20.0)
        self.home: Home = replace(
            plain,
            objects=cast(Any, Mortal(plain.objects, self.fate)),
            documents=cast(Any, Mortal(plain.documents, self.fate)),
            bus=cast(Any, Mortal(plain.bus, self.fate)),
        )
        self.handlers: dict[str, Callable[[Message, Home], None]] = {
            "uploads": toys.handle_upload,
            "steps-toy": lambda message, home: requests.handle_request(message, home, "toy"),
            "steps-dead": lambda message, home: cast(None, keep(home, message)),
        }
        self.sent: dict[str, str] = {}
        self.erased_after: dict[str, int] = {}
        self.seen: list[tuple[str, Message]] = []

    # -- what people and bad luck do ----------------------------------------------------------

    @rule(text=st.sampled_from("abc"), fails=st.sampled_from([None, None, "permanent"]))
    def upload(self, text: str, fails: str | None) -> None:
        self._upload(text, fails)

    def _upload(self, text: str, fails: str | None) -> None:
        path = Path(self.folder.name) / f"{text}.wav"
        path.write_text(f"sound {text}")
        params = {"toy.three": {"fail": fails}} if fails else None
        self.sent[upload_run_id(upload(self.home, CTX, path, Wishes(params=params)))] = text

    @rule(
        count=st.integers(1, 6),
        after=MOMENTS,
        what=st.sampled_from(["die", "die", "erase", "upload", "deploy", "deliver", "sweep"]),
        text=st.sampled_from("abc"),
    )
    def deliver(self, count: int, after: int | None, what: str, text: str) -> None:
        """So many messages; between two writes of the first, something else may happen."""
        for delivery in self.home.bus.pull(list(self.handlers), limit=count, wait_s=0):
            self.seen.append((delivery.subscription, delivery.message))
            died = Fate(0)
            handled = self._handled(
                delivery.subscription, delivery.message, after, self._happening(what, text, died)
            )
            if handled:
                self.home.bus.ack(delivery)
            elif died.left == 0:
                self.home.bus.nack(delivery)
            after = None

    @precondition(lambda self: self.seen)
    @rule(which=st.integers(0, 1_000), after=MOMENTS)
    def deliver_once_more(self, which: int, after: int | None) -> None:
        self._handled(*self.seen[which % len(self.seen)], after, die)

    @rule(
        text=st.sampled_from("abc"),
        after=st.sampled_from([None, *range(0, 24)]),
        what=st.sampled_from(["die", "upload", "deliver"]),
    )
    def erase(self, text: str, after: int | None, what: str) -> None:
        self._mortally(after, self._happening(what, text, Fate(0)), partial(self._erase, text))

    def _happening(self, what: str, text: str, died: Fate) -> Callable[[], object]:
        def death() -> None:
            died.left = None
            raise Killed

        happenings: dict[str, Callable[[], object]] = {
            "die": death,
            "erase": partial(self._erase, text),
            "upload": partial(self._upload, text, None),
            "deploy": self._deploy,
            "deliver": self._deliver_all,
            "sweep": self._sweep,
        }
        return happenings[what]

    def _erase(self, text: str) -> None:
        for asset in list(list_assets(self.home.documents, CTX)):
            if asset.sources and asset.sources[0].name == f"{text}.wav":
                self.erased_after[text] = len(self.sent)
                erase_asset(self.home, CTX, asset.asset_id)

    def _deliver_all(self) -> None:
        for delivery in self.home.bus.pull(list(self.handlers), limit=4, wait_s=0):
            if self._handled(delivery.subscription, delivery.message, None, die):
                self.home.bus.ack(delivery)
            else:
                self.home.bus.nack(delivery)

    @rule()
    def sweep(self) -> None:
        self._sweep()

    def _sweep(self) -> None:
        recall_lapsed(self.home)
        announce_missed(self.home, now=real_time.time() + 1_000)
        resume_stalled(self.home, grace_s=100.0)
        resume_erasures(self.home)

    @rule(seconds=st.sampled_from([5.0, 60.0, 1_000.0]))
    def pass_time(self, seconds: float) -> None:
        self.ahead_s += seconds

    @rule()
    def deploy(self) -> None:
        self._deploy()

    def _deploy(self) -> None:
        self.toy.version = f"toy-{int(self.toy.version.split('-')[1]) + 1}"

    def _handled(
        self, topic: str, message: Message, after: int | None, then: Callable[[], object]
    ) -> bool:
        def handle() -> None:
            error = deliver(message, self.home, self.handlers[topic])
            if error is not None:
                raise error

        return self._mortally(after, then, handle)

    def _mortally(
        self, after: int | None, then: Callable[[], object], act: Callable[[], object]
    ) -> bool:
        """Do it; ``False`` where it was turned back, or its worker died."""
        before = replace(self.fate)
        self.fate.left, self.fate.then = after, then
        try:
            act()
        except (Killed, LeaseHeld):
            return False
        except RushesError as error:
            assert error.transient or isinstance(error, NotFound), error
            return False
        finally:
            self.fate.left, self.fate.then = before.left, before.then
        return True

    # -- what must hold once all is calm ------------------------------------------------------

    def teardown(self) -> None:
        try:
            self._calm_down()
            self._check()
        finally:
            self.patch.undo()
            self.folder.cleanup()

    def _calm_down(self) -> None:
        for _ in range(6):
            self.ahead_s += 1_000.0
            self.sweep()
            for _ in range(500):
                self.ahead_s += 30.0
                deliveries = self.home.bus.pull(list(self.handlers), limit=10, wait_s=0)
                if not deliveries:
                    break
                for delivery in deliveries:
                    if self._handled(delivery.subscription, delivery.message, None, die):
                        self.home.bus.ack(delivery)
                    else:
                        self.home.bus.nack(delivery)
            else:
                raise AssertionError("messages come again for ever")

    def _check(self) -> None:
        documents = self.home.documents
        self._check_runs()
        states = {
            document.data["state"] for document in documents.list(f"{CTX.document_prefix}cache")
        }
        assert states <= {"done", "failed"}, "a claim is left"
        assets = {asset.asset_id: asset for asset in list_assets(documents, CTX)}
        assert not any(asset.erasing for asset in assets.values()), "an erasure is left"
        made = {artifact.key: artifact for artifact in list_artifacts(documents, CTX)}
        assert {artifact.asset_id for artifact in made.values()} <= set(assets)
        stored = {one.key for one in self.home.objects.list(f"{CTX.object_prefix}media_v2/")}
        assert stored == {*made, *(asset.key for asset in assets.values())}
        orphans = [
            document.path
            for document in documents.list_group("steps")
            if documents.get(document.path.rsplit("/", 2)[0]) is None
        ]
        assert not orphans, "of runs that are gone"

    def _check_runs(self) -> None:
        for number, (name, text) in enumerate(self.sent.items()):
            try:
                run: Run = load_run(self.home.documents, CTX, name)
            except NotFound:
                assert number < self.erased_after.get(text, 0), "a run vanished"
                continue
            records = load_records(self.home.documents, CTX, name)
            assert finished(run, records), (run.planned, records)


Uploads.TestCase.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, derandomize=True
)
TestUploads = Uploads.TestCase
