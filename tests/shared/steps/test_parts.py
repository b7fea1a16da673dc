"""A long step in parts: each done once, wherever; joined once; and nothing left of them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from functions.sweep.lost import recall_lapsed, remove_left_parts
from shared.contracts.ids import digest
from shared.contracts.message import Message
from shared.contracts.step import PartAsked, StepRequest
from shared.contracts.step_engine import Job
from shared.errors import LeaseLost, NotFound, Scarce, Unavailable
from shared.homes.bus import Delivery
from shared.homes.home import Home
from shared.messages.dead_letters import dead_letters, redrive
from shared.messages.requests import handle_request
from shared.runs.erasing import erase_asset
from shared.runs.intake import Wishes
from shared.runs.part_views import explained_run
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import lineage, list_assets, run_object
from shared.steps.claims import Claim, Lease
from shared.steps.part_files import PartFiles
from shared.steps.parts import part_key
from shared.steps.verifying import verify_artifact
from tests.toy import CTX, Toy, drain, embedded_home, handle_upload, run_file, states

LONG = "toy.long"
JOINED = "toy: " + "; ".join(f"toy {1000 * n} to {1000 * n + 1000}" for n in range(5))


@pytest.fixture
def home(tmp_path: Path, toy: Toy) -> Home:
    """Two parts at a time."""
    return embedded_home(tmp_path / "data", parts_at_once=2)


def wishes(parts: int = 5, **params: Any) -> dict[str, Any]:
    return {"steps": (LONG,), "params": {LONG: {"parts": parts, **params}}}


def begin(home: Home, folder: Path, **changes: Any) -> str:
    """Upload, and handle messages until the first parts are asked for; returns the run's id."""
    path = folder / "take.wav"
    path.write_text("sound")
    run_id = upload_run_id(upload(home, CTX, path, Wishes(**wishes(**changes))))
    (landed,) = home.bus.pull(["uploads"], limit=1, wait_s=0)
    handle_upload(landed.message, home)
    home.bus.ack(landed)
    (asked,) = pulled(home)
    handle_request(asked.message, home, "toy")
    home.bus.ack(asked)
    return run_id


def pulled(home: Home) -> list[Delivery]:
    return list(home.bus.pull(["steps-toy"], limit=10, wait_s=0))


def do(home: Home, message: Message) -> None:
    handle_request(message, home, "toy")


def step_of(run: dict[str, Any]) -> dict[str, Any]:
    return next(step for step in run["steps"] if step["step"] == LONG)


def content(run: dict[str, Any]) -> str:
    (artifact,) = step_of(run)["artifacts"]
    return Path(artifact["path"]).read_text()


def left(home: Home) -> list[str]:
    """What is there of parts."""
    claims = home.documents.list(f"{CTX.document_prefix}cache")
    objects = home.objects.list(CTX.object_prefix)
    return [
        *(one.path for one in claims if one.data["part_of"]),
        *(one.key for one in objects if "/scratch/" in one.key),
    ]


