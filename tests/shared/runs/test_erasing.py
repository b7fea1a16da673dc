"""Erasing a recording: nothing of it stays, whoever is at work on it, and nothing else goes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.step_engine import Job
from shared.errors import NotFound
from shared.homes.home import Home
from shared.messages.delivery import deliver
from shared.messages.requests import handle_request
from shared.runs import erasing
from shared.runs.erasing import erase_asset, resume_erasures
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import (
    list_artifacts,
    list_assets,
    run_object,
)
from shared.steps.claims import Lease
from shared.steps.preparing import load_asset
from tests import toy as toys
from tests.toy import CTX, Toy, at_time, run_file, states


def _take(folder: Path) -> Path:
    path = folder / "take.wav"
    path.write_text("sound")
    return path


def test_erasing_leaves_nothing_of_the_asset_and_all_of_the_others(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    erased = run_file(home, tmp_path, text="one")["asset_id"]
    kept = run_file(home, tmp_path, text="two")
    done = erase_asset(home, CTX, erased)
    assert {name: count for name, count in done.removed.items() if count} == {
        "cache_documents": 5,
        "artifacts": 4,
        "records": 6,
        "runs": 1,
        "objects": 5,
        "uploads": 1,
    }
    told = run_object(home, CTX, done.run_id)
    assert told["state"] == "done" and "take" not in json.dumps(told), "nothing names the file"
    left = home.documents.list(f"{CTX.document_prefix}assets/{erased}/sources")
    assert list(left) == []
    assert not any(erased in info.key for info in home.objects.list("tenants/"))
    assert [asset.asset_id for asset in list_assets(home.documents, CTX)] == [kept["asset_id"]]
    assert run_object(home, CTX, kept["run_id"]) == kept
    with pytest.raises(NotFound):
        erase_asset(home, CTX, erased)


def test_a_step_that_is_running_while_its_asset_is_erased_leaves_nothing(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    def erase_now(_job: object) -> None:
        (asset,) = list_assets(home.documents, CTX)
        erase_asset(home, CTX, asset.asset_id)

    toy.during = erase_now
    path = tmp_path / "take.wav"
    path.write_text("sound")
    upload(home, CTX, path, Wishes(steps=("toy.one",)))
    deliveries = [home.bus.pull(["uploads"]), home.bus.pull(["steps-toy"])]
    assert deliveries[0] and not deliveries[1]
    assert deliver(deliveries[0][0].message, home, toys.handle_upload) is None
    (request,) = home.bus.pull(["steps-toy"])
    lost = deliver(request.message, home, lambda m, h: handle_request(m, h, "toy"))
    assert lost is not None and lost.code == "lease_lost"
    assert list(home.objects.list("tenants/t1/dev/media_v2/")) == []
    assert list(list_artifacts(home.documents, CTX)) == []


def _cut_short(home: Home, asset_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure whose process dies once the objects are gone."""
    with monkeypatch.context() as patched:
        patched.setattr(erasing._Erasure, "_runs", lambda _self: (_ for _ in ()).throw(KeyError))
        with pytest.raises(KeyError):
            erase_asset(home, CTX, asset_id)


