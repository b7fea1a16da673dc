"""The sweep finds what fell between two chairs, and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from functions.sweep.lost import UPLOAD_WINDOW_S, announce_missed, recall_lapsed
from functions.sweep.main import handle
from shared.contracts.message import Message
from shared.homes.home import Home
from shared.runs.views import list_assets
from shared.steps.claims import Claim, Lease, claim_path
from tests import toy as toys
from tests.toy import CTX, Toy, drain, run_file, states, wait_until


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    return toys.install(monkeypatch)


@pytest.fixture
def home(tmp_path: Path, toy: Toy) -> Home:
    return toys.embedded_home(tmp_path / "data", lease_s=0.2)


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


def test_each_round_looks_for_what_its_attribute_names(home: Home) -> None:
    home.objects.put("tenants/t1/dev/uploads/a.wav", b"sound", content_type="audio/wav")
    later = time.time() + 1000
    with pytest.MonkeyPatch.context() as clock:
        clock.setattr(time, "time", lambda: later)
        handle(Message("1", b"", {"sweep": "leases"}), home)
        assert home.bus.pull(["uploads"]) == []
        handle(Message("2", b"", {"sweep": "uploads"}), home)
        assert len(home.bus.pull(["uploads"])) == 1


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
    assert recall_lapsed(home) == 0, "its lease is alive"
    path = claim_path(CTX, finished.cache_key)

    def long_lapsed() -> bool:
        found = home.documents.get(path)
        assert found is not None
        return finished.seconds_left(found) < -finished.lease_s

    wait_until(long_lapsed)
    assert recall_lapsed(home) == 1
    drain(home)
    found = home.documents.get(path)
    assert found is not None and found.data["state"] == "done"


def test_the_clock_runs_the_round(home: Home, toy: Toy, tmp_path: Path) -> None:
    assert set(states(run_file(home, tmp_path, steps=("toy.one",))).values()) == {"done"}
    handle(Message("1", b"", {"sweep": "all"}), home)
    assert drain(home) == []
    assert toy.ran == {"toy.one": 1}
