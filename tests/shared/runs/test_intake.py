"""Uploads become assets once, whatever happens to their announcements."""

from __future__ import annotations

import gzip
import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import stamina

from shared.contracts.asset import MOST_SOURCES, Probed
from shared.contracts.context import RequestContext
from shared.contracts.upload import Upload
from shared.errors import Scarce, Unavailable, UnsupportedMedia
from shared.homes.bus import Outgoing
from shared.homes.home import Home
from shared.homes.objects.embedded_objects import EmbeddedObjects
from shared.homes.objects.files import md5_of
from shared.homes.objects.guarded_writes import Facts, Guard
from shared.messages.dead_letters import UNATTRIBUTED, dead_letters, redrive
from shared.messages.delivery import deliver
from shared.runs.erasing import erase_asset
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import (
    list_artifacts,
    list_assets,
    list_runs,
    newest_runs,
    public_run_row,
    run_object,
)
from tests import toy as toys
from tests.toy import CTX, Toy, announce, drain, run_file, states


def landed(home: Home, key: str, content: bytes, **metadata: str) -> Upload:
    """An object that some client has put into the bucket, not yet announced."""
    full = f"tenants/t1/dev/uploads/{key}"
    info = home.objects.put(full, content, content_type="audio/wav", metadata=metadata)
    return Upload(CTX, "rushes-local", full, info.generation)


def test_twenty_announcements_out_of_order_make_one_of_everything(home: Home, toy: Toy) -> None:
    uploads = [landed(home, f"{number}.wav", b"take %d" % number) for number in range(3)]
    announcements = uploads * 20
    random.Random(1).shuffle(announcements)
    for one in announcements:
        announce(home, one)
    drain(home)
    assert len(list(list_assets(home.documents, CTX))) == 3
    assert len(list_runs(home.documents, CTX)) == 3
    assert toy.ran["toy.one"] == 3
    assert len(list(list_artifacts(home.documents, CTX))) == 3 * 4


def test_the_same_bytes_twice_are_one_asset_with_two_sources(home: Home, toy: Toy) -> None:
    for name in ("first.wav", "second.wav"):
        announce(home, landed(home, name, b"same"))
        drain(home)
    (asset,) = list_assets(home.documents, CTX)
    assert [source.name for source in asset.sources] == ["first.wav", "second.wav"]
    assert toy.ran["toy.one"] == 1


def test_new_bytes_under_an_old_name_are_a_new_asset_and_the_old_one_stays(
    home: Home, toy: Toy
) -> None:
    for content in (b"monday", b"tuesday"):
        announce(home, landed(home, "take.wav", content))
        drain(home)
    assets = list(list_assets(home.documents, CTX))
    kept = {b"".join(home.objects.read(asset.key)) for asset in assets}
    assert kept == {b"monday", b"tuesday"}


def test_an_upload_that_was_replaced_before_it_was_read_is_not_taken_for_the_new_one(
    home: Home, toy: Toy
) -> None:
    """Neither its bytes nor its wishes: these are refused, and must not be told of the old one."""
    old = landed(home, "take.wav", b"old")
    new = landed(home, "take.wav", b"new", **{"rushes-steps": "toy.nine"})
    for one in (old, new):
        announce(home, one)
    drain(home)
    assert _settled(home, old)[:2] == ("done", "skipped")
    assert run_object(home, CTX, upload_run_id(new))["error"]["code"] == "validation_error"


