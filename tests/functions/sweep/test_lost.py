"""The sweep finds lost work, and nothing else."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from functions.sweep.lost import UPLOAD_WINDOW_S, announce_missed, recall_lapsed
from functions.sweep.main import handle
from shared.contracts.message import Message
from shared.contracts.step import StepRecord
from shared.homes.home import Home
from shared.runs.views import list_assets
from shared.steps.claims import Claim, Lease, claim_path
from shared.steps.step_records import record_path
from tests import toy as toys
from tests.toy import CTX, Toy, at_time, drain, run_file, states


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    return toys.install(monkeypatch)


@pytest.fixture
def home(tmp_path: Path, toy: Toy) -> Home:
    return toys.embedded_home(tmp_path / "data")


def test_an_upload_whose_notification_was_lost_is_announced_once(home: Home) -> None:
    for key in (
        "tenants/t1/dev/uploads/a.wav",
        "tenants/t_unknown/dev/uploads/b.wav",
        "other/c.wav",
    ):
        home.objects.put(key, b"sound", content_type="audio/wav")
    assert announce_missed(home, now=time.time()) == 0, "a fresh upload has its own notification"
    assert announce_missed(home, now=time.time() + 1000) == 1
    drain(home)
    assert len(list(list_assets(home.documents, CTX))) == 1
    assert announce_missed(home, now=time.time() + 1000) == 0


def test_what_waits_in_line_is_not_announced_by_every_round(home: Home) -> None:
    landed = home.objects.put("tenants/t1/dev/uploads/a.wav", b"sound", content_type="audio/wav")
    rounds = [landed.updated_at + 60 * minute for minute in range(121)]
    announced = [
        minute
        for minute, (last, now) in enumerate(pairwise(rounds), start=1)
        if announce_missed(home, now=now, last=last)
    ]
    assert announced == [5, 10, 20, 40, 80]
    assert announce_missed(home, now=rounds[-1]) == 1, "nothing is known of a round before"


def test_each_round_looks_for_what_its_attribute_names(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the bucket is listed once, which is most of what a round costs."""
    home.objects.put("tenants/t1/dev/uploads/a.wav", b"sound", content_type="audio/wav")
    part = "tenants/t1/dev/media_v2/ast_1/scratch/work/00001-of-00005.rushes-part"
    home.objects.put(part, b"left", content_type="application/octet-stream")
    list_objects, listings = home.objects.list, list[str]()

    def counted(prefix: str, **options: Any) -> Any:
        listings.append(prefix)
        return list_objects(prefix, **options)

    monkeypatch.setattr(home.objects, "list", counted)
    with at_time(time.time() + 1000):
        handle(Message("1", b"", {"sweep": "leases"}), home)
        assert home.bus.pull(["uploads"]) == []
        handle(Message("2", b"", {"sweep": "uploads"}), home)
        assert len(home.bus.pull(["uploads"])) == 1
    assert listings.count("tenants/") == 1
    assert home.objects.stat(part) is None


def test_old_uploads_cost_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.objects.put("tenants/t1/dev/uploads/a.wav", b"sound", content_type="audio/wav")
    monkeypatch.setattr(type(home.documents), "get", None)  # reading any document would fail
    assert announce_missed(home, now=time.time() + UPLOAD_WINDOW_S + 1) == 0


def test_the_work_of_an_owner_that_died_with_its_message_is_asked_for_again(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    run_file(home, tmp_path, steps=("toy.one",))
    document = next(home.documents.list(f"{CTX.document_prefix}cache", where={"step": "toy.one"}))
    finished = Claim.model_validate(document.data)
    home.documents.delete(document.path)
    lease = Lease.take(home.documents, CTX, finished.model_copy(update={"state": "running"}))
    assert isinstance(lease, Lease), "as if its owner had died now, and the message were gone"
    waiting = StepRecord(step="toy.one").model_dump(mode="json")
    home.documents.put(record_path(CTX, finished.run_id, "toy.one"), waiting)
    assert recall_lapsed(home) == 0, "its lease is alive"
    with at_time(time.time() + 3 * home.settings.lease_s):
        assert recall_lapsed(home) == 1
        drain(home)
    found = home.documents.get(claim_path(CTX, finished.cache_key))
    assert found is not None and found.data["state"] == "done"


def test_the_clock_runs_the_round(home: Home, toy: Toy, tmp_path: Path) -> None:
    assert set(states(run_file(home, tmp_path, steps=("toy.one",))).values()) == {"done"}
    handle(Message("1", b"", {"sweep": "all"}), home)
    assert drain(home) == []
    assert toy.ran == {"toy.one": 1}


def _lapsed(home: Home, **changes: Any) -> Claim:
    """The claim of a settled step, as if its last owner had died."""
    (document,) = home.documents.list(f"{CTX.document_prefix}cache", where={"step": "toy.one"})
    left = Claim.model_validate(document.data).model_copy(update={"state": "running", **changes})
    with at_time(time.time() - 3 * left.lease_s):
        home.documents.put(document.path, left.model_dump(mode="json"))
    return left


@pytest.mark.parametrize("gone", ["the step is settled", "the run is gone"])
def test_a_claim_that_nobody_waits_for_is_closed_with_the_reason(
    home: Home, tmp_path: Path, gone: str
) -> None:
    """Of a worker that died before a deployment, say: the step was done under another version."""
    run_file(home, tmp_path, steps=("toy.one",))
    left = _lapsed(home, **({} if gone == "the step is settled" else {"run_id": "run_gone"}))
    assert recall_lapsed(home) == 0
    closed = home.documents.get(claim_path(CTX, left.cache_key))
    if gone == "the run is gone":
        assert closed is None, "it was erased, and so is what tells of it"
    else:
        assert closed is not None and closed.data["state"] == "failed"
        assert "abandoned" in closed.data["error"]["message"]
    assert states(run_file(home, tmp_path, steps=("toy.one",)))["toy.one"] == "done"


@pytest.mark.allow_error_logs
def test_one_damaged_document_does_not_stop_the_round(home: Home, toy: Toy, tmp_path: Path) -> None:
    run_file(home, tmp_path, steps=("toy.one",))
    left = _lapsed(home, run_id="run_gone")
    home.documents.put(f"{CTX.document_prefix}cache/damaged", {"state": "running", "step": 7})
    home.documents.put(f"{CTX.document_prefix}runs/r/steps/x", {"state": "queued", "step": "NO"})
    handle(Message("1", b"", {"sweep": "all"}), home)
    assert home.documents.get(claim_path(CTX, left.cache_key)) is None
