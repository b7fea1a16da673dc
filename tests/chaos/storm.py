"""The storm: duplicates, reordering, killed and frozen workers, emulators frozen and started again,
a slow and a full disk, a bucket that is away, erasures, lost parts, damaged documents, two versions of the
code, workers whose clocks disagree. And the calm in which all is counted.
"""

from __future__ import annotations

import hashlib
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import psutil
import soundfile

from functions.sweep.lost import announce_missed, recall_lapsed, remove_left_parts
from functions.sweep.stalled import resume_stalled
from shared.contracts.context import RequestContext
from shared.contracts.topics import UPLOADS_TOPIC
from shared.contracts.upload import Upload, notification
from shared.errors import NotFound, RushesError
from shared.folders import PREFIX
from shared.homes.bus.google_bus import GoogleBus
from shared.homes.documents import Documents
from shared.homes.documents.readable import readable
from shared.runs.erasing import erase_asset, resume_erasures
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import list_assets, run_object
from shared.steps.claims import Claim
from tests.chaos.stage import CALM, Stage

STEPS = ("toy.one", "toy.three", "toy.two", "toy.join", "toy.long")
PARTS = (2, 3, 7)
"""Into so many parts ``toy.long`` is split, by the recording."""
PARTS_GRACE_S = 60.0
"""What waits for its tenant's other steps has not moved either: asking sooner lengthens the line."""
TAP = "tap"
POISON = "poison"
BURST = 12
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
    fails: bool = False
    refused: bool = False
    """Its metadata says what cannot be."""


