"""Parts of real steps on an embedded home: a killed worker, lost messages and duplicates change no byte."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from functions.sweep.lost import recall_lapsed
from infra.local.worker import settle
from shared.contracts.step import StepRequest
from shared.homes.bus import Delivery
from shared.homes.home import Home, consumed_topics
from shared.homes.objects import Objects
from shared.homes.objects.fetch import Fetched, fetch_object
from shared.pipeline import step_named
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import list_assets, run_object
from shared.settings import settings
from shared.steps import preparing
from tests.functions import video
from tests.functions.render.clockwork import clock
from tests.functions.separate.rig import MODEL as BAND
from tests.functions.separate.rig import WEIGHTS, song
from tests.functions.separate.rig import write as write_song
from tests.functions.stopping_worker import HALFWAY
from tests.functions.transcribe.harness import MODEL
from tests.functions.transcribe.sounds import FIVE, FOUR, TWO, silence, spoken, write
from tests.shared.steps.test_parts import lapse, left
from tests.toy import CTX, embedded_home


def filmed(folder: Path) -> Path:
    return clock(folder / "clock.mp4", 4, 25, "-strict", "-2", "-bf", "2", "-g", "20")


def faces(folder: Path) -> Path:
    clip = video.moving(folder / "faces.mp4", video.MOTIONS["swaying"], 2.4, "-g", "10", "-bf", "2")
    return clip.path


def talk(folder: Path) -> Path:
    said = [spoken(text) for text in (FIVE, FOUR, TWO, FIVE, FOUR)]
    write(folder / "talk.wav", np.concatenate([one for text in said for one in (silence(1), text)]))
    return folder / "talk.wav"


def sung(folder: Path) -> Path:
    return write_song(folder / "song.wav", song(7)[1])


@dataclass(frozen=True)
class Case:
    step: str
    source: Callable[[Path], Path]
    part_ms: int
    params: dict[str, Any] = field(default_factory=dict)
    border: str = "PART_MS"
    """What the step's module calls the length of a part."""


QUICK = {"detect.regions": dict(video.QUICK)}
COVERED = Case("render.video", faces, 800, QUICK)
CASES = (
    Case("render.video", filmed, 1_000, {"render.video": {"faces": "original"}}),
    COVERED,
    Case("detect.visual_meta", filmed, 1_000),
    Case("anonymise.faces", faces, 800, QUICK),
    Case(
        "transcribe.words", talk, 2_000, {"transcribe.words": {"language": "en"}}, "PART_SPEECH_MS"
    ),
    Case("separate.stems", sung, 2_000, {"separate.stems": {"model": BAND}}),
)


@pytest.fixture(autouse=True)
def words_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """``tiny`` is the model of twenty words, also for the worker that is killed."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny").symlink_to(MODEL)
    (tmp_path / "models" / BAND).symlink_to(WEIGHTS)
    monkeypatch.setenv("RUSHES_MODELS", str(tmp_path / "models"))
    settings.cache_clear()
    yield
    settings.cache_clear()


@dataclass(frozen=True)
class Asked:
    """A step of an uploaded recording, in an embedded home of its own with two parts at a time."""

    home: Home
    case: Case
    run_id: str

    @classmethod
    def of(cls, folder: Path, source: Path, case: Case) -> Asked:
        home = embedded_home(folder, parts_at_once=2)
        wishes = Wishes(steps=(case.step,), params=case.params)
        return cls(home, case, upload_run_id(upload(home, CTX, source, wishes)))

    def pulled(self) -> list[Delivery]:
        return list(self.home.bus.pull(list(consumed_topics()), limit=10, wait_s=0))

    def do(self, delivery: Delivery) -> None:
        settle(self.home, delivery, consumed_topics()[delivery.subscription])

    def part_of(self, delivery: Delivery) -> int | None:
        """Which part of the step it asks for, if it does."""
        if delivery.subscription != f"steps-{step_named(self.case.step).function}":
            return None
        request = StepRequest.model_validate_json(delivery.message.data)
        return request.part.number if request.part and request.step == self.case.step else None

    def first_parts(self) -> list[Delivery]:
        """Do all that comes before them."""
        asked: list[Delivery] = []
        while deliveries := self.pulled():
            for delivery in deliveries:
                if self.part_of(delivery) is None:
                    self.do(delivery)
                else:
                    asked.append(delivery)
        return asked

    def drained(self) -> None:
        while deliveries := self.pulled():
            for delivery in deliveries:
                self.do(delivery)

    def made(self) -> dict[str, str]:
        """Artifact -> digest of its bytes, of the step, which must have been done in parts."""
        run = run_object(self.home, CTX, self.run_id)
        (step,) = (one for one in run["steps"] if one["step"] == self.case.step)
        assert step["state"] == "done" and step["parts"] == step["parts_done"] >= 3, step
        assert left(self.home) == []
        return {one["artifact_id"]: one["sha256"] for one in step["artifacts"]}


def killed_halfway(asked: Asked, delivery: Delivery) -> None:
    """A worker process takes the message, and is killed in the middle of its part."""
    command = [sys.executable, "-m", "tests.functions.stopping_worker"]
    case = asked.case
    words = [str(asked.home.settings.data), case.step, case.border, str(case.part_ms)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([*command, *words], **pipes, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(delivery.message.data)
        process.stdin.close()
        assert HALFWAY in process.stdout, "it stops in the middle"  # behind what it logs
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive, "ffmpeg goes with its caller"
    asked.home.bus.nack(delivery)  # it comes again


@pytest.mark.heavy
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.step} of {case.source.__name__}")
def test_no_byte_depends_on_who_died_or_what_was_lost_or_said_twice(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module(f"functions.{case.step}"), case.border, case.part_ms)
    source = case.source(tmp_path)
    calm = Asked.of(tmp_path / "calm", source, case)
    calm.drained()
    expected = calm.made()

    asked = Asked.of(tmp_path / "disturbed", source, case)
    first, second = asked.first_parts()
    killed_halfway(asked, first)
    asked.home.bus.ack(second)  # lost
    lapse(asked.home)
    dice, seen = random.Random(case.step), [first, second]
    for _round in range(2):
        while deliveries := asked.pulled():
            for delivery in deliveries:
                seen.append(delivery)
                asked.do(delivery)
                asked.do(dice.choice(seen))
        recall_lapsed(asked.home, parts_grace_s=0.0)
    assert asked.made() == expected


@pytest.mark.heavy
def test_what_shows_the_covered_picture_fetches_the_recording_for_its_sound_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module(f"functions.{COVERED.step}"), "PART_MS", COVERED.part_ms)
    asked = Asked.of(tmp_path / "data", COVERED.source(tmp_path), COVERED)
    waiting, fetched = asked.first_parts(), list[str]()

    def fetching(objects: Objects, key: str, to: Path, **how: Any) -> Fetched:
        fetched.append(key)
        return fetch_object(objects, key, to, **how)

    monkeypatch.setattr(preparing, "fetch_object", fetching)
    for delivery in waiting:
        asked.do(delivery)
    asked.drained()
    assert asked.made()
    (recording,) = list_assets(asked.home.documents, CTX)
    assert fetched.count(recording.key) == 1, "by the join"
