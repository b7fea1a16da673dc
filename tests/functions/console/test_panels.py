"""The panels below a recording: what people change there, and what they hear."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functions.console.browser import (
    RUN_MS,
    Served,
    axe_finds,
    open_asset,
    panel,
    wait_for_position,
)
from tests.functions.console.conftest import Opened

pytestmark = pytest.mark.timeout(600)


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
        faces.get_by_label("Strength").select_option("solid")
        faces.get_by_label("Soft edges").check()
        again.click()
        page.get_by_text("The video is rendered again").wait_for()
        assert served.content(demo, "anonymise.faces", "video_coverage_report")["preset"] == "solid"
        covered = map(served.artifact, served.newest(demo, "anonymise.faces")["artifact_ids"])
        assert 0 < next(one["meta"].get("soft_edge", 0) for one in covered) < 1
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
def test_an_effect_is_heard_with_its_knobs_turned(
    opened: Opened, served: Served, demo: str
) -> None:
    with opened() as page:
        open_asset(page, demo)
        effects = panel(page, "Effects")
        effects.get_by_role("button", name="Telephone", exact=True).click()
        knob = effects.locator(".knobs input[type=range]").first
        knob.focus()
        knob.press("End")
        page.evaluate("() => { window.heard = document.querySelector('video') }")
        effects.get_by_role("button", name="Try ten seconds").click()
        effects.get_by_role("button", name="Without it").wait_for()
        assert served.get(f"/assets/{demo}/artifacts?kind=audio_fx")["artifacts"] == []
        effects.get_by_role("button", name="Make it whole").click()
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
def test_a_line_is_parted_at_the_cursor_and_joined_again(
    opened: Opened, served: Served, demo: str
) -> None:
    def cues() -> list[str]:
        told = served.content(demo, "transcribe.captions", "asr_transcript")
        return [cue["text"].replace("\n", " ") for cue in told["cues"]]

    before = cues()
    words = before[0].split()
    with opened() as page:
        open_asset(page, demo)
        panel(page, "Transcript")
        page.get_by_role("button", name="Edit line 1", exact=True).click()
        field = page.get_by_label("Text of line 1")
        field.evaluate("(one, at) => one.setSelectionRange(at, at)", len(" ".join(words[:2])))
        page.get_by_role("button", name="Split at the cursor").click()
        page.get_by_text("Saved as version").wait_for()
        page.locator("[data-cue='2']", has_text=words[2]).wait_for()
        assert cues() == [" ".join(words[:2]), " ".join(words[2:]), *before[1:]]
        page.get_by_role("button", name="Edit line 1", exact=True).click()
        page.get_by_role("button", name="Join with the next").first.click()
        page.locator("[data-cue='1']", has_text=before[0]).wait_for()
    assert cues() == before


@pytest.mark.heavy
def test_words_are_cut_heard_and_taken_back(opened: Opened, served: Served, demo: str) -> None:
    words = served.content(demo, "transcribe.words", "audio_words")["words"]
    with opened() as page:
        open_asset(page, demo)
        cuts = panel(page, "Cut")
        whole = cuts.locator(".cut-bar output").text_content()
        cuts.locator("[data-cut-word='1']").click()
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Delete")
        wait_for_position(page, words[3]["start_ms"] / 1000)  # behind the join
        assert cuts.locator(".cut-word.gone").count() == 2
        assert cuts.locator(".cut-bar output").text_content() != whole
        assert axe_finds(page) == []
        page.get_by_role("button", name="Play", exact=True).wait_for()  # it has ended by itself
        cuts.get_by_role("listbox").focus()
        page.keyboard.press("Control+z")
        assert cuts.locator(".cut-word.gone").count() == 0
        page.get_by_role("button", name="Redo").click()
        cuts.get_by_role("button", name="List the cuts").click()
        cuts.locator(".cut-bar", has_text="version 1").wait_for()
        cuts.get_by_role("button", name="Render", exact=True).click()
        cuts.locator("figure.made", has_text="Rendered of version 1").wait_for(timeout=RUN_MS)
        made = cuts.locator("figure.made video")
        made.evaluate("video => new Promise((shown) => (video.onloadeddata = shown, video.load()))")
        shown_s = made.evaluate("video => video.duration")
    (listed,) = served.get(f"/assets/{demo}/artifacts?kind=edit_list")["artifacts"]
    assert listed["meta"]["edits"]["word"] == 1
    assert shown_s == pytest.approx(listed["meta"]["new_duration_ms"] / 1000, abs=0.1)
