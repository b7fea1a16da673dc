"""The list of recordings in a browser, and uploads that outlive their server; with toys for steps."""

from __future__ import annotations

import hashlib
import random
import time
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.step import Run, StepRecord, StepState
from shared.runs.records import open_run
from shared.runs.views import list_assets
from shared.steps.preparing import asset_path
from shared.steps.step_records import plan_records
from tests.functions.console.browser import axe_finds
from tests.functions.console.conftest import CTX, ToyServer
from tests.toy import drain, run_file

MANY = 300
PIECE_BYTES = 8 << 20

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def stocked(toy_server: ToyServer, tmp_path: Path) -> ToyServer:
    """Three hundred recordings; of every tenth nothing could be made, and no run is new."""
    home = toy_server.home
    asset = asset_path(CTX, run_file(home, tmp_path, ctx=CTX, steps=("probe",))["asset_id"])
    document = home.documents.get(asset)
    assert document is not None
    for number in range(1, MANY):
        one = f"ast_{number:032x}"
        source = {"key": f"k/{number}", "generation": 1, "name": f"Interview {number:03d}.wav"}
        data = {**document.data, "asset_id": one, "bytes": number, "sources": [source]}
        home.documents.create(asset_path(CTX, one), data)
        if number % 10 == 0:
            failed_run(toy_server, one, at=float(number))
    return toy_server


def failed_run(server: ToyServer, asset_id: str | None, *, at: float) -> None:
    run = Run(
        run_id=f"run_{asset_id or 'refused'}",
        tenant_id=CTX.tenant_id,
        env=CTX.env,
        source="notes.wav",
        asset_id=asset_id,
        planned=("toy.one",),
        created_at=at,
    )
    error = {"code": "unsupported_media", "message": "it is no recording that ffmpeg knows"}
    record = StepRecord(step="toy.one", state=StepState.FAILED, error=error)
    open_run(server.home.documents, CTX, run)
    plan_records(server.home.documents, CTX, run.run_id, [record])


def names(page: Any) -> list[str]:
    return list(page.locator("a.row .row-name").all_text_contents())


@pytest.mark.heavy
def test_what_is_off_the_screen_is_not_drawn(stocked: ToyServer, browser: Any) -> None:
    with stocked.page(browser) as page:
        page.get_by_text(f"Recordings {MANY}").wait_for()
        page.get_by_label("Order").select_option("name")
        page.get_by_text("Interview 001.wav").wait_for()
        assert len(names(page)) < 40
        page.evaluate("() => scrollTo(0, document.documentElement.scrollHeight)")
        page.get_by_text("Interview 299.wav").wait_for()
        assert len(names(page)) < 40 and "Interview 001.wav" not in names(page)


@pytest.mark.heavy
def test_recordings_are_searched_filtered_and_sorted(stocked: ToyServer, browser: Any) -> None:
    with stocked.page(browser) as page:
        search = page.get_by_label("Search recordings")
        search.fill("29 INTER")
        page.get_by_text(f"Recordings 13 of {MANY}").wait_for()  # 029, 129, 229, and from 290 on
        page.get_by_label("State").select_option("failed")
        page.get_by_text(f"Recordings 1 of {MANY}").wait_for()
        assert names(page) == ["Interview 290.wav"]
        search.fill("nothing like it")
        page.get_by_role("button", name="Show all").click()
        page.get_by_label("Order").select_option("largest")
        page.get_by_text(f"Recordings {MANY}").wait_for()
        assert names(page)[0] == "Interview 299.wav"
        page.reload()
        page.get_by_text(f"Recordings {MANY}").wait_for()
        assert names(page)[0] == "Interview 299.wav"  # how it was sorted is kept


_FOUND = """async ({names, search}) => {
  const own = document.querySelector("script[type=module]").src;
  const {picked} = await import(new URL("recording-list.js", own));
  return picked(names.map((name) => ({name})), {search, sort: "name"}).map(({name}) => name);
}"""


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("search", "expected"),
    [("cafe", ["CAFE.wav", "Café.wav"]), ("दिन", ["दिन.wav"]), ("ปู", ["ปู.wav"])],
)
def test_a_search_passes_over_accents_and_not_over_vowel_signs(
    toy_server: ToyServer, browser: Any, search: str, expected: list[str]
) -> None:
    names = ["Café.wav", "CAFE.wav", "दिन.wav", "दीन.wav", "ปี.wav", "ปู.wav"]
    with toy_server.page(browser) as page:
        found = page.evaluate(_FOUND, {"names": names, "search": search})
        assert sorted(found) == expected


