"""Storing under a lease: whoever holds the claim has the last word, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.contracts.step_engine import Backend, Output
from shared.errors import LeaseLost, NotFound, ValidationError
from shared.homes.documents import MOST_AT_ONCE
from shared.homes.home import Home
from shared.steps import storing
from shared.steps.claims import Claim, Lease
from shared.steps.storing import ArtifactWriter, describe_backend, load_artifact, load_artifacts
from tests.toy import CTX, wait_until

META: dict[str, Any] = {"duration_ms": 1, "segment_count": 0}


def lease_of(home: Home, *, lease_s: float = 60.0) -> Lease:
    claim = Claim(cache_key="k", step="toy.one", run_id="run_1", lease_s=lease_s)
    taken = Lease.take(home.documents, CTX, claim)
    assert isinstance(taken, Lease)
    return taken


def writer(home: Home, lease: Lease) -> ArtifactWriter:
    meta = describe_backend("toy.one", Backend("toy", "toy-1"), "k")
    return ArtifactWriter(home, CTX, lease, subject=("ast_1",), common_meta=meta)


def output(folder: Path, text: str, **changes: Any) -> Output:
    path = folder / f"{text}.json"
    path.write_text(text)
    told = {"kind": "audio_hits", "name": "a", "meta": META, **changes}
    return Output(path=path, content_type="application/json", **told)


def stands(home: Home, artifact_id: str) -> str:
    artifact = load_artifact(home.documents, CTX, artifact_id)
    text = b"".join(home.objects.read(artifact.key)).decode()
    import hashlib

    assert artifact.sha256 == hashlib.sha256(text.encode()).hexdigest()
    return text


def test_storing_twice_lands_on_the_same_artifact(home: Home, tmp_path: Path) -> None:
    lease = lease_of(home)
    first = writer(home, lease).store([output(tmp_path, "one")])
    second = writer(home, lease).store([output(tmp_path, "one")])
    assert first == second
    assert stands(home, first[0].artifact_id) == "one"


@pytest.mark.parametrize("stale_writes_first", [True, False])
def test_a_stale_owners_bytes_never_stand(
    home: Home, tmp_path: Path, stale_writes_first: bool
) -> None:
    stale = lease_of(home, lease_s=0.05)
    old, new = output(tmp_path, "old"), output(tmp_path, "new")
    if stale_writes_first:
        writer(home, stale).store([old])
    wait_until(lambda: _lapsed(home, stale))
    fresh = lease_of(home)
    made = writer(home, fresh).store([new])
    with pytest.raises(LeaseLost):
        writer(home, stale).store([old])
    assert stands(home, made[0].artifact_id) == "new"


def test_who_loses_the_lease_while_sending_bytes_registers_nothing(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = lease_of(home, lease_s=0.05)
    create_all = home.objects.create_all

    def slow(*args: Any, **options: Any) -> Any:
        made = create_all(*args, **options)
        wait_until(lambda: _lapsed(home, stale))
        lease_of(home)
        return made

    monkeypatch.setattr(home.objects, "create_all", slow)
    with pytest.raises(LeaseLost):
        writer(home, stale).store([output(tmp_path, "old")])
    assert list(home.documents.list(f"{CTX.document_prefix}artifacts")) == []


def _lapsed(home: Home, lease: Lease) -> bool:
    from shared.steps.claims import claim_path

    document = home.documents.get(claim_path(CTX, "k"))
    return document is not None and not lease.claim.alive(document)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "audio_sample"}, "kind"),
        ({"meta": {"duration_ms": 1}}, "meta.segment_count"),
    ],
)
def test_what_must_not_be_registered_leaves_nothing_behind(
    home: Home, tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    good, bad = output(tmp_path, "good"), output(tmp_path, "bad", name="b", **changes)
    with pytest.raises(ValidationError) as refused:
        writer(home, lease_of(home)).store([good, bad])
    assert refused.value.fields["details"]["field"] == field
    assert list(home.objects.list("tenants/")) == []


def test_parents_may_be_named_by_their_outputs_name(home: Home, tmp_path: Path) -> None:
    outputs = [output(tmp_path, "one"), output(tmp_path, "two", name="b", parents=["a"])]
    one, two = writer(home, lease_of(home)).store(outputs)
    assert one.parents == ("ast_1",)
    assert two.parents == (one.artifact_id,)


def test_as_many_as_a_store_takes_are_registered_at_once(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "MOST_AT_ONCE", 2)
    create_all, asked = home.documents.create_all, list[int]()

    def counted(contents: Any) -> Any:
        asked.append(len(contents))
        return create_all(contents)

    monkeypatch.setattr(home.documents, "create_all", counted)
    outputs = [output(tmp_path, f"{n}", name=f"n{n}") for n in range(5)]
    stored = writer(home, lease_of(home)).store(outputs)
    assert asked == [2, 2, 1] and storing.MOST_AT_ONCE < MOST_AT_ONCE <= 500, "Firestore's most"
    assert load_artifacts(home.documents, CTX, [one.artifact_id for one in stored]) == stored
    assert [stands(home, one.artifact_id) for one in stored] == [f"{n}" for n in range(5)]


def test_of_several_artifacts_the_one_that_is_gone_is_named(home: Home, tmp_path: Path) -> None:
    (stored,) = writer(home, lease_of(home)).store([output(tmp_path, "one")])
    here = stored.artifact_id
    assert load_artifacts(home.documents, CTX, [here, here]) == [stored, stored]
    with pytest.raises(NotFound, match="art_gone"):
        load_artifacts(home.documents, CTX, [here, "art_gone"])
