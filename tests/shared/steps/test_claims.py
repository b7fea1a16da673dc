"""Claims and leases: of many workers one does the work, and a stale one writes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.context import RequestContext
from shared.contracts.ids import digest
from shared.contracts.step_engine import Part
from shared.errors import LeaseHeld, LeaseLost, Scarce, Unavailable
from shared.homes.documents import Document
from shared.homes.documents.embedded_documents import EmbeddedDocuments
from shared.steps.claims import Claim, Lease, claim_path, common_cache_key
from tests.toy import CTX, at_time, wait_until


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[EmbeddedDocuments]:
    yield EmbeddedDocuments(tmp_path / "documents.sqlite3")


def wanted(**changes: Any) -> Claim:
    return Claim(
        **{"cache_key": "k", "step": "toy.one", "run_id": "run_1", "lease_s": 60.0} | changes
    )


def take(documents: EmbeddedDocuments, *, force: bool = False, **changes: Any) -> Lease:
    taken = Lease.take(documents, CTX, wanted(**changes), force=force)
    assert isinstance(taken, Lease)
    return taken


def lapse(documents: EmbeddedDocuments, **changes: Any) -> Lease:
    """A lease whose owner has gone silent."""
    with at_time(time.time() - 3600):
        return take(documents, **changes)


def test_of_twenty_workers_one_takes_the_claim(documents: EmbeddedDocuments) -> None:
    def race(_: int) -> bool:
        try:
            return isinstance(Lease.take(documents, CTX, wanted()), Lease)
        except LeaseHeld:
            return False

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(race, range(20))) == 1


def test_of_twenty_workers_one_takes_a_lapsed_claim_over(documents: EmbeddedDocuments) -> None:
    lapse(documents)

    def race(_: int) -> int:
        try:
            taken = Lease.take(documents, CTX, wanted())
        except LeaseHeld:
            return 0
        assert isinstance(taken, Lease)
        return taken.claim.generation

    with ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(race, range(20)))[-2:] == [0, 2]


def test_a_live_lease_says_when_to_come_back(documents: EmbeddedDocuments) -> None:
    take(documents)
    with pytest.raises(LeaseHeld) as held:
        Lease.take(documents, CTX, wanted())
    assert 50 < held.value.retry_after_s <= 60


@pytest.mark.parametrize(
    ("age_s", "alive"),
    [(59.9, True), (60.1, False), (-59.9, True), (-60.1, False), (-3600.0, False)],
)
def test_a_lease_lapses_when_it_has_not_been_renewed_for_its_length(
    age_s: float, alive: bool
) -> None:
    document = Document("p", "{}", version="1", updated_at=1000.0, read_at=1000.0 + age_s)
    assert wanted().alive(document) is alive
    assert not wanted(state="done").alive(document)


def test_an_owner_renews_well_before_its_lease_lapses(documents: EmbeddedDocuments) -> None:
    lease = take(documents, lease_s=3.0)
    path = claim_path(CTX, "k")
    taken = documents.get(path)
    with lease.kept_alive(60):
        wait_until(lambda: lease.claim.renewals)
        renewed = documents.get(path)
    assert taken is not None and renewed is not None
    assert renewed.updated_at - taken.updated_at < 3.0, "by the store's clock"


def test_a_stale_owner_can_neither_renew_nor_settle(documents: EmbeddedDocuments) -> None:
    stale = lapse(documents)
    take(documents).settle_done("done", artifact_ids=("art_new",))
    for write in (stale.renew, lambda: stale.settle_done("done"), stale.check):
        with pytest.raises(LeaseLost):
            write()
    found = Lease.take(documents, CTX, wanted())
    assert isinstance(found, Claim) and found.artifact_ids == ("art_new",)


def test_renewing_keeps_a_lease_alive_past_its_length(documents: EmbeddedDocuments) -> None:
    with at_time(1000):
        lease = take(documents)
    with at_time(1049):
        lease.renew()
    assert lease.claim.progress == 0.0, "nothing has been told yet"
    lease.progress = 0.25
    with at_time(1050):
        lease.renew()
    assert lease.claim.progress == 0.25
    with at_time(1109), pytest.raises(LeaseHeld):
        Lease.take(documents, CTX, wanted())
    with at_time(1111):
        assert take(documents).claim.generation == 2


def test_an_owner_renews_again_and_again(documents: EmbeddedDocuments) -> None:
    lease = take(documents, lease_s=0.3)
    with lease.kept_alive(60):
        wait_until(lambda: lease.claim.renewals >= 5)


def test_a_hanging_owner_is_not_renewed_for_ever(documents: EmbeddedDocuments) -> None:
    lease = take(documents, lease_s=0.15)
    with lease.kept_alive(0.2):
        wait_until(lambda: _taken(documents))
    with pytest.raises(LeaseLost):
        lease.settle_done("done")


def _taken(documents: EmbeddedDocuments) -> bool:
    try:
        return isinstance(Lease.take(documents, CTX, wanted()), Lease)
    except LeaseHeld:
        return False


def test_a_result_is_found_by_later_runs_and_computed_again_when_forced(
    documents: EmbeddedDocuments,
) -> None:
    take(documents).settle_done("done")
    assert isinstance(Lease.take(documents, CTX, wanted(run_id="run_2")), Claim)
    forced = take(documents, run_id="run_3", force=True)
    forced.settle_done("done")
    again = Lease.take(documents, CTX, wanted(run_id="run_3"), force=True)
    assert isinstance(again, Claim), "the same forced message again must not compute again"


def test_a_failure_is_final_for_its_own_run_only(documents: EmbeddedDocuments) -> None:
    take(documents).settle_failed(Unavailable("x", "y"))
    assert isinstance(Lease.take(documents, CTX, wanted()), Claim)
    assert take(documents, run_id="run_2").claim.attempts == 1


@pytest.mark.parametrize("other", [(), ("art_0", "art_1"), ("art_1", "art_2")])
def test_other_inputs_make_a_result_or_a_plan_stale(
    documents: EmbeddedDocuments, other: tuple[str, ...]
) -> None:
    planned = (Part(start_ms=0, end_ms=1), Part(start_ms=1, end_ms=2))
    take(documents, inputs=("art_1",)).give_to_parts(planned, 2)
    again = take(documents, inputs=("art_1",))
    assert (again.claim.parts, again.claim.parts_at_once) == (planned, 2)
    again.settle_done("degraded")
    anew = take(documents, inputs=other)
    assert (anew.claim.generation, anew.claim.parts) == (3, ())
    anew.give_to_parts(planned, 2)
    assert take(documents, inputs=("art_1",)).claim.parts == ()


def test_a_degraded_result_lasts_until_what_was_missing_is_there(
    documents: EmbeddedDocuments,
) -> None:
    take(documents, missing=("whisper-tiny",)).settle_done("degraded")
    same = Lease.take(documents, CTX, wanted(run_id="run_2", missing=("whisper-tiny",)))
    assert isinstance(same, Claim)
    take(documents, run_id="run_3").settle_done("done")
    assert isinstance(Lease.take(documents, CTX, wanted(run_id="run_4")), Claim)


def test_attempts_are_counted_over_releases_and_deaths(documents: EmbeddedDocuments) -> None:
    take(documents).release(Scarce("memory", "first"))
    second = lapse(documents)
    assert second.claim.attempts == 2
    assert second.claim.error and "first" in second.claim.error["message"]
    third = take(documents)
    assert (third.claim.attempts, third.claim.generation) == (3, 3)
    third.release(Unavailable("x", "merely away"))
    assert take(documents).claim.attempts == 3


def test_patience_is_counted_from_the_first_time_that_it_was_given_back(
    documents: EmbeddedDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    take(documents).release(Unavailable("x", "away"))
    take(documents).release(Unavailable("x", "away"))
    waited = take(documents)
    monkeypatch.setattr(time, "time", lambda: now + 3_600)
    assert not waited.worn_out(5, 7_200.0)
    assert waited.worn_out(5, 3_000.0)
    assert waited.worn_out(0, 7_200.0) and not waited.worn_out(1, 7_200.0), "by attempts, too"
    waited.settle_failed(Unavailable("x", "given up"))
    assert not take(documents, run_id="run_2").worn_out(5, 0.0), "the next run waits afresh"


def test_a_store_that_is_away_for_a_moment_does_not_end_the_lease(
    documents: EmbeddedDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = take(documents, lease_s=0.3)
    away = threading.Event()
    update = documents.update

    def sometimes(*args: Any, **kwargs: Any) -> Any:
        if not away.is_set():
            away.set()
            raise Unavailable("documents", "away")
        return update(*args, **kwargs)

    monkeypatch.setattr(documents, "update", sometimes)
    with lease.kept_alive(60):
        wait_until(lambda: lease.claim.renewals >= 2)
    lease.settle_done("done")


def test_the_cache_key_tells_all_that_matters_apart() -> None:
    def key(**changes: Any) -> str:
        told: dict[str, Any] = {
            "ctx": CTX,
            "step": "toy.one",
            "subject": "ast_1",
            "params": {"a": 1, "b": 2},
            "backend_version": "v1",
            "upstream": {"toy.three": "k3"},
        }
        return common_cache_key(**{**told, **changes})

    other = RequestContext(tenant_id="t2", env="dev")
    variants = [
        key(),
        key(ctx=other),
        key(step="toy.two"),
        key(subject="ast_2"),
        key(params={"a": 1, "b": 3}),
        key(backend_version="v2"),
        key(upstream={"toy.three": "k4"}),
    ]
    assert len(set(variants)) == len(variants)
    assert key(params={"b": 2, "a": 1}) == key()


def test_a_result_is_known_under_the_key_that_earlier_versions_gave_it() -> None:
    def key(params: dict[str, Any], **upstream: str) -> str:
        return common_cache_key(CTX, "toy.one", "ast_1", params, "v1", upstream)

    assert key({"a": 1}) == 't1|dev|ast_1|toy.one|{"a":1}|v1'
    assert key({}, **{"toy.three": "k3"}) == "t1|dev|ast_1|toy.one|{}|v1|60783641fda3b57b"
    longest = {"a": "x" * (4_096 - len('{"a":""}'))}
    assert key(longest).startswith('t1|dev|ast_1|toy.one|{"a":"xxx')
    longer = {"a": f"{longest['a']}x"}
    assert key(longer) == f"t1|dev|ast_1|toy.one|sha256:{digest(longer)}|v1"
