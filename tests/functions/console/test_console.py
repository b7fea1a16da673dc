"""The console, looked at in a browser; and what it loads."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shared.pipeline import KINDS, STEPS
from tests.functions.console.browser import REPOSITORY, Served, axe_finds, upload_and_watch
from tests.functions.console.conftest import Opened

CONSOLE = REPOSITORY / "functions" / "console"
DEMO = REPOSITORY / "infra" / "demo" / "demo.mp4"
SHARED = REPOSITORY.parent / "shared" / "media"

PANELS = ("Transcript", "Faces", "Stems & mix", "Effects", "Comments", "Files", "Steps")

# One home, one browser, one uploaded recording for the whole file: the tests stay on one worker.
pytestmark = pytest.mark.timeout(600)


def test_vendored_files_are_those_of_the_lock() -> None:
    packages = json.loads((CONSOLE / "package-lock.json").read_text())["packages"]
    listed = json.loads((CONSOLE / "vendor" / "vendored.json").read_text())
    for row in listed:
        locked = packages[f"node_modules/{row['package']}"]
        assert (row["version"], row["integrity"]) == (locked["version"], locked["integrity"])
        content = (CONSOLE / "vendor" / row["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"], row["file"]
    there = {path.name for path in (CONSOLE / "vendor").iterdir()}
    assert there == {row["file"] for row in listed} | {"vendored.json"}
    licensed = {row["package"] for row in listed if row["file"].endswith("LICENSE")}
    assert licensed == {row["package"] for row in listed}


def test_the_lock_names_no_host() -> None:
    assert "resolved" not in (CONSOLE / "package-lock.json").read_text()


def test_nothing_is_named_that_lies_elsewhere() -> None:
    sources = [*CONSOLE.glob("*.html"), *CONSOLE.glob("js/*.js"), *CONSOLE.glob("css/*.css")]
    assert len(sources) > 20
    for path in sources:
        found = re.findall(r"(?:https?:)?//[\w.-]+\.\w{2,}", path.read_text())
        assert found == [], path.name


def test_the_page_has_no_inline_script_or_style() -> None:
    page = (CONSOLE / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []


@pytest.fixture(scope="module")
def demo(opened: Opened) -> str:
    """The id of the demo recording, uploaded through the page, its run watched to the end."""
    with opened() as page:
        return upload_and_watch(page, DEMO)


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


def test_steps_and_kinds_are_called_as_the_table_calls_them(opened: Opened) -> None:
    with opened() as page:
        shown = page.evaluate(_TITLES)
    assert shown["steps"] == [[row.name, row.title] for row in STEPS]
    assert shown["kinds"] == {kind.name: kind.title for kind in KINDS.values()}
    assert (shown["probe"], shown["gone"]) == ("Read", ["gone.step", "gone kind"])


def open_asset(page: Any, asset_id: str) -> None:
    page.evaluate("(id) => { location.hash = `#/assets/${id}` }", asset_id)
    page.locator("[aria-label^='Waveform,']:not([aria-label$='read'])").wait_for()


def panel(page: Any, title: str) -> Any:
    page.get_by_role("tab", name=title).click()
    return page.get_by_role("tabpanel")


def position_s(page: Any) -> float:
    minutes, seconds = page.locator("[data-test=position]").text_content().split(":")
    return 60 * float(minutes) + float(seconds)


def wait_for_position(page: Any, after_s: float) -> None:
    page.wait_for_function(
        """(after) => {
          const [m, s] = document.querySelector("[data-test=position]").textContent.split(":");
          return 60 * Number(m) + Number(s) > after;
        }""",
        arg=after_s,
    )


@pytest.mark.heavy
def test_a_run_is_watched_live(opened: Opened, demo: str, tmp_path: Path) -> None:
    tone = tmp_path / "tone, take 3 – ü.wav"
    source = ["-f", "lavfi", "-i", "sine=frequency=440:duration=3"]
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
def test_an_edited_word_is_stored(opened: Opened, served: Served, demo: str) -> None:
    before = served.content(demo, "transcribe.captions", "asr_transcript")
    edited = " ".join(["rushes", *before["cues"][0]["text"].split()[1:]])
    with opened() as page:
        open_asset(page, demo)
        panel(page, "Transcript")
        page.get_by_role("button", name="Edit line 1", exact=True).click()
        page.get_by_label("Text of line 1").fill(edited)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text(f"Saved as version {before['version'] + 1}").wait_for()
        page.locator("[data-lane=words]").get_by_text("rushes", exact=True).wait_for()
    after = served.content(demo, "transcribe.captions", "asr_transcript")
    assert after["version"] == before["version"] + 1
    assert after["cues"][0]["text"].split() == edited.split()
    assert after["words"][0]["start_ms"] == before["words"][0]["start_ms"]


@pytest.mark.heavy
def test_a_speaker_gets_a_name_that_the_files_know(
    opened: Opened, served: Served, demo: str
) -> None:
    """The demo has one channel and no weights for voices: who speaks is put in on the way."""
    (transcript,) = (
        one
        for one in map(served.artifact, served.newest(demo, "transcribe.captions")["artifact_ids"])
        if one["kind"] == "asr_transcript"
    )

    def said_by_somebody(route: Any) -> None:
        answer = route.fetch()
        body = answer.json()
        for cue in body["cues"]:
            cue["speaker_id"] = "channel_1"
        route.fulfill(response=answer, json=body)

    with opened() as page:
        page.route(f"**{transcript['links']['content']}", said_by_somebody)
        open_asset(page, demo)
        panel(page, "Transcript")
        page.get_by_label("Name of Speaker 1").first.fill("Eileen")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("Saved as version").wait_for()
    after = served.content(demo, "transcribe.captions", "asr_transcript")
    assert after["speaker_names"] == {"channel_1": "Eileen"}


@pytest.mark.heavy
def test_an_edit_that_does_not_fit_is_refused_in_plain_words(opened: Opened, demo: str) -> None:
    with opened() as page:
        open_asset(page, demo)
        panel(page, "Transcript")
        page.get_by_role("button", name="Edit line 1", exact=True).click()
        page.get_by_label("Text of line 1").fill("much too long " * 12)
        page.keyboard.press("Enter")
        page.keyboard.press("Control+s")
        page.locator("[role=tabpanel] .error-box", has_text="A setting does not fit").wait_for()
        steps = panel(page, "Steps").locator("[data-step='transcribe.captions']")
        steps.get_by_text("failed").wait_for()
        assert steps.get_by_role("button", name="Run again").count() > 0


@pytest.mark.heavy
def test_faces_are_kept_or_blurred(opened: Opened, served: Served, demo: str) -> None:
    with opened() as page:
        open_asset(page, demo)
        faces = panel(page, "Faces")
        again = faces.get_by_role("button", name="Render again")
        assert again.is_disabled()  # nothing is changed yet
        faces.get_by_label("Blur", exact=True).first.wait_for()
        faces.locator("select").select_option("solid")
        again.click()
        page.get_by_text("The video is rendered again").wait_for()
        assert served.content(demo, "anonymise.faces", "video_coverage_report")["preset"] == "solid"
        faces.get_by_label("Keep", exact=True).first.check()
        again.click()
        page.get_by_text("every face is set to be kept").wait_for()


@pytest.mark.heavy
def test_stems_play_together_with_solo_and_mute(opened: Opened, served: Served, demo: str) -> None:
    def track(name: str, role: str, start_ms: int) -> dict[str, Any]:
        clip = {"clip_id": name, "asset_id": demo, "source_start_ms": start_ms}
        return {
            "track_id": name,
            "role": role,
            "clips": [{**clip, "source_end_ms": start_ms + 8000}],
        }

    tracks = [track("host", "vox", 0), track("kit", "drums", 4000)]
    body = {"timeline": {"name": "Try", "tracks": tracks}, "asset_id": demo, "stems_export": True}
    assert served.run_on("/audio/render", body)["state"] == "done"
    silent = """(name) => {
      const bar = document.querySelector(`[data-stem="${name}"] .meter i`);
      return new DOMMatrix(getComputedStyle(bar).transform).a < 0.01;
    }"""
    with opened() as page:
        open_asset(page, demo)
        mixer = panel(page, "Stems & mix")
        mixer.get_by_role("button", name="Mix and its buses").click()
        wait_for_position(page, 1.0)
        assert not page.evaluate(silent, "Drums")
        assert not page.evaluate(silent, "Dialogue")
        mixer.get_by_role("button", name="Solo Drums").click()
        page.wait_for_function(silent, arg="Dialogue")
        assert not page.evaluate(silent, "Drums")
        mixer.get_by_role("button", name="Mute Drums").click()
        page.wait_for_function(silent, arg="Drums")


@pytest.mark.heavy
def test_the_keyboard_does_it_all(opened: Opened, demo: str) -> None:
    with opened() as page:
        open_asset(page, demo)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Shift+ArrowRight")
        page.wait_for_function("() => document.querySelector('video').currentTime === 6")
        page.keyboard.press(" ")
        wait_for_position(page, 6.1)
        page.keyboard.press(" ")
        page.wait_for_function("() => document.querySelector('video').paused")
        page.keyboard.press("Home")
        page.locator("[data-lane=loops] [role=listbox]").focus()
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        chosen = page.locator("[data-lane=loops] [aria-selected=true]")
        page.get_by_label("Chosen").get_by_text(re.compile("^Loop")).wait_for()
        assert chosen.count() == 1
        page.keyboard.press("?")
        page.get_by_role("dialog").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")


@pytest.mark.heavy
def test_the_focus_is_seen_on_every_stop(opened: Opened, demo: str) -> None:
    with opened() as page:
        open_asset(page, demo)
        stops = []
        for _ in range(30):
            page.keyboard.press("Tab")
            stops.append(page.evaluate(_FOCUSED))
        assert [stop for stop in stops if not stop["seen"]] == []
        assert [stop for stop in stops if not stop["named"]] == []
        assert sum(stop["role"] == "listbox" for stop in stops) >= 5


_FOCUSED = """() => {
  const one = document.activeElement;
  const style = getComputedStyle(one);
  const named = one.ariaLabel || one.textContent.trim() || one.labels?.length || one.title;
  return {html: one.outerHTML.slice(0, 120), role: one.getAttribute("role"), named: Boolean(named),
          seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1};
}"""


@pytest.mark.heavy
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_nothing_scrolls_sideways_on_a_phone(opened: Opened, demo: str, scheme: str) -> None:
    sideways = "() => document.documentElement.scrollWidth > innerWidth"
    with opened(width=390, height=844, scheme=scheme) as page:
        page.locator("a.row").first.wait_for()
        assert not page.evaluate(sideways)
        open_asset(page, demo)
        for title in PANELS:
            panel(page, title)
            assert not page.evaluate(sideways), title


@pytest.mark.heavy
@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (390, "light")])
def test_readers_of_a_screen_find_their_way(
    opened: Opened, demo: str, width: int, scheme: str
) -> None:
    with opened(width=width, height=900, scheme=scheme) as page:
        page.locator("a.row").first.wait_for()
        assert axe_finds(page) == []
        open_asset(page, demo)
        for title in PANELS:
            panel(page, title)
            if title == "Effects":
                page.get_by_role("button", name="Telephone").click()
                page.locator(".slider").first.wait_for()
            elif title == "Stems & mix":
                page.get_by_role("button", name="New mix").click()
                page.locator(".mix-track").first.wait_for()
            assert axe_finds(page) == [], title


@pytest.mark.heavy
def test_an_effect_is_heard_with_its_knobs_turned(
    opened: Opened, served: Served, demo: str
) -> None:
    with opened() as page:
        open_asset(page, demo)
        effects = panel(page, "Effects")
        effects.get_by_role("button", name="Telephone").click()
        knob = effects.locator(".knobs input[type=range]").first
        knob.focus()
        knob.press("End")
        page.evaluate("() => { window.heard = document.querySelector('video') }")
        effects.get_by_role("button", name="Hear it").click()
        page.wait_for_function("() => window.heard.currentTime > 0.2 && !window.heard.paused")
        chosen = page.get_by_label("Play", exact=True).locator("option:checked")
        assert "Telephone" in chosen.text_content()
        page.get_by_role("button", name="Hear the original").click()
        page.wait_for_function("() => window.heard.src.endsWith('/media')")
    (made,) = served.get(f"/assets/{demo}/artifacts?kind=audio_fx")["artifacts"]
    assert made["meta"]["preset_id"] == "telephone"


@pytest.mark.heavy
def test_a_mix_is_put_together_and_heard(opened: Opened, served: Served, demo: str) -> None:
    with opened() as page:
        open_asset(page, demo)
        mixer = panel(page, "Stems & mix")
        mixer.get_by_role("button", name="New mix").click()
        form = mixer.get_by_role("form", name="A new mix")
        form.get_by_role("button", name="Track").click()
        second = form.get_by_role("listitem", name="Track 2")
        second.get_by_label("Role").select_option("music")
        second.get_by_label("Starts, s").fill("4")
        form.get_by_label("Mix").select_option("default_mix")
        duck = form.get_by_label("Music gives way to voices by")
        duck.focus()
        duck.press("End")
        form.get_by_role("button", name="Mix", exact=True).click()
        page.locator(".toast", has_text="ix").wait_for()  # "The mix is made", or what it lacks
        mixer.get_by_role("button", name="Mix and its buses").click()
        wait_for_position(page, 0.5)
    stems = served.get(f"/assets/{demo}/artifacts?kind=audio_bus_stem")["artifacts"]
    assert {"bus_dialogue", "bus_music"} <= {one["meta"]["bus_id"] for one in stems}


@pytest.mark.heavy
def test_a_comment_stands_at_its_moment_and_a_guest_sees_the_results(
    opened: Opened, served: Served, demo: str
) -> None:
    with opened() as page:
        open_asset(page, demo)
        page.keyboard.press("Shift+ArrowRight")
        panel(page, "Comments").get_by_label("Comment", exact=True).fill("louder here")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Play from 0:05.0").wait_for()
        page.get_by_role("button", name="Share by a link").click()
        page.get_by_role("button", name="Make the link").click()
        address = page.get_by_label("address").input_value()
        assert axe_finds(page) == []
        page.goto(address)
        page.get_by_role("heading", name="demo").wait_for()
        page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    (comment,) = served.get(f"/assets/{demo}/comments")["comments"]
    assert (comment["at_ms"], comment["text"]) == (5000, "louder here")


@pytest.mark.heavy
def test_words_are_found_and_replaced(opened: Opened, served: Served, demo: str) -> None:
    cues = served.content(demo, "transcribe.captions", "asr_transcript")["cues"]
    word = cues[-1]["text"].split()[0]
    with opened() as page:
        open_asset(page, demo)
        panel(page, "Transcript")
        page.get_by_label("Find in the transcript").fill(word.upper())
        page.get_by_label("Replace by").fill("instead")
        page.get_by_role("button", name="Replace all").click()
        page.locator(f"[data-cue='{cues[-1]['index']}']").get_by_text("instead").wait_for()
        page.get_by_role("button", name="Discard").click()
        page.get_by_role("tabpanel").get_by_text("Download").click()
        names = page.locator(".menu a").evaluate_all("links => links.map((one) => one.download)")
    assert {"demo.srt", "demo.vtt"} <= set(names)


@pytest.mark.heavy
def test_dark_and_light(opened: Opened, demo: str) -> None:
    ground = "() => getComputedStyle(document.documentElement).backgroundColor"
    seen = []
    for scheme in ("dark", "light"):
        with opened(scheme=scheme) as page:
            seen.append(page.evaluate(ground))
            page.get_by_role("button", name=re.compile("^Theme")).click()
            assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
            seen.append(page.evaluate(ground))
    dark, chosen_dark, light, also_dark = seen
    assert dark == chosen_dark == also_dark != light


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