def test_each_part_is_done_once_and_all_are_joined_once(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    run = run_file(home, tmp_path, **wishes())
    assert JOINED in content(run)
    assert toy.ran == {**{f"part {number}": 1 for number in range(5)}, LONG: 1}
    (artifact,) = step_of(run)["artifacts"]
    told = lineage(home, CTX, artifact["artifact_id"])["parts"]
    assert told == [{"start_ms": 1000 * n, "end_ms": 1000 * n + 1000} for n in range(5)]
    assert (step_of(run)["parts"], step_of(run)["parts_done"]) == (5, 5)
    assert left(home) == []


def test_a_part_is_known_under_the_key_that_earlier_versions_gave_it() -> None:
    asked = [PartAsked(number=number, count=12, of="k") for number in (0, 11)]
    assert [part_key(one) for one in asked] == ["k|part 1 of 12", "k|part 12 of 12"]


def test_a_part_that_somebody_is_on_is_not_forgotten(home: Home, tmp_path: Path) -> None:
    asked = PartAsked(number=0, count=2, of="k")
    kept = PartFiles(home, CTX, "ast_1", digest("k"))
    (tmp_path / "part").write_bytes(b"half")
    kept.keep(asked, tmp_path / "part")
    wanted = Claim(cache_key=part_key(asked), step=LONG, run_id="run_1", lease_s=60.0)
    lease = Lease.take(home.documents, CTX, wanted)
    assert isinstance(lease, Lease)
    kept.forget(asked)
    assert len(list(home.objects.list(CTX.object_prefix))) == 1 and not lease.erased()
    lease.settle_done("done")
    kept.forget(asked)
    assert list(home.objects.list(CTX.object_prefix)) == [] and lease.erased()


def test_what_is_one_part_is_done_like_any_step(home: Home, toy: Toy, tmp_path: Path) -> None:
    run = run_file(home, tmp_path, **wishes(1))
    assert toy.ran == {"part 0": 1, LONG: 1}
    assert step_of(run)["parts"] == 0


@pytest.mark.parametrize(("setting", "expected"), [({}, 2), ({"parts_at_once": 4}, 4)])
def test_no_more_are_on_their_way_than_may_be(
    home: Home, tmp_path: Path, setting: dict[str, int], expected: int
) -> None:
    home.documents.put(f"{CTX.document_prefix}settings/pipeline", setting)
    begin(home, tmp_path)
    first, *others = pulled(home)
    assert len(others) + 1 == expected
    do(home, first.message)
    assert len(pulled(home)) == 1, "the next of its row"


def test_the_second_time_nothing_is_computed(home: Home, toy: Toy, tmp_path: Path) -> None:
    first = run_file(home, tmp_path, **wishes())
    second = run_file(home, tmp_path, **wishes())
    assert states(second)[LONG] == "cached" and content(first) == content(second)
    assert toy.ran.total() == 6


def test_verifying_makes_the_same_in_one_go(home: Home, tmp_path: Path) -> None:
    run = run_file(home, tmp_path, **wishes())
    (artifact,) = step_of(run)["artifacts"]
    assert verify_artifact(home, CTX, artifact["artifact_id"])["identical"]


@pytest.mark.parametrize("seed", range(8))
def test_in_whatever_order_and_however_often_the_result_is_the_same(
    home: Home, toy: Toy, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    run_id = begin(home, tmp_path)
    seen: list[Message] = []
    while deliveries := pulled(home):
        dice.shuffle(deliveries)
        for delivery in deliveries:
            seen.append(delivery.message)
            do(home, delivery.message)
            do(home, dice.choice(seen))
            home.bus.ack(delivery)
    run = run_object(home, CTX, run_id)
    assert JOINED in content(run)
    assert toy.ran == {**{f"part {number}": 1 for number in range(5)}, LONG: 1}
    assert left(home) == []


@pytest.mark.allow_error_logs
def test_a_part_that_fails_fails_the_step_and_says_where(home: Home, tmp_path: Path) -> None:
    run = run_file(home, tmp_path, **wishes(fail="permanent", fail_part=3))
    error = step_of(run)["error"]
    assert states(run)[LONG] == "failed" and error["code"] == "backend_failed"
    assert error["part"] == {"number": 4, "count": 5, "start_ms": 3000, "end_ms": 4000}
    assert 0 <= step_of(run)["parts_done"] < 5
    assert left(home) == []


@pytest.mark.allow_error_logs
def test_a_part_that_is_tried_too_often_leaves_a_letter_with_which_all_can_be_done_again(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    healed: list[bool] = []

    def during(job: Job) -> None:
        if not healed:
            raise Scarce("memory", "told to come again")

    toy.during = during
    run = run_file(home, tmp_path, **wishes())
    error = step_of(run)["error"]
    assert error["code"] == "attempts_exhausted" and error["part"]["count"] == 5
    assert left(home) == []
    (letter,) = dead_letters(home.documents, CTX)
    healed.append(True)
    redrive(home, CTX, letter)
    drain(home)
    run = run_object(home, CTX, run["run_id"])
    assert states(run)[LONG] == "done" and JOINED in content(run)


def test_a_worker_that_dies_leaves_its_part_to_the_next(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = begin(home, tmp_path)
    toy.during = lambda job: (_ for _ in ()).throw(KeyboardInterrupt)
    first, second = pulled(home)
    with pytest.raises(KeyboardInterrupt):
        do(home, first.message)
    toy.during = None
    lapse(home)
    do(home, second.message)
    do(home, first.message)
    drain(home)
    assert JOINED in content(run_object(home, CTX, run_id))
    assert toy.ran["part 0"] == 2 and toy.ran["part 1"] == 1
    assert left(home) == []


def lapse(home: Home) -> None:
    """Nobody has renewed any lease for long."""
    for document in list(home.documents.list(f"{CTX.document_prefix}cache")):
        if document.data["state"] == "running":
            home.documents.update(
                document.path, {**document.data, "lease_s": 0.0}, version=document.version
            )


@pytest.mark.parametrize("when", ["a part is lost", "the step is lost"])
def test_what_nobody_asks_for_any_more_is_found_by_the_sweep(
    home: Home, toy: Toy, tmp_path: Path, when: str
) -> None:
    run_id = begin(home, tmp_path)
    lost = 0
    while deliveries := pulled(home):
        for delivery in deliveries:
            home.bus.ack(delivery)
            of_part = StepRequest.model_validate_json(delivery.message.data).part is not None
            if not lost and of_part == (when == "a part is lost"):
                lost += 1
            else:
                do(home, delivery.message)
    assert states(run_object(home, CTX, run_id))[LONG] == "running"
    assert recall_lapsed(home) == 0, "not yet: they may wait behind others"
    assert recall_lapsed(home, parts_grace_s=0.0) == 1
    drain(home)
    assert JOINED in content(run_object(home, CTX, run_id))
    assert toy.ran == {**{f"part {number}": 1 for number in range(5)}, LONG: 1}
    assert recall_lapsed(home, parts_grace_s=0.0) == 0 and left(home) == []


def test_another_version_of_the_code_begins_anew(home: Home, toy: Toy, tmp_path: Path) -> None:
    """Its parts would not fit the others. While workers of the old one are about, they go on."""
    run_id = begin(home, tmp_path)
    first, second = pulled(home)
    do(home, first.message)
    home.bus.ack(first)
    toy.version = "toy-2"
    with pytest.raises(Unavailable):
        do(home, second.message)
    home.bus.nack(second)
    assert recall_lapsed(home, parts_grace_s=0.0) == 1
    drain(home)
    run = run_object(home, CTX, run_id)
    (artifact,) = step_of(run)["artifacts"]
    assert artifact["meta"]["backend_version"] == "toy-2" and JOINED in content(run)
    assert recall_lapsed(home, parts_grace_s=0.0) == 0, "what the old one left is closed"
    assert left(home) == []


def test_another_run_waits_for_the_parts_and_takes_the_result(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    first = begin(home, tmp_path)
    second = upload_run_id(upload(home, CTX, tmp_path / "take.wav", Wishes(**wishes())))
    drain(home)
    assert states(run_object(home, CTX, first))[LONG] == "done"
    assert states(run_object(home, CTX, second))[LONG] == "cached"
    assert toy.ran.total() == 6


def test_erasing_the_recording_erases_its_parts(home: Home, toy: Toy, tmp_path: Path) -> None:
    run_id = begin(home, tmp_path)
    first, second = pulled(home)
    do(home, first.message)
    assert left(home)
    (asset,) = list_assets(home.documents, CTX)
    toy.during = lambda job: erase_asset(home, CTX, asset.asset_id)
    with pytest.raises(LeaseLost):
        do(home, second.message)
    assert left(home) == []
    drain(home)
    with pytest.raises(NotFound):
        run_object(home, CTX, run_id)


def test_a_late_part_leaves_nothing(home: Home, tmp_path: Path) -> None:
    """Also of a worker that died with it: the sweep looks at what lies about."""
    begin(home, tmp_path)
    late = [delivery.message for delivery in pulled(home)]
    lapse(home)
    for message in late:
        do(home, message)
    drain(home)
    (asset,) = list_assets(home.documents, CTX)
    (of,) = home.documents.list(f"{CTX.document_prefix}cache", where={"step": LONG})
    key = f"{CTX.object_prefix}media_v2/{asset.asset_id}/scratch/{of.id}/00001-of-00005.rushes-part"
    home.objects.put(key, tmp_path / "take.wav", content_type="application/octet-stream")
    for message in late:
        do(home, message)
    assert left(home) == [], "the message came again"
    home.objects.put(key, tmp_path / "take.wav", content_type="application/octet-stream")
    now = home.objects.stat(key).updated_at  # type: ignore[union-attr]
    assert remove_left_parts(home, now=now) == 0
    assert remove_left_parts(home, now=now + 1_000) == 1
    assert left(home) == []


def test_a_part_whose_file_is_gone_is_done_again(home: Home, toy: Toy, tmp_path: Path) -> None:
    run_id = begin(home, tmp_path)
    gone: list[str] = []

    def during(job: Job) -> None:
        if toy.ran["part 4"] and not gone:
            gone.append(next(key for key in left(home) if "/scratch/" in key))
            home.objects.delete(gone[0])

    toy.during = during
    drain(home)
    assert JOINED in content(run_object(home, CTX, run_id))
    assert toy.ran.total() == 7


@pytest.mark.allow_error_logs
def test_people_see_each_part_where_it_stands(home: Home, toy: Toy, tmp_path: Path) -> None:
    run_id = begin(home, tmp_path, fail="permanent", fail_part=1)

    def parts() -> list[tuple[str, int | None]]:
        (step,) = (one for one in explained_run(home, CTX, run_id)["steps"] if one["step"] == LONG)
        return [(part["state"], part["tries"]) for part in step["parts"]]

    assert parts() == 5 * [("queued", 0)]
    seen: list[Any] = []
    toy.during = lambda _job: seen.append(parts())
    first, second = pulled(home)
    do(home, first.message)
    assert seen == [[("running", 1), *4 * [("queued", 0)]]]
    assert parts() == [("done", 1), *4 * [("queued", 0)]]
    do(home, second.message)
    drain(home)
    (step,) = (one for one in explained_run(home, CTX, run_id)["steps"] if one["step"] == LONG)
    assert [part["state"] for part in step["parts"]] == ["dropped", "failed", *3 * ["dropped"]]
    assert step["parts"][1]["error"]["part"]["start_ms"] == step["parts"][1]["start_ms"] == 1000
