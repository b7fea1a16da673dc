"""The storm: duplicates, reordering, killed and frozen workers, emulators frozen and started again,
a slow and a full disk, workers whose clocks disagree. And the calm in which all is counted.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import psutil
import soundfile

from functions.sweep.lost import announce_missed, recall_lapsed
from functions.sweep.stalled import resume_stalled
from shared.contracts.context import RequestContext
from shared.contracts.topics import UPLOADS_TOPIC
from shared.contracts.upload import notification
from shared.errors import NotFound, RushesError
from shared.folders import PREFIX
from shared.homes.bus.google_bus import GoogleBus
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import run_object
from tests.chaos.stage import Stage

STEPS = ("toy.one", "toy.three", "toy.two", "toy.join")
TAP = "tap"
TENANTS = [
    RequestContext(tenant_id=f"secrettenant{n}", env="dev", user_id="secretuser") for n in (1, 2, 3)
]
SETTLED = ("done", "degraded", "failed")


@dataclass(frozen=True)
class Sent:
    """One upload, and what must become of it."""

    ctx: RequestContext
    run_id: str
    content: str
    """Uploads of the same content in one tenant are one recording."""
    fails: bool


@dataclass
class Storm:
    """What happens to a stage, by the dice of one seed."""

    stage: Stage
    dice: random.Random
    told: Counter[str] = field(default_factory=Counter)
    over: Event = field(default_factory=Event)
    sent: list[Sent] = field(default_factory=list)

    def blow(self, uploads: int, *, events: tuple[str, ...], pause_s: tuple[float, float]) -> None:
        """Upload, and meanwhile let the events happen, in turn, with pauses between them."""
        self._make_tap()
        threads = [Thread(target=self._repeat), Thread(target=self._sweep)]
        for thread in threads:
            thread.start()
        self.stage.objects.trouble = 0.1
        feeding = Thread(target=self._feed, args=(uploads,))
        feeding.start()
        try:
            turn = 0
            while feeding.is_alive() or turn < len(events):
                time.sleep(self.dice.uniform(*pause_s))
                event = events[turn % len(events)]
                getattr(self, f"_{event}")()
                self.told[event] += 1
                turn += 1
            feeding.join()
            self.stage.objects.trouble = 0.0
            self._await_calm(900)
        finally:
            self.over.set()
            for thread in (feeding, *threads):
                thread.join()

    def runs(self) -> dict[str, dict[str, Any] | None]:
        """Every upload's run, as people see it."""
        return {sent.run_id: _run(self.stage, sent) for sent in self.sent}

    # -- what happens -------------------------------------------------------------------------

    def _kill(self) -> None:
        with suppress(IndexError, psutil.NoSuchProcess):
            self.dice.choice(self.stage.workers()).send_signal(signal.SIGKILL)

    def _freeze(self) -> None:
        """A worker sleeps past its lease, and wakes up to find that another has taken over."""
        with suppress(IndexError, psutil.NoSuchProcess):
            worker = self.dice.choice(self.stage.workers())
            worker.suspend()
            time.sleep(1.5 * self.stage.config.lease_s)
            worker.resume()

    def _freeze_firestore(self) -> None:
        self._freeze_service(self.stage.firestore)

    def _freeze_pubsub(self) -> None:
        self._freeze_service(self.stage.pubsub)

    def _freeze_service(self, service: Any) -> None:
        service.signal(signal.SIGSTOP)
        time.sleep(self.dice.uniform(1, 4))
        service.signal(signal.SIGCONT)

    def _restart_pubsub(self) -> None:
        self.stage.restart_pubsub()
        self._make_tap()

    def _restart_bucket(self) -> None:
        self.stage.restart_bucket()

    def _fill_disk(self) -> None:
        if not self.stage.small_disk:
            self.told["disk not filled: only root may mount a small one"] += 1
            return
        ballast = self.stage.config.data.parent / "ballast"
        with suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        time.sleep(self.dice.uniform(1.5, 3))
        ballast.unlink()

    # -- what goes on all the time ------------------------------------------------------------

    def _feed(self, uploads: int) -> None:
        folder = self.stage.folder / "recordings"
        folder.mkdir()
        for number in range(uploads):
            ctx = self.dice.choice(TENANTS)
            # One in eight was uploaded before, under another name.
            content = f"sound {number if self.dice.random() > 0.125 else number // 2}"
            fails = self.dice.random() < 0.05
            path = folder / f"secretname {number}.wav"
            _write(path, content)
            params = {"toy.three": {"fail": "permanent"}} if fails else {}
            wishes = Wishes(steps=STEPS, params=params)
            landed = self._patiently(lambda: upload(self.stage.home, ctx, path, wishes))  # noqa: B023
            self.sent.append(Sent(ctx, upload_run_id(landed), content, fails))
            if self.dice.random() < 0.3:
                attributes = notification(landed.bucket, landed.key, landed.generation)
                for _ in range(self.dice.randint(1, 4)):
                    self._patiently(
                        lambda: self.stage.home.bus.publish(UPLOADS_TOPIC, b"", attributes)  # noqa: B023
                    )
                    self.told["uploads announced again"] += 1

    def _patiently(self, do: Callable[[], Any]) -> Any:
        """As any client does: try again while the service is away."""
        while True:
            try:
                return do()
            except RushesError:
                self.told["client tried again"] += 1
                time.sleep(0.5)

    def _make_tap(self) -> None:
        for topic in ("steps-toy", UPLOADS_TOPIC):
            self._patiently(
                lambda: self.stage.home.bus.subscribe(topic, f"{TAP}-{topic}", ack_deadline_s=10)  # noqa: B023
            )

    def _repeat(self) -> None:
        """Publish one message in five again, later and in another order."""
        bus = GoogleBus(self.stage.config.project)
        kept: list[tuple[str, Any]] = []
        while not self.over.is_set():
            for topic in ("steps-toy", UPLOADS_TOPIC):
                try:
                    for delivery in bus.pull([f"{TAP}-{topic}"], limit=50):
                        bus.ack(delivery)
                        message = delivery.message
                        if "again" not in message.attributes and self.dice.random() < 0.2:
                            kept.append((topic, message))
                    self.dice.shuffle(kept)
                    for _ in range(len(kept) // 2):
                        topic_of, message = kept.pop()
                        again = {**message.attributes, "again": "1"}
                        bus.publish(topic_of, message.data, again)
                        self.told["messages repeated"] += 1
                except RushesError:
                    self.over.wait(0.5)

    def _sweep(self) -> None:
        """What the scheduler asks for in the cloud, more often."""
        while not self.over.wait(5):
            try:
                self.told["leases recalled"] += recall_lapsed(self.stage.home)
                missed = announce_missed(self.stage.home, now=time.time(), grace_s=15)
                self.told["uploads found by the sweep"] += missed
                self.told["runs resumed by the sweep"] += resume_stalled(
                    self.stage.home, grace_s=60
                )
            except RushesError:
                continue

    def _await_calm(self, at_most_s: float) -> None:
        ends = time.monotonic() + at_most_s
        while True:
            try:
                runs = self.runs()
                if all(run is not None and run["state"] in SETTLED for run in runs.values()):
                    return
            except RushesError:
                continue
            if time.monotonic() > ends:
                states = Counter(run["state"] if run else "unknown" for run in runs.values())
                raise AssertionError(f"it did not come to rest: {dict(states)}")
            time.sleep(1)


def leftovers(stage: Stage) -> list[Path]:
    """Temporary files of work."""
    return sorted((stage.config.data.parent / "tmp").glob(f"{PREFIX}*"))


def _run(stage: Stage, sent: Sent) -> dict[str, Any] | None:
    try:
        return run_object(stage.home, sent.ctx, sent.run_id)
    except NotFound:
        return None


def _write(path: Path, content: str) -> None:
    """One in four is a real recording."""
    seed = int(content.split()[1])
    if seed % 4:
        path.write_text(content)
        return
    noise = np.random.default_rng(seed).standard_normal(2400)
    soundfile.write(path, (0.1 * noise).astype(np.float32), 8000)