@dataclass
class Storm:
    """What happens to a stage, by the dice of one seed."""

    stage: Stage
    dice: random.Random
    away_s: float = 20.0
    """How long the bucket is away when it is."""
    told: Counter[str] = field(default_factory=Counter)
    over: Event = field(default_factory=Event)
    sent: list[Sent] = field(default_factory=list)
    erased: dict[tuple[str, str], int] = field(default_factory=dict)
    """Tenant and content -> how many uploads had been sent when it was last erased."""
    contents: dict[tuple[str, str], str] = field(default_factory=dict)
    """Tenant and SHA-256 -> content."""

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
            (self.stage.folder / CALM).touch()
            self._await_calm(stuck_after_s=600)
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

    def _bucket_away(self) -> None:
        self.stage.restart_bucket(after_s=self.away_s)

    def _kill_ffmpeg(self) -> None:
        """As the system does when memory runs out: a signal that nobody of ours sent."""
        ends = time.monotonic() + 5.0
        while time.monotonic() < ends:
            with suppress(psutil.Error):
                for worker in self.stage.workers():
                    for child in worker.children(recursive=True):
                        if child.name() in ("ffmpeg", "ffprobe", "sleep"):
                            child.kill()
                            self.told[f"{child.name()} killed"] += 1
                            return
            time.sleep(0.01)

    def _erase(self) -> None:
        """A recording of which uploads may be on their way. What is cut short the sweep finishes."""
        try:
            ctx = self.dice.choice(TENANTS)
            assets = sorted(list_assets(self.stage.home.documents, ctx), key=lambda a: a.asset_id)
            asset = self.dice.choice([one for one in assets if not one.erasing])
            content = self.contents[ctx.tenant_id, asset.sha256]
            self.erased[ctx.tenant_id, content] = len(self.sent)
            erase_asset(self.stage.home, ctx, asset.asset_id)
            self.erased[ctx.tenant_id, content] = len(self.sent)
        except (RushesError, IndexError):
            self.told["erasures cut short"] += 1

    def _burst(self) -> None:
        """The same file many times at once."""
        ctx = self.dice.choice(TENANTS)
        content = f"sound {1001 + 4 * self.told['burst']}"
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: self._send(ctx, content, f"burst {n}.wav"), range(BURST)))

    def _poison(self) -> None:
        """Documents that nothing of ours can read, messages that mean nothing, a wish that cannot be."""
        home, ctx = self.stage.home, self.dice.choice(TENANTS)
        number = self.told["poison"]
        damaged = {
            f"runs/{POISON}{number}": {"run_id": 7, "created_at": "yesterday"},
            f"runs/{POISON}{number}/steps/toy.one": {"state": "queued", "step": "NO"},
            f"cache/{POISON}{number}": {"state": "running", "step": 7},
            f"artifacts/{POISON}{number}": {"asset_id": 7},
        }
        for path, data in damaged.items():
            self._patiently(lambda: home.documents.put(f"{ctx.document_prefix}{path}", data))  # noqa: B023
        for topic in ("steps-toy", UPLOADS_TOPIC):
            self._patiently(lambda: home.bus.publish(topic, b"[[[", {"step": "toy.one"}))  # noqa: B023
        key = f"{ctx.object_prefix}uploads/{POISON}{number}.wav"
        told = {"rushes-user": "jane doe@example.org", "rushes-name": "secretname.wav"}
        info = self._patiently(
            lambda: home.objects.put(key, b"sound 0", content_type="audio/wav", metadata=told)
        )
        landed = Upload(ctx, self.stage.config.bucket, key, info.generation)
        self.sent.append(Sent(ctx, upload_run_id(landed), "", refused=True))

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
        for number in range(uploads):
            ctx = self.dice.choice(TENANTS)
            # One in eight was uploaded before, under another name.
            content = f"sound {number if self.dice.random() > 0.125 else number // 2}"
            landed = self._send(ctx, content, f"{number}.wav", fails=self.dice.random() < 0.05)
            if self.dice.random() < 0.3:
                attributes = notification(landed.bucket, landed.key, landed.generation)
                for _ in range(self.dice.randint(1, 4)):
                    self._patiently(
                        lambda: self.stage.home.bus.publish(UPLOADS_TOPIC, b"", attributes)  # noqa: B023
                    )
                    self.told["uploads announced again"] += 1

    def _send(self, ctx: RequestContext, content: str, name: str, *, fails: bool = False) -> Upload:
        folder = self.stage.folder / "recordings"
        folder.mkdir(exist_ok=True)
        path = folder / f"secretname {name}"
        _write(path, content)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self.contents[ctx.tenant_id, sha256] = content
        params: dict[str, dict[str, Any]] = {"toy.long": {"parts": PARTS[_seed(content) % 3]}}
        if fails:
            params["toy.three"] = {"fail": "permanent"}
            params["toy.long"] |= {"fail": "permanent", "fail_part": 1}
        wishes = Wishes(steps=STEPS, params=params)
        landed: Upload = self._patiently(lambda: upload(self.stage.home, ctx, path, wishes))
        self.sent.append(Sent(ctx, upload_run_id(landed), content, fails))
        return landed

    def _patiently(self, do: Callable[[], Any]) -> Any:
        """As any client does: try again while the service is away."""
        while True:
            try:
                return do()
            except RushesError:
                if self.over.is_set():  # whoever watches has had enough
                    raise
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
        last = 0.0
        while not self.over.wait(5):
            try:
                recalled = recall_lapsed(self.stage.home, parts_grace_s=PARTS_GRACE_S)
                self.told["leases recalled"] += recalled
                now = time.time()
                left = remove_left_parts(self.stage.home, now=now, grace_s=PARTS_GRACE_S)
                self.told["works whose parts the sweep removed"] += left
                missed = announce_missed(self.stage.home, now=now, last=last, grace_s=15)
                last = now
                self.told["uploads found by the sweep"] += missed
                # As six hours do to people's backlogs: less than the line is long would lengthen it.
                patience_s = max(60.0, len(self.sent) / 2)
                resumed = resume_stalled(self.stage.home, grace_s=patience_s)
                self.told["runs resumed by the sweep"] += resumed
                self.told["erasures finished by the sweep"] += resume_erasures(self.stage.home)
            except RushesError:
                continue

    def _await_calm(self, stuck_after_s: float) -> None:
        """Until nothing is under way; it is stuck where for so long no step of any run has come further.

        How long it takes grows with the uploads: requests wait in one line, those for parts again and again.
        """
        furthest, ends = -1.0, time.monotonic() + stuck_after_s
        left: dict[str, int] = {}
        while (now := time.monotonic()) < ends:
            with suppress(RushesError):
                runs = self.runs()
                left = self._restless(runs)
                if not left:
                    return
                if (far := _how_far(runs)) > furthest:
                    furthest, ends = far, now + stuck_after_s
            self.over.wait(max(1.0, 2 * (time.monotonic() - now)))  # looking costs them time, too
        raise AssertionError(f"it did not come to rest: {left}")

    def _restless(self, runs: Mapping[str, dict[str, Any] | None]) -> dict[str, int]:
        """What is still under way: runs, claims, erasures."""
        documents = self.stage.home.documents
        states = [run["state"] for run in runs.values() if run]
        claims = [one for ctx in TENANTS for one in claims_of(documents, ctx)]
        found = {
            "runs": sum(state not in SETTLED for state in states),
            "claims": sum(claim.state not in ("done", "failed") for claim in claims),
            "erasures": sum(a.erasing for ctx in TENANTS for a in list_assets(documents, ctx)),
            "unknown": sum(self.lost(n, run) for n, run in enumerate(runs.values())),
        }
        return {what: count for what, count in found.items() if count}

    def lost(self, number: int, run: dict[str, Any] | None) -> bool:
        """Is an upload without its run, though nobody has erased it since?"""
        sent = self.sent[number]
        return run is None and number >= self.erased.get((sent.ctx.tenant_id, sent.content), 0)


def _how_far(runs: Mapping[str, dict[str, Any] | None]) -> float:
    """Steps that have settled, and what is done of those in parts."""
    steps = [step for run in runs.values() if run for step in run["steps"]]
    settled = (*SETTLED, "cached", "skipped")
    return sum(1.0 if step["state"] in settled else step["progress"] for step in steps)


def claims_of(documents: Documents, ctx: RequestContext) -> list[Claim]:
    """A tenant's claims, but for damaged ones."""
    found = documents.list(f"{ctx.document_prefix}cache")
    return [claim for _, claim in readable(found, Claim)]


def leftovers(stage: Stage) -> list[Path]:
    """Temporary files of work."""
    return sorted((stage.config.data.parent / "tmp").glob(f"{PREFIX}*"))


def _run(stage: Stage, sent: Sent) -> dict[str, Any] | None:
    try:
        return run_object(stage.home, sent.ctx, sent.run_id)
    except NotFound:
        return None


def _seed(content: str) -> int:
    return int(content.split()[1])


def _write(path: Path, content: str) -> None:
    """One in four is a real recording."""
    seed = _seed(content)
    if seed % 4:
        path.write_text(content)
        return
    noise = np.random.default_rng(seed).standard_normal(2400)
    soundfile.write(path, (0.1 * noise).astype(np.float32), 8000)
