"""The console, looked at in a browser: a recording from its upload on, its layers, its sound."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from shared.pipeline import KINDS, STEPS
from tests.functions.console.browser import (
    REPOSITORY,
    Served,
    open_asset,
    panel,
    position_s,
    upload_and_watch,
    wait_for_position,
)
from tests.functions.console.conftest import Opened

SHARED = REPOSITORY.parent / "shared" / "media"


pytestmark = pytest.mark.timeout(600)


_TITLES = """async () => {
  const own = document.querySelector("script[type=module]").src;
  const {pipeline, stepTitle, kindTitle} = await import(new URL("pipeline.js", own));
  if (pipeline.get().length === 0) await new Promise((done) => pipeline.subscribe(done));
  const kinds = pipeline.get().flatMap((row) => row.produces);
  return {
    steps: pipeline.get().map((row) => [row.step, stepTitle(row.step)]),
    kinds: Object.fromEntries(kinds.map((kind) => [kind, kindTitle(kind)])),
    probe: stepTitle("probe"),
    gone: [stepTitle("gone.step"), kindTitle("gone_kind")],
  };
}"""


@pytest.mark.heavy
def test_steps_and_kinds_are_called_as_the_table_calls_them(opened: Opened) -> None:
    with opened() as page:
        shown = page.evaluate(_TITLES)
    assert shown["steps"] == [[row.name, row.title] for row in STEPS]
    assert shown["kinds"] == {kind.name: kind.title for kind in KINDS.values()}
    assert (shown["probe"], shown["gone"]) == ("Read", ["gone.step", "gone kind"])


@pytest.mark.heavy
def test_a_run_is_watched_live(opened: Opened, demo: str, tmp_path: Path) -> None:
    """Five minutes: what is done at once goes from among the runs before anybody sees it there."""
    tone = tmp_path / "tone, take 3 – ü.wav"
    source = ["-f", "lavfi", "-i", "sine=frequency=440:duration=300"]
    subprocess.run(["ffmpeg", "-v", "error", *source, str(tone)], check=True)
    with opened() as page:
        page.set_input_files("[data-test=file]", tone)
        run = page.locator("[data-run]", has_text=tone.name)
        run.locator(".pill[data-step='probe'].done").wait_for()
        row = page.locator("a.row", has_text=tone.name)
        row.locator(".row-state.done").wait_for()
        run.wait_for(state="detached")  # what has finished well is a recording, not a run


@pytest.mark.heavy
def test_layers_show_what_was_found(opened: Opened, served: Served, demo: str) -> None:
    hits = served.content(demo, "detect.hits", "audio_hits")["segments"]
    words = served.content(demo, "transcribe.captions", "asr_transcript")["words"]
    with opened() as page:
        open_asset(page, demo)
        assert page.locator("[data-lane=hits] [role=option]").count() == len(hits)
        assert page.locator("[data-lane=words] [role=option]").count() == len(words)
        for lane in ("events", "phrases", "loops", "beats", "shots", "faces"):
            assert page.locator(f"[data-lane={lane}] [role=option]").count() > 0, lane
        box = page.locator("[data-lane=loops] [role=option]").first.bounding_box()
        body = page.locator("[data-lane=loops] .tl-body").bounding_box()
        loop = served.content(demo, "detect.loops", "audio_loops")
        expected = loop["segments"][0]["start_ms"] / loop["duration_ms"]
        assert (box["x"] - body["x"]) / body["width"] == pytest.approx(expected, abs=0.005)


@pytest.mark.heavy
def test_a_layer_can_be_switched_off_and_stays_so(opened: Opened, demo: str) -> None:
    with opened() as page:
        open_asset(page, demo)
        page.get_by_role("button", name="Hits").click()
        page.locator("[data-lane=hits]").wait_for(state="detached")
        page.reload()
        page.locator("[data-lane=loops]").wait_for()
        assert page.locator("[data-lane=hits]").count() == 0
        page.keyboard.press("6")  # the sixth layer
        page.locator("[data-lane=hits]").wait_for()


@pytest.mark.heavy
def test_a_hit_plays_by_itself(opened: Opened, served: Served, demo: str) -> None:
    hit = served.content(demo, "detect.hits", "audio_hits")["segments"][20]
    with opened() as page:
        open_asset(page, demo)
        page.locator("[data-lane=hits] [role=option]").nth(20).click()
        wait_for_position(page, hit["start_ms"] / 1000 + 0.05)
        page.get_by_role("button", name="Play", exact=True).first.wait_for()  # it ends by itself
        assert position_s(page) == pytest.approx(hit["start_ms"] / 1000, abs=0.05)


@pytest.mark.heavy
def test_a_word_plays_out_of_the_recording(opened: Opened, served: Served, demo: str) -> None:
    word = served.content(demo, "transcribe.captions", "asr_transcript")["words"][-1]
    with opened() as page:
        open_asset(page, demo)
        page.evaluate("() => { window.heard = document.querySelector('video') }")
        page.locator("[data-lane=words] [role=option]").last.click()
        page.wait_for_function(
            "(ms) => window.heard.currentTime * 1000 >= ms", arg=word["start_ms"]
        )
        page.wait_for_function("() => window.heard.paused")
        end_s = page.evaluate("() => window.heard.currentTime")
        assert end_s < word["end_ms"] / 1000 + 0.5


@pytest.mark.heavy
def test_what_is_no_recording_is_refused_in_plain_words(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "notes.wav"
    path.write_bytes(b"these are my notes, not a recording" * 40)
    with opened() as page:
        page.set_input_files("[data-test=file]", path)
        run = page.locator("[data-run]", has_text="notes.wav")
        run.get_by_text("This is not a recording that can be read").wait_for()


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["music/Kevin_MacLeod_-_Vibe_Ace.ogg", "faces_video/sister.mkv"])
def test_recordings_of_others(opened: Opened, name: str) -> None:
    path = SHARED / name
    if not path.exists():
        pytest.skip("the shared recordings are not on this machine")
    with opened() as page:
        asset_id = upload_and_watch(page, path)
        page.evaluate("(id) => { location.hash = `#/assets/${id}` }", asset_id)
        page.locator("[data-lane] [role=option]").first.click()
        wait_for_position(page, 0.02)


@pytest.mark.heavy
def test_a_photograph_is_shown_and_so_is_what_covers_it(opened: Opened) -> None:
    path = SHARED / "faces" / "astronaut.png"
    if not path.exists():
        pytest.skip("the shared recordings are not on this machine")
    with opened() as page:
        asset_id = upload_and_watch(page, path)
        page.locator(f"[data-asset='{asset_id}'] canvas").wait_for()
        page.evaluate("(id) => { location.hash = `#/assets/${id}` }", asset_id)
        shown = "() => document.querySelector('.viewer img')?.naturalWidth > 0"
        page.wait_for_function(shown)
        page.get_by_role("button", name="Show the result").click()
        page.wait_for_function("() => document.querySelector('.viewer img').src.includes('art_')")
        page.wait_for_function(shown)
        assert page.get_by_role("button", name="Play", exact=True).count() == 0


@pytest.mark.heavy
def test_a_pattern_is_heard_by_its_instruments(opened: Opened) -> None:
    with opened() as page:
        pattern = REPOSITORY / "docs" / "examples" / "rehearsal.json"
        asset_id = upload_and_watch(page, pattern)
        page.evaluate("(id) => { location.hash = `#/assets/${id}` }", asset_id)
        panel(page, "Stems & mix").get_by_role("button", name="Instruments").click()
        wait_for_position(page, 0.3)
        page.get_by_role("button", name="Solo Bass").click()
        assert page.get_by_role("tab", name="Effects").count() == 0