@pytest.mark.heavy
def test_what_failed_says_why_until_it_is_dismissed(toy_server: ToyServer, browser: Any) -> None:
    failed_run(toy_server, None, at=time.time())
    with toy_server.page(browser) as page:
        card = page.locator("[data-run]", has_text="notes.wav")
        card.get_by_text("This is not a recording that can be read").wait_for()
        page.get_by_role("button", name="Dismiss notes.wav").click()
        card.wait_for(state="detached")
        page.reload()
        page.get_by_text("Drop recordings anywhere").wait_for()
        assert card.count() == 0
    with toy_server.page(browser) as page:  # somebody else's browser
        page.get_by_text("Drop recordings anywhere").wait_for()
        assert page.locator("[data-run]").count() == 0


@pytest.mark.heavy
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_readers_of_a_screen_find_their_way(
    stocked: ToyServer, browser: Any, width: int, scheme: str
) -> None:
    with stocked.page(browser, width=width, scheme=scheme) as page:
        page.get_by_text(f"Recordings {MANY}").wait_for()
        assert axe_finds(page) == []
        page.get_by_role("link", name="Settings").click()
        page.get_by_role("heading", name="Models").wait_for()
        assert axe_finds(page) == []
        page.keyboard.press("?")
        page.get_by_role("dialog").wait_for()
        assert axe_finds(page) == []


@pytest.mark.heavy
def test_settings_are_kept(toy_server: ToyServer, browser: Any) -> None:
    with toy_server.page(browser) as page:
        page.get_by_role("link", name="Settings").click()
        page.get_by_role("checkbox", name="Toy three").uncheck()
        page.get_by_text("Saved").wait_for()
        page.reload()
        page.get_by_role("button", name="As delivered").wait_for()
        assert not page.get_by_role("checkbox", name="Toy three").is_checked()
        assert page.get_by_role("checkbox", name="Toy one").is_checked()


def break_second_piece(route: Any) -> None:
    sent = route.request.headers.get("content-range", "")
    route.abort() if sent.startswith(f"bytes {PIECE_BYTES}-") else route.continue_()


@pytest.mark.heavy
def test_an_upload_goes_on_when_the_server_is_back(
    toy_server: ToyServer, browser: Any, tmp_path: Path
) -> None:
    path = tmp_path / "long take.wav"
    path.write_bytes(random.Random(1).randbytes(PIECE_BYTES + 12_345))
    with toy_server.page(browser, breaks=True) as page:
        page.context.route("**/uploads/*", break_second_piece)
        page.set_input_files("[data-test=file]", path)
        upload = page.locator("[data-upload=away]", has_text=path.name)
        upload.get_by_text("waiting for the server").wait_for()
        toy_server.stop()
        page.context.unroute("**/uploads/*")
        toy_server.start()
        page.locator("[data-upload=done]").wait_for()
        drain(toy_server.home)
        page.locator("a.row", has_text=path.name).wait_for()
    (asset,) = list_assets(toy_server.home.documents, CTX)
    assert asset.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.heavy
def test_an_upload_goes_on_after_a_reload_once_its_file_is_chosen_again(
    toy_server: ToyServer, browser: Any, tmp_path: Path
) -> None:
    path = tmp_path / "long take.wav"
    path.write_bytes(random.Random(2).randbytes(PIECE_BYTES + 54_321))
    with toy_server.page(browser, breaks=True) as page:
        page.context.route("**/uploads/*", break_second_piece)
        page.set_input_files("[data-test=file]", path)
        page.locator("[data-upload=away]").wait_for()
        page.reload()  # while the piece still fails: none goes by itself in between
        page.context.unroute("**/uploads/*")
        cut = page.locator("[data-upload=cut]", has_text=path.name)
        cut.get_by_text("choose the file again").wait_for()
        sent: list[str] = []
        page.on("request", lambda one: sent.append(one.headers.get("content-range", "")))
        cut.get_by_label(f"Choose {path.name} again").set_input_files(path)
        page.locator("[data-upload=done]").wait_for()
        drain(toy_server.home)
        page.locator("a.row", has_text=path.name).wait_for()
    assert any(one.startswith(f"bytes {PIECE_BYTES}-") for one in sent)
    assert not any(one.startswith("bytes 0-") for one in sent)