@pytest.mark.parametrize("young", [0, 1])
def test_an_erasure_that_is_on_its_way_holds_up_no_other(
    young: int, home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, text in enumerate("ab"):
        asset_id = run_file(home, tmp_path, text=text, steps=("toy.one",))["asset_id"]
        with at_time(time.time() - (0 if place == young else 3_600)):
            _cut_short(home, asset_id, monkeypatch)
    assert resume_erasures(home) == 1


def test_an_erasure_that_was_cut_short_is_finished_by_the_sweep_and_uploads_wait_for_it(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_file(home, tmp_path, steps=("toy.one",))
    _cut_short(home, first["asset_id"], monkeypatch)
    again = upload(home, CTX, tmp_path / "take.wav", Wishes(steps=("toy.one",)))
    (delivery,) = home.bus.pull(["uploads"])
    refused = deliver(delivery.message, home, toys.handle_upload)
    assert refused is not None and refused.code == "unavailable"
    with pytest.raises(NotFound):
        load_asset(home, CTX, first["asset_id"])
    assert resume_erasures(home) == 0, "it may still be on its way"
    monkeypatch.setattr(erasing, "RESUMED_AFTER_S", 0.0)
    assert resume_erasures(home) == 1
    home.bus.nack(delivery)
    toys.drain(home)
    run = run_object(home, CTX, upload_run_id(again))
    assert states(run) == {"probe": "done", "toy.one": "done"}
    assert run["asset_id"] == first["asset_id"]
    assert Path(run["steps"][1]["artifacts"][0]["path"]).is_file()
    with pytest.raises(NotFound):
        run_object(home, CTX, first["run_id"])


def test_who_waits_for_an_erasure_that_was_cut_short_brings_it_to_its_end(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At home nobody sweeps while ``rushes process`` runs: it waited for ever."""
    first = run_file(home, tmp_path, steps=("toy.one",))
    with at_time(time.time() - 3_600):
        _cut_short(home, first["asset_id"], monkeypatch)
    again = upload(home, CTX, tmp_path / "take.wav", Wishes(steps=("toy.one",)))
    (delivery,) = home.bus.pull(["uploads"])
    refused = deliver(delivery.message, home, toys.handle_upload)
    assert refused is not None and refused.code == "unavailable"
    home.bus.nack(delivery)
    toys.drain(home)
    run = run_object(home, CTX, upload_run_id(again))
    assert states(run) == {"probe": "done", "toy.one": "done"}
    with pytest.raises(NotFound):
        run_object(home, CTX, first["run_id"])


def test_a_step_taken_up_behind_the_claims_removal_leaves_nothing(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saw the asset before the mark, and takes its claim after the last pass."""
    upload(home, CTX, _take(tmp_path), Wishes(steps=("toy.one",)))
    (delivery,) = home.bus.pull(["uploads"])
    toys.handle_upload(delivery.message, home)
    (request,) = home.bus.pull(["steps-toy"])
    (asset,) = list_assets(home.documents, CTX)
    take = Lease.take

    def late(*args: Any, **kwargs: Any) -> Any:
        erase_asset(home, CTX, asset.asset_id)
        return take(*args, **kwargs)

    monkeypatch.setattr(Lease, "take", late)
    error = deliver(request.message, home, lambda m, h: handle_request(m, h, "toy"))
    assert error is None
    assert list(home.objects.list("tenants/t1/dev/media_v2/")) == []
    assert list(list_artifacts(home.documents, CTX)) == []
    assert list(home.documents.list(f"{CTX.document_prefix}cache")) == []


def test_an_erased_worker_takes_nothing_of_the_next_upload_along(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    """The same bytes again have the same ids: a late worker removes its own writes alone."""
    later: list[dict[str, Any]] = []

    def during(job: Job) -> None:
        toy.during = None
        erase_asset(home, CTX, job.asset_id)
        later.append(run_file(home, tmp_path, steps=("toy.one",)))

    toy.during = during
    with pytest.raises(NotFound):
        run_file(home, tmp_path, steps=("toy.one",))
    (run,) = later
    assert states(run) == {"probe": "done", "toy.one": "done"}
    assert Path(run["steps"][1]["artifacts"][0]["path"]).is_file()
    assert run_object(home, CTX, run["run_id"]) == run


def test_an_erasure_that_slept_over_its_end_takes_nothing_of_the_next_upload(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wakes between looking and removing: another finished it, and the bytes were uploaded anew."""
    first = run_file(home, tmp_path, steps=("toy.one",))["asset_id"]
    later: list[dict[str, Any]] = []
    each = erasing._Erasure._each

    def asleep(self: Any, remove: Any, found: Any) -> int:
        if not later and any("source" in str(one) for one in found):
            later.append({})
            erase_asset(home, CTX, first)
            later.append(run_file(home, tmp_path, steps=("toy.one",)))
        return each(self, remove, found)

    monkeypatch.setattr(erasing._Erasure, "_each", asleep)
    erase_asset(home, CTX, first)
    run = later[1]
    assert run_object(home, CTX, run["run_id"]) == run
    asset = load_asset(home, CTX, first)
    assert home.objects.stat(asset.key) is not None
    assert Path(run["steps"][1]["artifacts"][0]["path"]).is_file()


def test_an_hour_later_what_a_dead_worker_wrote_goes_too(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    run = run_file(home, tmp_path, steps=("toy.one",))
    artifact = run["steps"][1]["artifacts"][0]
    stored = home.documents.get(f"{CTX.document_prefix}artifacts/{artifact['artifact_id']}")
    assert stored is not None
    erase_asset(home, CTX, run["asset_id"])
    home.objects.put(stored.data["key"], b"late", content_type="application/json")
    home.documents.create(stored.path, stored.data)
    record = f"{CTX.document_prefix}runs/{run['run_id']}/steps/toy.two"
    home.documents.create(record, {"step": "toy.two"})
    with at_time(time.time() + erasing.AGAIN_AFTER_S - 60):
        resume_erasures(home)
        assert home.objects.stat(stored.data["key"]), "whoever writes may yet register it"
    with at_time(time.time() + erasing.AGAIN_AFTER_S + 60):
        resume_erasures(home)
    assert not home.objects.stat(stored.data["key"])
    assert home.documents.get(stored.path) is None and home.documents.get(record) is None
    assert list(home.documents.list_group("erasures")) == []


def test_an_hour_later_the_same_bytes_uploaded_anew_stay(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    erase_asset(home, CTX, run_file(home, tmp_path, steps=("toy.one",))["asset_id"])
    run = run_file(home, tmp_path, steps=("toy.one",))
    key = f"{CTX.object_prefix}media_v2/{run['asset_id']}/audio_hits/art_{{}}.json"
    home.objects.put(key.format("old"), b"late", content_type="application/json")
    with at_time(time.time() + erasing.AGAIN_AFTER_S + 60):
        home.objects.put(key.format("new"), b"on its way", content_type="application/json")
        resume_erasures(home)
    assert run_object(home, CTX, run["run_id"]) == run
    assert Path(run["steps"][1]["artifacts"][0]["path"]).is_file()
    assert home.objects.stat(load_asset(home, CTX, run["asset_id"]).key)
    assert not home.objects.stat(key.format("old")) and home.objects.stat(key.format("new"))


def test_an_announcement_repeated_during_an_erasure_brings_no_name_back(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed = upload(home, CTX, _take(tmp_path), Wishes(steps=("toy.one",)))
    toys.drain(home)
    (asset,) = list_assets(home.documents, CTX)
    toys.announce(home, landed)
    (delivery,) = home.bus.pull(["uploads"])
    stat = home.objects.stat

    def erased_after(key: str) -> Any:
        found = stat(key)
        monkeypatch.undo()
        erase_asset(home, CTX, asset.asset_id)
        return found

    with pytest.MonkeyPatch.context():
        monkeypatch.setattr(home.objects, "stat", erased_after)
        assert deliver(delivery.message, home, toys.handle_upload) is None
    left = [
        document
        for name in ("runs", "steps", "cache", "uploads", "dead_letters")
        for document in home.documents.list_group(name)
    ]
    assert "take" not in json.dumps([document.data for document in left])


def test_what_has_taken_an_upload_s_name_since_is_not_erased(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    landed = upload(home, CTX, _take(tmp_path), Wishes(steps=("toy.one",)))
    toys.drain(home)
    (asset,) = list_assets(home.documents, CTX)
    home.objects.put(landed.key, b"another recording", content_type="audio/wav")
    assert erase_asset(home, CTX, asset.asset_id).removed["uploads"] == 0
    assert b"".join(home.objects.read(landed.key)) == b"another recording"