def test_an_upload_that_is_replaced_while_it_is_probed_never_stands_under_its_hash(
    home: Home, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    probed = toys.probed
    replacing: list[Upload] = []

    def slow(path: Path) -> object:
        if not replacing:
            replacing.append(landed(home, "take.wav", b"new"))
        return probed(path)

    monkeypatch.setattr(toys, "probed", slow)
    old = landed(home, "take.wav", b"old")
    announce(home, old)
    drain(home)
    announce(home, replacing[0])
    drain(home)
    assert _settled(home, old)[:2] == ("done", "skipped")
    (asset,) = list_assets(home.documents, CTX)
    content = b"".join(home.objects.read(asset.key))
    assert (content, hashlib.sha256(content).hexdigest()) == (b"new", asset.sha256)


def test_an_upload_that_is_taken_in_again_after_trouble_is_one_source(
    home: Home, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_all = home.bus.publish_all
    trouble = iter([True])

    def sometimes(messages: Sequence[Outgoing]) -> None:
        if messages[0].topic == "steps-toy" and next(trouble, False):
            raise Unavailable("bus", "away")
        publish_all(messages)

    monkeypatch.setattr(home.bus, "publish_all", sometimes)
    announce(home, landed(home, "take.wav", b"take"))
    assert drain(home) == ["unavailable"]
    (asset,) = list_assets(home.documents, CTX)
    assert [source.name for source in asset.sources] == ["take.wav"]
    assert toy.ran["toy.one"] == 1


def test_an_upload_can_say_what_is_wanted(home: Home, toy: Toy) -> None:
    params = '{"toy.one": {"text": "wished"}}'
    wished = landed(home, "a.wav", b"a", **{"rushes-steps": "toy.one", "rushes-params": params})
    announce(home, wished)
    drain(home)
    run = run_object(home, CTX, upload_run_id(wished))
    assert states(run) == {"probe": "done", "toy.one": "done"}
    assert "wished" in Path(run["steps"][1]["artifacts"][0]["path"]).read_text()


@pytest.mark.parametrize(
    "metadata", [{"rushes-steps": "toy.nine"}, {"rushes-params": "{"}, {"rushes-params": "[]"}]
)
def test_a_wish_that_cannot_be_granted_is_a_failed_run(
    home: Home, toy: Toy, metadata: dict[str, str]
) -> None:
    wished = landed(home, "a.wav", b"a", **metadata)
    announce(home, wished)
    drain(home)
    assert run_object(home, CTX, upload_run_id(wished))["error"]["code"] == "validation_error"


def test_a_tenants_settings_choose_the_steps(home: Home, toy: Toy, tmp_path: Path) -> None:
    chosen = {"steps": ["toy.three"], "params": {"toy.three": {"number": 2}}}
    home.documents.put("tenants/t1/envs/dev/settings/pipeline", chosen)
    run = run_file(home, tmp_path)
    assert states(run) == {"probe": "done", "toy.three": "done"}
    assert len(run["steps"][1]["artifacts"]) == 2


def test_settings_that_cannot_be_fail_the_run_and_leave_the_recording(home: Home, toy: Toy) -> None:
    """Once they are mended it can be worked on: its own copy of the bytes is there."""
    home.documents.put("tenants/t1/envs/dev/settings/pipeline", {"steps": ["toy.nine"]})
    upload = landed(home, "take.wav", b"sound")
    announce(home, upload)
    drain(home)
    assert run_object(home, CTX, upload_run_id(upload))["error"]["code"] == "validation_error"
    (asset,) = list_assets(home.documents, CTX)
    assert b"".join(home.objects.read(asset.key)) == b"sound"


def test_what_cannot_be_decoded_is_a_failed_run_and_stays_in_the_bucket(
    home: Home, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_path: Path) -> None:
        raise UnsupportedMedia("no recording")

    monkeypatch.setattr(toys, "probed", refused)
    bad = landed(home, "bad.wav", b"?")
    announce(home, bad)
    drain(home)
    run = run_object(home, CTX, upload_run_id(bad))
    assert run["state"] == "failed" and run["error"]["code"] == "unsupported_media"
    assert run["error"]["service"] == "probe"
    assert home.objects.stat(bad.key) is not None
    assert list(list_assets(home.documents, CTX)) == []


def test_a_too_large_upload_is_refused_before_it_is_fetched(home: Home, toy: Toy) -> None:
    home.documents.put("tenants/t1/envs/dev/settings/pipeline", {"max_input_bytes": 10})
    large = landed(home, "large.wav", b"12345678901")
    announce(home, large)
    drain(home)
    error = run_object(home, CTX, upload_run_id(large))["error"]
    assert (error["code"], error["max_bytes"], error["received_bytes"]) == (
        "input_too_large",
        10,
        11,
    )


def test_an_upload_deleted_before_it_was_read_is_nobodys_trouble(home: Home, toy: Toy) -> None:
    gone = landed(home, "gone.wav", b"gone")
    home.objects.delete(gone.key)
    announce(home, gone)
    assert drain(home) == []
    assert list_runs(home.documents, CTX) == []


def _settled(home: Home, one: Upload) -> tuple[str, str, str | None]:
    run = run_object(home, CTX, upload_run_id(one))
    (probe,) = run["steps"]
    return run["state"], probe["state"], probe["reason"]


def test_an_upload_overwritten_before_it_was_read_is_superseded_not_failed(
    home: Home, toy: Toy
) -> None:
    old, new = landed(home, "a.wav", b"old"), landed(home, "a.wav", b"new")
    for one in (old, new, old):
        announce(home, one)
        assert drain(home) == []
    state, probe, reason = _settled(home, old)
    assert (state, probe) == ("done", "skipped") and reason and reason.startswith("superseded")
    assert run_object(home, CTX, upload_run_id(new))["state"] == "done"
    assert len(list(list_assets(home.documents, CTX))) == 1
    assert list(dead_letters(home.documents, CTX)) == []


@pytest.mark.parametrize("deleted", [True, False])
def test_an_upload_that_changes_while_it_is_read_is_no_failure_either(
    deleted: bool, home: Home, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = landed(home, "a.wav", b"old")
    as_it_is = toys.probed

    def probed_meanwhile(path: Path) -> Probed:
        if deleted:
            home.objects.delete(old.key)
        else:
            landed(home, "a.wav", b"new")
        return as_it_is(path)

    monkeypatch.setattr(toys, "probed", probed_meanwhile)
    announce(home, old)
    drain(home)
    state, probe, reason = _settled(home, old)
    assert (state, probe) == ("done", "skipped")
    assert reason and reason.startswith("deleted" if deleted else "superseded")


def test_a_zero_byte_object_announced_by_attributes_alone_opens_no_run(
    home: Home, toy: Toy
) -> None:
    announce(home, landed(home, "empty.wav", b""))
    assert drain(home) == []
    assert list_runs(home.documents, CTX) == []


def test_an_upload_stored_as_gzip_is_the_asset_of_its_decoded_bytes(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    objects, sound = home.objects, b"sound" * 100
    assert isinstance(objects, EmbeddedObjects)
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(sound))
    key = "tenants/t1/dev/uploads/packed.wav"
    facts = Facts("audio/wav", {}, md5_of(packed), fields={"contentEncoding": "gzip"})
    info = objects.take(key, packed, facts, Guard())
    for one in (Upload(CTX, "rushes-local", key, info.generation), landed(home, "a.wav", sound)):
        announce(home, one)
        drain(home)
    (asset,) = list_assets(home.documents, CTX)
    assert (asset.sha256, asset.bytes) == (hashlib.sha256(sound).hexdigest(), 500)
    assert [source.name for source in asset.sources] == ["packed.wav", "a.wav"]
    stored = objects.stat(asset.key)
    assert stored is not None and (stored.size, stored.content_encoding) == (500, "")
    assert b"".join(objects.read(asset.key)) == sound
    assert toy.ran["toy.one"] == 1


@pytest.mark.allow_error_logs
def test_a_message_nobody_understands_is_kept_for_the_operator(home: Home, toy: Toy) -> None:
    home.bus.publish("uploads", b"not json", {})
    home.bus.publish("steps-toy", b'{"tenant_id": "t1"}', {"tenant": "t1", "env": "dev"})
    drain(home)
    assert [letter.code for letter in dead_letters(home.documents, None)] == ["validation_error"]
    assert len(list(home.documents.list(UNATTRIBUTED))) == 1
    (letter,) = dead_letters(home.documents, CTX)
    assert letter.error and letter.error["code"] == "validation_error"
    from shared.errors import ValidationError

    with pytest.raises(ValidationError):
        redrive(home, CTX, letter)


def test_the_same_file_many_times_at_once_is_a_run_each_and_one_asset(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    path = _take(tmp_path)
    wishes = [Wishes(steps=("toy.one",), params={"toy.one": {"text": str(n)}}) for n in range(25)]
    runs = [upload_run_id(upload(home, CTX, path, one)) for one in wishes]
    toys.drain(home)
    found = [run_object(home, CTX, name) for name in runs]
    assert {states(run)["toy.one"] for run in found} == {"done"}
    assert toy.ran["toy.one"] == 25
    (asset,) = list_assets(home.documents, CTX)
    assert len(asset.sources) == MOST_SOURCES
    assert erase_asset(home, CTX, asset.asset_id).removed["uploads"] == 25
    assert list(home.objects.list("tenants/t1/dev/")) == []


def test_an_upload_that_is_deleted_between_two_tries_ends_its_run(
    home: Home, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed = upload(home, CTX, _take(tmp_path))
    (delivery,) = home.bus.pull(["uploads"])
    with monkeypatch.context() as patched, stamina.set_testing(True, attempts=3):
        away = Unavailable("the bucket", "it is away")
        patched.setattr(home.objects, "read", lambda *_, **__: (_ for _ in ()).throw(away))
        assert deliver(delivery.message, home, toys.handle_upload) is not None
    home.objects.delete(landed.key)
    assert deliver(delivery.message, home, toys.handle_upload) is None
    run = run_object(home, CTX, upload_run_id(landed))
    assert run["steps"][0]["state"] == "skipped"
    assert run["steps"][0]["reason"] == "deleted before it was read"


def test_metadata_that_is_no_name_fails_its_own_upload_and_poisons_nothing(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    key = f"{CTX.object_prefix}uploads/x/take.wav"
    told = {"rushes-user": "jane doe@example.org"}
    info = home.objects.put(key, b"sound", content_type="audio/wav", metadata=told)
    toys.announce(home, Upload(CTX, home.settings.bucket, key, info.generation))
    toys.drain(home)
    (run,) = newest_runs(home.documents, CTX, limit=10, after=None)
    shown = run_object(home, CTX, run.run_id)
    assert shown["error"]["details"]["field"] == "rushes-user"


def test_a_damaged_run_is_shown_as_such_beside_the_others(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    kept = run_file(home, tmp_path, steps=("toy.one",))
    path = f"{CTX.document_prefix}runs/run_bad"
    home.documents.put(path, {"run_id": "run_bad", "user_id": "jane doe", "created_at": 1.0})
    rows = newest_runs(home.documents, CTX, limit=10, after=None)
    shown = {row.run_id: public_run_row(row, {}) for row in rows}
    assert shown["run_bad"]["state"] == "failed" and shown["run_bad"]["error"]["message"]
    assert kept["run_id"] in shown


def _take(folder: Path) -> Path:
    path = folder / "take.wav"
    path.write_text("sound")
    return path


def test_two_tenants_with_the_same_bytes_have_two_assets(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    other = RequestContext(tenant_id="t2", env="dev")
    one, two = run_file(home, tmp_path), run_file(home, tmp_path, ctx=other)
    assert one["asset_id"] != two["asset_id"]
    assert toy.ran["toy.one"] == 2


@pytest.mark.allow_error_logs
def test_a_redriven_upload_mends_its_run(home: Home, toy: Toy, tmp_path: Path) -> None:
    trouble = iter([True] * home.settings.max_attempts)
    probed = toys.probed
    with pytest.MonkeyPatch.context() as patched:

        def probe(path: Path) -> Probed:
            if next(trouble, False):
                raise Scarce("memory", "for now")
            return probed(path)

        patched.setattr(toys, "probed", probe)
        run = run_file(home, tmp_path, steps=("toy.one",))
        assert run["error"]["code"] == "attempts_exhausted"
        assert run["error"]["details"]["attempts"] == home.settings.max_attempts
        redrive(home, CTX, next(dead_letters(home.documents, CTX)))
        assert "error" not in run_object(home, CTX, run["run_id"]), "it is on its way again"
        drain(home)
    assert states(run_object(home, CTX, run["run_id"])) == {"probe": "done", "toy.one": "done"}
