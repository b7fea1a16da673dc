"""Whatever happens to uploads, in whatever order, ends well: a state machine over the embedded home.

``RUSHES_MACHINE_EXAMPLES=340 pytest tests/shared/runs/test_machine.py`` runs some 10,000 steps.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time as real_time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from functions.sweep.lost import announce_missed, recall_lapsed, remove_left_parts
from functions.sweep.stalled import resume_stalled
from shared.contracts.message import Message
from shared.contracts.step import Run
from shared.errors import LeaseHeld, NotFound, RushesError
from shared.homes.bus import Delivery, embedded_bus
from shared.homes.documents import embedded_documents
from shared.homes.home import Home
from shared.homes.objects import embedded_objects
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
from tests.shared.runs.witness import Fate, Killed, Mortal, Witness, die
from tests.toy import CTX

EXAMPLES = int(os.environ.get("RUSHES_MACHINE_EXAMPLES", settings().max_examples // 10))
STEPS = 30
LEASE_S = 20.0
PARTS_AT_ONCE = 2
NEW = "new"
STEPS_OF_A_RUN = ("toy.join", "toy.long")
"""With what they need; ``toy.long`` is done in parts."""
TEXTS = st.sampled_from((NEW, NEW, "a"))
"""What a recording says: mostly what none has said before, so that there is work to do."""
HAPPENINGS = ("die", "deploy", "deliver", "sweep", "repeat", "upload", "erase")
WHENS = st.integers(0, 9)
DEATH = st.tuples(WHENS, st.just("die"), TEXTS)
FROZEN = st.tuples(WHENS, st.just("freeze"), TEXTS)
ERASED = st.tuples(st.integers(0, 3), st.just("erase this"), TEXTS)
ANY = st.tuples(WHENS, st.sampled_from(HAPPENINGS), TEXTS)
PLOTS = st.one_of(
    st.just(()),
    st.tuples(FROZEN),
    st.tuples(FROZEN),
    st.tuples(DEATH),
    st.tuples(ANY, DEATH),
    st.tuples(ERASED, DEATH),
    st.tuples(FROZEN, ANY),
    st.lists(ANY, max_size=3).map(tuple),
)
"""What happens during an action, one after the other: after how many more writes, what, to which
recording. Freezing and dying are what matters, so these dice are loaded."""
pytestmark = [pytest.mark.allow_error_logs, pytest.mark.timeout(3600)]
Plot = Sequence[tuple[int, str, str]]


class Uploads(RuleBasedStateMachine):
    """Uploads, deliveries, deaths, erasures, sweeps and deployments."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.toy = toys.install(self.patch)
        self.toy.steady = False
        self.ahead_s = 0.0
        clock = SimpleNamespace(
            time=lambda: real_time.time() + self.ahead_s,
            monotonic=real_time.monotonic,
            sleep=real_time.sleep,
        )
        for module in (embedded_bus, embedded_documents, embedded_objects, claims):
            self.patch.setattr(module, "time", clock)
        self.folder = tempfile.TemporaryDirectory()
        self.fate = Fate()
        plain = toys.embedded_home(
            Path(self.folder.name) / "data", lease_s=LEASE_S, parts_at_once=PARTS_AT_ONCE
        )
        self.home = Home(
            plain.settings,
            cast(Any, Mortal(plain.objects, self.fate)),
            cast(Any, Mortal(Witness(plain.documents, most_rows=2 * PARTS_AT_ONCE), self.fate)),
            cast(Any, Mortal(plain.bus, self.fate)),
            plain.engine_of,
        )
        self.handlers: dict[str, Callable[[Message, Home], None]] = {
            "uploads": toys.handle_upload,
            "steps-toy": lambda message, home: requests.handle_request(message, home, "toy"),
            "steps-dead": lambda message, home: cast(None, keep(home, message)),
        }
        self.sent: dict[str, str] = {}
        self.erased_after: dict[str, int] = {}
        self.seen: list[tuple[str, Message]] = []
        self.at_hand: list[Message] = []

    @initialize(text=TEXTS, also=st.booleans())
    def begin(self, text: str, also: bool) -> None:
        """Most of what can go wrong needs a recording whose steps are on their way."""
        self._upload(text)
        self._deliver(1)
        if also:
            self._upload(text)

    # -- what people and bad luck do ----------------------------------------------------------

    @rule(text=TEXTS, fails=st.sampled_from([None, None, "permanent"]))
    def upload(self, text: str, fails: str | None) -> None:
        self._upload(text, fails)

    @rule(plot=PLOTS)
    def deliver(self, plot: Plot) -> None:
        """One message; while it is handled the plot unfolds."""
        self._deliver(1, plot)

    @rule(plot=PLOTS)
    def deliver_step(self, plot: Plot) -> None:
        """A step's: so that deliveries outweigh the rest."""
        self._deliver(1, plot, "steps-toy")

    @rule(first=PLOTS, second=PLOTS)
    def deliver_steps(self, first: Plot, second: Plot) -> None:
        self._deliver(1, first, "steps-toy")
        self._deliver(1, second, "steps-toy")

    @rule(count=st.integers(2, 6), plot=PLOTS)
    def deliver_several(self, count: int, plot: Plot) -> None:
        self._deliver(count, plot)

    @precondition(lambda self: self.seen)
    @rule(back=st.integers(0, 5), plot=PLOTS)
    def deliver_once_more(self, back: int, plot: Plot) -> None:
        self._repeat(back, plot)

    @precondition(lambda self: len(self.sent) > 2)
    @rule(text=TEXTS, plot=PLOTS)
    def erase(self, text: str, plot: Plot) -> None:
        self._mortally(plot, partial(self._erase, text))

    @rule(plot=PLOTS)
    def sweep(self, plot: Plot) -> None:
        self._mortally(plot, self._sweep)

    @rule(seconds=st.sampled_from([5.0, 60.0, 1_000.0]))
    def pass_time(self, seconds: float) -> None:
        self.ahead_s += seconds

    @rule()
    def deploy(self) -> None:
        self._deploy()

    # -- how it is done -----------------------------------------------------------------------

    def _happening(self, what: str, text: str) -> Callable[[], object]:
        happenings: dict[str, Callable[[], object]] = {
            "die": die,
            "freeze": self._freeze,
            "erase": partial(self._erase, text),
            "erase this": self._erase_this,
            "upload": partial(self._upload, text),
            "deploy": self._deploy,
            "deliver": partial(self._deliver, 4),
            "sweep": self._sweep,
            "repeat": partial(self._repeat, 0),
        }
        return happenings[what]

    def _upload(self, text: str, fails: str | None = None) -> None:
        text = f"{text}{len(self.sent)}" if text == NEW else text
        path = Path(self.folder.name) / f"{text}.wav"
        path.write_text(f"sound {text}")
        params: dict[str, dict[str, Any]] = {"toy.long": {"parts": 4}}
        if fails:
            params |= {"toy.three": {"fail": fails}}
            params["toy.long"] |= {"fail": fails, "fail_part": 2}
        wishes = Wishes(steps=STEPS_OF_A_RUN, params=params)
        self.sent[upload_run_id(upload(self.home, CTX, path, wishes))] = text

    def _deliver(self, count: int, plot: Plot = (), *topics: str) -> None:
        for delivery in self.home.bus.pull(topics or tuple(self.handlers), limit=count, wait_s=0):
            self.seen.append((delivery.subscription, delivery.message))
            self._settle(delivery, plot)
            plot = ()

    def _settle(self, delivery: Delivery, plot: Plot = ()) -> None:
        """A worker that died acknowledges nothing: its message comes again once the lease lapsed."""
        outcome = self._handled(delivery.subscription, delivery.message, plot)
        if outcome == "done":
            self.home.bus.ack(delivery)
        elif outcome == "turned back":
            self.home.bus.nack(delivery)

    def _repeat(self, back: int, plot: Plot = ()) -> None:
        if self.seen:
            self._handled(*self.seen[-1 - back % len(self.seen)], plot)

    def _freeze(self) -> None:
        """Whoever acts sleeps past its lease: what it was at comes again, and is done by another."""
        self.ahead_s += 3 * LEASE_S
        self._deliver(6)

    def _erase(self, text: str) -> None:
        for asset in list(list_assets(self.home.documents, CTX)):
            name = asset.sources[0].name.removesuffix(".wav") if asset.sources else ""
            if name == text or (text == NEW and name.startswith(NEW)):
                self.erased_after[name] = len(self.sent)
                erase_asset(self.home, CTX, asset.asset_id)
                return

    def _erase_this(self) -> None:
        """What the message at hand is about."""
        for asset in list(list_assets(self.home.documents, CTX)):
            if self.at_hand and asset.asset_id.encode() in self.at_hand[-1].data:
                self._erase(asset.sources[0].name.removesuffix(".wav"))

    def _sweep(self) -> None:
        recall_lapsed(self.home, parts_grace_s=100.0)
        remove_left_parts(self.home, now=real_time.time() + self.ahead_s)
        announce_missed(self.home, now=real_time.time() + self.ahead_s + 1_000)
        resume_stalled(self.home, grace_s=100.0)
        resume_erasures(self.home)

    def _deploy(self) -> None:
        self.toy.version = f"toy-{int(self.toy.version.split('-')[1]) + 1}"

    def _handled(self, topic: str, message: Message, plot: Plot) -> str:
        def handle() -> None:
            error = deliver(message, self.home, self.handlers[topic])
            if error is not None:
                raise error

        self.at_hand.append(message)
        try:
            return self._mortally(plot, handle)
        finally:
            self.at_hand.pop()

    def _mortally(self, plot: Plot, act: Callable[[], object]) -> str:
        """Do it: ``done``, ``turned back``, or ``died``."""
        ahead = [(after, self._happening(what, text)) for after, what, text in plot]
        with self.fate.of(ahead):
            try:
                act()
            except Killed:
                return "died"
            except LeaseHeld:
                return "turned back"
            except RushesError as error:
                assert error.transient or isinstance(error, NotFound), error
                return "turned back"
        return "done"

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
            self.ahead_s += 2_000.0
            self._sweep()
            for pulled in range(500):
                self.ahead_s += 30.0
                if pulled % 50 == 49:  # what an older version has planned waits for the sweep
                    self._sweep()
                deliveries = self.home.bus.pull(list(self.handlers), limit=10, wait_s=0)
                if not deliveries:
                    break
                for delivery in deliveries:
                    self._settle(delivery)
            else:
                raise AssertionError("messages come again for ever")

    def _check(self) -> None:
        documents = self.home.documents
        self._check_runs()
        found = list(documents.list(f"{CTX.document_prefix}cache"))
        assert {one.data["state"] for one in found} <= {"done", "failed"}, "a claim is left"
        assert not [one.path for one in found if one.data["part_of"]], "a part is left"
        assert recall_lapsed(self.home, parts_grace_s=0.0) == 0, (
            "a claim would be recalled for ever"
        )
        missed = announce_missed(self.home, now=real_time.time() + self.ahead_s)
        assert missed == 0, "an upload would be announced for ever"
        assets = {asset.asset_id: asset for asset in list_assets(documents, CTX)}
        assert not any(asset.erasing for asset in assets.values()), "an erasure is left"
        assert {one.data["asset_id"] for one in found} <= {None, *assets}, (
            "a claim of what is erased"
        )
        made = {artifact.key: artifact for artifact in list_artifacts(documents, CTX)}
        assert {artifact.asset_id for artifact in made.values()} <= set(assets)
        stored = {one.key for one in self.home.objects.list(f"{CTX.object_prefix}media_v2/")}
        assert stored == {*made, *(asset.key for asset in assets.values())}
        for key, artifact in made.items():
            content = b"".join(self.home.objects.read(key))
            assert hashlib.sha256(content).hexdigest() == artifact.sha256, "another's bytes"
        orphans = [
            document.path
            for document in documents.list_group("steps")
            if documents.get(document.path.rsplit("/", 2)[0]) is None
        ]
        assert not orphans, "of runs that are gone"
        rows = documents.get(f"{CTX.document_prefix}part_rows/all")
        held = set(rows.data["rows"]) if rows else set()
        assert not held & {one.id for one in found}, "rows of parts are held"

    def _check_runs(self) -> None:
        for number, (name, text) in enumerate(self.sent.items()):
            try:
                run: Run = load_run(self.home.documents, CTX, name)
            except NotFound:
                assert number < self.erased_after.get(text, 0), "a run vanished"
                continue
            records = load_records(self.home.documents, CTX, name)
            assert finished(run, records), (run.planned, records)
            for record in records.values():
                error = record.error or {}
                if record.step == "toy.long" and error.get("code") == "backend_failed":
                    where = {"number": 3, "count": 4, "start_ms": 2000, "end_ms": 3000}
                    assert error.get("part") == where, "it does not say which part has failed"
                for identifier in record.artifact_ids:
                    path = f"{CTX.document_prefix}artifacts/{identifier}"
                    assert self.home.documents.get(path), "a run names what is not there"


Uploads.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),  # shrinking takes minutes, and the steps read well as they are
)
TestUploads = Uploads.TestCase
