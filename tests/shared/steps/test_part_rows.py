"""So many parts of a tenant's are on their way, whatever it asks for; and all of it ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from functions.sweep.lost import recall_lapsed
from shared.contracts.context import RequestContext
from shared.contracts.ids import digest
from shared.contracts.step import StepRequest
from shared.homes.bus import Delivery
from shared.homes.home import Home
from shared.messages.requests import handle_request
from shared.runs.erasing import erase_asset
from shared.runs.intake import Wishes
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import list_assets, run_object
from shared.steps.claims import Claim, claim_path
from shared.steps.part_rows import give_rows_back, take_rows
from tests.toy import CTX, Toy, drain, embedded_home, handle_upload, states

OTHER = RequestContext(tenant_id="t2", env="dev")
LONG = "toy.long"


@pytest.fixture
def home(tmp_path: Path, toy: Toy) -> Home:
    """Two parts of a step, so four of a tenant."""
    return embedded_home(tmp_path / "data", parts_at_once=2)


def begin(home: Home, folder: Path, text: str, ctx: RequestContext = CTX, parts: int = 6) -> str:
    """Upload, and have the step split."""
    path = folder / f"{text}.wav"
    path.write_text(text)
    wishes = Wishes(steps=(LONG,), params={LONG: {"parts": parts}})
    run_id = upload_run_id(upload(home, ctx, path, wishes))
    (landed,) = home.bus.pull(["uploads"], limit=1, wait_s=0)
    handle_upload(landed.message, home)
    home.bus.ack(landed)
    for delivery in requests(home):
        if part_of(delivery) is None:
            handle_request(delivery.message, home, "toy")
            home.bus.ack(delivery)
        else:
            home.bus.nack(delivery)
    return run_id


def requests(home: Home) -> list[Delivery]:
    return list(home.bus.pull(["steps-toy"], limit=100, wait_s=0))


def part_of(delivery: Delivery) -> tuple[str, int] | None:
    """Tenant and number of the part that is asked for."""
    request = StepRequest.model_validate_json(delivery.message.data)
    return (request.tenant_id, request.part.number) if request.part else None


def rows(home: Home, ctx: RequestContext = CTX) -> list[int]:
    document = home.documents.get(f"{ctx.document_prefix}part_rows/all")
    return sorted(document.data["rows"].values(), reverse=True) if document else []


def test_a_tenant_with_much_leaves_room_for_another(home: Home, toy: Toy, tmp_path: Path) -> None:
    """Five long recordings of one tenant: four parts in the line before whatever comes next."""
    for number in range(5):
        begin(home, tmp_path, f"long {number}")
    assert rows(home) == [2, 1, 1]
    begin(home, tmp_path, "talk", OTHER)
    asked = [part_of(delivery) for delivery in requests(home)]
    assert [tenant for tenant, _ in filter(None, asked)] == [*4 * ["t1"], *2 * ["t2"]]
    assert rows(home, OTHER) == [2]


def test_all_that_waits_has_its_turn_and_nothing_is_left(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    runs = [begin(home, tmp_path, f"long {number}", parts=3) for number in range(4)]
    assert rows(home) == [2, 1, 1], "the fourth waits"
    most: list[int] = []
    toy.during = lambda _job: most.append(sum(rows(home)))
    drain(home)
    assert [states(run_object(home, CTX, run))[LONG] for run in runs] == 4 * ["done"]
    assert toy.ran == {**{f"part {number}": 4 for number in range(3)}, LONG: 4}
    assert (max(most), rows(home)) == (4, [])


def test_whoever_is_left_takes_what_others_had(home: Home, tmp_path: Path) -> None:
    begin(home, tmp_path, "short", parts=2)
    begin(home, tmp_path, "long", parts=4)
    begin(home, tmp_path, "longer", parts=4)
    assert rows(home) == [2, 1, 1]
    while len(rows(home)) == 3:
        for delivery in requests(home)[:2]:
            handle_request(delivery.message, home, "toy")
            home.bus.ack(delivery)
    for delivery in requests(home):
        if part_of(delivery) is None:
            handle_request(delivery.message, home, "toy")
    assert rows(home) == [2, 1]


def test_what_was_erased_has_no_rows(home: Home, tmp_path: Path) -> None:
    begin(home, tmp_path, "long", parts=2)
    (asset,) = list_assets(home.documents, CTX)
    erase_asset(home, CTX, asset.asset_id)
    begin(home, tmp_path, "next")
    assert rows(home) == [2]


def test_takers_at_once_are_not_given_more_than_there_is(home: Home) -> None:
    def take(number: int) -> int:
        claim = Claim(cache_key=f"work {number}", step=LONG, run_id="run", lease_s=60.0)
        home.documents.create(claim_path(CTX, claim.cache_key), claim.model_dump(mode="json"))
        return take_rows(home, CTX, claim, 9)

    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(take, range(6)))
    assert sum(taken) == sum(rows(home)) == 4 and max(taken) == 2
    for number in range(6):
        give_rows_back(home, CTX, digest(f"work {number}"))
    assert rows(home) == []


def test_each_takes_half_of_what_is_free(tmp_path: Path) -> None:
    """And no more than the setting, or than it has parts; what one has it keeps, should that sink."""
    home = embedded_home(tmp_path / "wide", parts_at_once=8)

    def take(number: int, count: int = 20) -> int:
        claim = Claim(cache_key=f"work {number}", step=LONG, run_id="run", lease_s=60.0)
        home.documents.put(claim_path(CTX, claim.cache_key), claim.model_dump(mode="json"))
        return take_rows(home, CTX, claim, count)

    assert [take(number) for number in range(6)] == [8, 4, 2, 1, 1, 0]
    give_rows_back(home, CTX, digest("work 0"))
    assert [take(6, count=3), take(5)] == [3, 3]
    home.documents.put(f"{CTX.document_prefix}settings/pipeline", {"parts_at_once": 2})
    assert [take(1), take(7)] == [4, 0]


def test_another_version_of_the_code_does_not_wait_for_what_only_the_old_one_would_end(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    runs = [begin(home, tmp_path, f"long {number}") for number in range(3)]
    assert rows(home) == [2, 1, 1]
    toy.version = "toy-2"
    for delivery in requests(home):
        home.bus.ack(delivery)  # lost
    assert recall_lapsed(home, parts_grace_s=0.0) == 3
    drain(home)
    assert [states(run_object(home, CTX, run))[LONG] for run in runs] == 3 * ["done"]
    assert recall_lapsed(home, parts_grace_s=0.0) == 0 and rows(home) == []


def test_the_sweep_asks_for_nothing_that_would_only_wait_again(home: Home, tmp_path: Path) -> None:
    for number in range(5):
        begin(home, tmp_path, f"long {number}", parts=3)
    assert rows(home) == [2, 1, 1], "two wait"
    assert recall_lapsed(home, parts_grace_s=0.0) == 3
    home.documents.put(f"{CTX.document_prefix}settings/pipeline", {"parts_at_once": "many"})
    assert recall_lapsed(home, parts_grace_s=0.0) == 5, (
        "settings that are none are told by the step"
    )


def test_for_one_free_row_one_of_many_is_asked_for(home: Home, tmp_path: Path) -> None:
    """A thousand that wait would otherwise be planned anew, each round, to find that they wait."""
    for number in range(7):
        begin(home, tmp_path, f"long {number}", parts=3)
    assert rows(home) == [2, 1, 1], "four wait"
    path = f"{CTX.document_prefix}part_rows/all"
    document = home.documents.get(path)
    assert document is not None
    *kept, (_gone, freed) = sorted(document.data["rows"].items(), key=lambda one: -one[1])
    home.documents.put(path, {"rows": dict(kept)})  # its worker died before it asked for others
    assert freed == 1
    assert recall_lapsed(home, parts_grace_s=0.0) == 3 + 1, "those that have rows, and one"
