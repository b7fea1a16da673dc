"""The parts of a run's long step, over HTTP: where each stands, in pages, and for its tenant alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from functions.api.shapes import PartsAnswer
from tests.functions.api.conftest import Desk
from tests.functions.api.test_reading import paged
from tests.shared.steps.test_parts import begin, do, pulled


@pytest.fixture
def desk(desk_of: Callable[..., Desk]) -> Desk:
    """Two parts at a time."""
    return desk_of(parts_at_once=2)


def standing(desk: Desk, path: str) -> PartsAnswer:
    return PartsAnswer.model_validate(desk.client.get(path).json())


def test_each_part_is_told_where_it_stands(desk: Desk) -> None:
    path = f"/runs/{begin(desk.home, desk.folder)}/steps/toy.long/parts"
    first, second = pulled(desk.home)
    do(desk.home, first.message)
    told = standing(desk, path)
    assert (told.step, told.state, told.at_once, told.next) == ("toy.long", "running", 2, None)
    assert [part.number for part in told.parts] == [1, 2, 3, 4, 5]
    assert [part.state for part in told.parts] == ["done", *4 * ["queued"]]
    assert (told.parts[0].progress, told.parts[0].tries) == (1.0, 1)
    assert (told.parts[4].start_ms, told.parts[4].end_ms) == (4000, 5000)
    assert paged(desk, path, "parts") == desk.client.get(path).json()["parts"]
    do(desk.home, second.message)
    desk.drained()
    told = standing(desk, path)
    assert told.state == "done" and {part.state for part in told.parts} == {"done"}


@pytest.mark.allow_error_logs
def test_what_failed_is_told_with_its_part(desk: Desk) -> None:
    path = (
        f"/runs/{begin(desk.home, desk.folder, fail='permanent', fail_part=1)}/steps/toy.long/parts"
    )
    desk.drained()
    told = standing(desk, path)
    assert told.error is not None and told.error.code == "backend_failed"
    assert [part.number for part in told.parts if part.state == "failed"] == [2]
    assert told.parts[1].error == told.error and told.parts[0].error is None


def test_what_is_done_in_one_piece_has_no_parts(desk: Desk) -> None:
    run = desk.recording(steps=("toy.one",))
    told = standing(desk, f"/runs/{run['run_id']}/steps/toy.one/parts")
    assert (told.state, told.at_once, told.parts, told.next) == ("done", 0, [], None)


@pytest.mark.parametrize(
    ("step", "query", "status"),
    [
        ("toy.one", "", 404),
        ("toy.none", "", 404),
        ("../../toy.long", "", 404),
        ("Toy", "", 422),
        ("toy.long", "?after=6", 422),
        ("toy.long", "?after=01", 422),
        ("toy.long", "?limit=0", 422),
    ],
)
def test_what_the_run_does_not_have_is_refused(
    desk: Desk, step: str, query: str, status: int
) -> None:
    run_id = begin(desk.home, desk.folder)
    answer = desk.client.get(f"/runs/{run_id}/steps/{step}/parts{query}")
    assert answer.status_code == status and set(answer.json()) == {"error"}


def test_another_tenants_run_is_not_there(desk: Desk) -> None:
    path = f"/runs/{begin(desk.home, desk.folder)}/steps/toy.long/parts"
    answer = desk.as_tenant("t2").get(path)
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "not_found"
    assert desk.client.get(path).status_code == 200


def test_unchanged_parts_are_not_sent_again(desk: Desk) -> None:
    path = f"/runs/{begin(desk.home, desk.folder)}/steps/toy.long/parts"
    etag = desk.client.get(path).headers["etag"]
    assert desk.client.get(path, headers={"If-None-Match": etag}).status_code == 304
    (first, *_) = pulled(desk.home)
    do(desk.home, first.message)
    assert desk.client.get(path, headers={"If-None-Match": etag}).status_code == 200
