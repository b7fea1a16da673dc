"""The page of a results folder: says what there is, and runs nothing that was recorded or typed."""

from __future__ import annotations

import re

from shared.contracts.step import StepState
from shared.runs.heard import Layer, Loudness, Mark, heard, layers, loudness_of, spoken_text
from shared.runs.results_page import Listed, Page, results_page
from shared.runs.standing import Standing
from tests.shared.runs.made import asset

EVIL = "<script>alert(1)</script>\"'&"
TRANSCRIPT = {
    "words": [
        {"start_ms": 300, "end_ms": 700, "text": EVIL},
        {"start_ms": 800, "end_ms": 900, "text": "so"},
    ],
    "cues": [
        {"start_ms": 300, "end_ms": 900, "text": f"{EVIL} so", "first_word": 0, "word_count": 2}
    ],
}


def test_everything_is_escaped_and_links_stay_in_the_folder() -> None:
    page = results_page(
        Page(
            EVIL,
            asset(f"{EVIL}.flac"),
            [Standing("transform.fx", StepState.FAILED, error=EVIL, made_from=EVIL)],
            [
                Listed(f"{EVIL} normalised.wav", 5, "audio/wav"),
                Listed(f"pictures/{EVIL}.png", 5, "image/png", EVIL),
                Listed("javascript:alert(1).txt", 5),
            ],
            [EVIL],
            Loudness(-20.0, -16.0),
            [Layer(EVIL, [Mark(0, 500, EVIL)])],
            TRANSCRIPT,
        )
    )
    assert page.count("<script>") == page.count("</script>") == 1
    assert "alert(1)</" not in page.replace("alert(1)&lt;/", "")
    for link in re.findall(r'(?:href|src|data-src)="([^"]*)"', page):
        assert link.startswith("./") and "<" not in link
    assert "http:" not in page and "https:" not in page
    assert 'data-ms="300" data-end-ms="700"' in page and "-20.0 LUFS → -16.0 LUFS" in page


def test_what_was_heard_is_told_in_few_words() -> None:
    event = {"kind": "speech", "start_ms": 0, "end_ms": 34_000}
    music = {"kind": "music", "start_ms": 34_000, "end_ms": 39_000}
    loops = {"bpm": 126.2, "segments": [{"start_ms": 0, "end_ms": 2000}]}
    timeline = {"events": [event, music], "tempi": []}
    told = heard({"audio_semantic_timeline": timeline, "audio_loops": loops})
    assert told == ["speech 34 s", "music 5 s", "126 BPM"]
    of_speech = {"audio_semantic_timeline": {"events": [event], "tempi": []}, "audio_loops": loops}
    assert heard(of_speech) == ["speech 34 s"], "a talk has no tempo"
    speakers = [{"speaker_id": "channel_1"}, {"speaker_id": "channel_2"}]
    assert heard({"asr_transcript": {"words": speakers}}) == ["2 speakers"]
    assert [layer.name for layer in layers(of_speech)] == ["speech", "loops"]


def test_loudness_before_and_after() -> None:
    silent = {"integrated_lufs": None, "true_peak_dbtp": None, "loudness_range_lu": None}
    loud = {"integrated_lufs": -16.04, "true_peak_dbtp": -1.0, "loudness_range_lu": 3.0}
    assert loudness_of({}, None) is None
    assert str(loudness_of({"audio_loudness": silent}, None)) == "silent"
    assert str(loudness_of({}, {"before": loud, "after": loud})) == "-16.0 LUFS → -16.0 LUFS"


def test_plain_text_has_a_paragraph_a_pause_and_a_speaker() -> None:
    def cue(start_ms: int, text: str, speaker: str | None = None) -> dict[str, object]:
        return {"start_ms": start_ms, "end_ms": start_ms + 500, "text": text, "speaker_id": speaker}

    assert spoken_text({"cues": []}) == ""
    near = spoken_text({"cues": [cue(0, "and\nso"), cue(600, "my fellow"), cue(9000, "ask not")]})
    assert near == "and so my fellow\n\nask not\n"
    two = spoken_text({"cues": [cue(0, "who", "channel_1"), cue(600, "me", "channel_2")]})
    assert two == "channel 1: who\n\nchannel 2: me\n"
