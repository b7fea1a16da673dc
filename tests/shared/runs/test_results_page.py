"""The page of a results folder: says what there is, and runs nothing that was recorded or typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from shared.contracts import audio_loudness
from shared.contracts.asr_transcript import Transcript
from shared.contracts.detections import LoopDetections
from shared.contracts.semantic_timeline import SemanticTimeline
from shared.contracts.step import StepState
from shared.runs.heard import (
    Findings,
    Layer,
    Mark,
    first_words,
    heard,
    layers,
    loudness_text,
)
from shared.runs.results_page import Listed, Page, results_page
from shared.runs.standing import Standing
from tests.shared.runs.made import asset

EVIL = "<script>alert(1)</script>\"'&"
WORD = {"probability": 0.9, "timing": "aligned"}


def transcript(
    cues: list[dict[str, object]], words: Sequence[dict[str, object]] = ()
) -> Transcript:
    told = {
        "duration_ms": 12_000,
        "language": "en",
        "model_used": "m",
        "words": list(words),
        "cues": cues,
    }
    return Transcript.model_validate(told)


TRANSCRIPT = transcript(
    [{"index": 1, "start_ms": 300, "end_ms": 900, "text": "so", "first_word": 0, "word_count": 2}],
    [
        {"start_ms": 300, "end_ms": 700, "text": EVIL, **WORD},
        {"start_ms": 800, "end_ms": 900, "text": "so", **WORD},
    ],
)


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
            "-20.0 LUFS → -16.0 LUFS",
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
    assert "0:00.3" in page and "0:12.0" in page
    assert '<rect x="0" width="488" height="10">' in page, "so that neighbours don't touch"


def timeline(*kinds: str) -> SemanticTimeline:
    events = [
        {"kind": kind, "start_ms": 34_000 * n, "end_ms": 34_000 * n + 5000 * (n + 1)}
        for n, kind in enumerate(kinds)
    ]
    return SemanticTimeline.model_validate({"duration_ms": 90_000, "events": events})


def test_what_was_heard_is_told_in_few_words() -> None:
    loop = {"start_ms": 0, "end_ms": 2000, "score": 1, "confidence": 1, "bpm": 126, "bars": 1}
    segment = {**loop, "beats_per_bar": 4, "beats_ms": []}
    told = {"duration_ms": 9, "segment_count": 1, "bpm": 126.2, "segments": [segment]}
    loops = LoopDetections.model_validate(told)
    of_both = Findings(timeline=timeline("speech", "music"), loops=loops)
    assert heard(of_both) == ["speech 5 s", "music 10 s", "126 BPM"]
    of_speech = Findings(timeline=timeline("speech"), loops=loops)
    assert heard(of_speech) == ["speech 5 s"], "a talk has no tempo"
    words = [
        {"start_ms": n, "end_ms": n + 1, "text": "x", "speaker_id": f"channel_{n}", **WORD}
        for n in (1, 2)
    ]
    assert heard(Findings(transcript=transcript([], words))) == ["2 speakers"]
    assert [layer.name for layer in layers(of_speech)] == ["speech", "loops"]


def test_what_was_said_begins_a_line() -> None:
    assert first_words("") == ""
    assert first_words("Drop in\n\nyour own.\n") == "Drop in your own."
    assert first_words("ask not " * 20) == "ask not " * 9 + "ask not …"
    assert first_words("日" * 100) == "日" * 80 + " …"


def test_loudness_before_and_after() -> None:
    silent = {"integrated_lufs": None, "true_peak_dbtp": None, "loudness_range_lu": None}
    loud = {"integrated_lufs": -16.04, "true_peak_dbtp": -1.0, "loudness_range_lu": 3.0}
    measured = Findings(loudness=audio_loudness.Loudness.model_validate(silent))
    assert loudness_text(Findings(), None) is None
    assert loudness_text(measured, None) == "silent"
    assert loudness_text(measured, {"before": loud, "after": loud}) == "-16.0 LUFS → -16.0 LUFS"


def test_what_is_too_short_to_have_a_loudness_is_not_called_silent() -> None:
    short = {"integrated_lufs": None, "loudness_range_lu": None, "true_peak_dbtp": -6.0}
    told = audio_loudness.Loudness.model_validate({**short, "undefined": "shorter than 400 ms"})
    assert loudness_text(Findings(loudness=told), None) == "shorter than 400 ms"


def test_a_minute_and_more_is_told_in_minutes_and_seconds() -> None:
    """The end of the first event is 5 s, of the second 10 s behind its start, and so on."""
    assert heard(Findings(timeline=timeline(*["speech"] * 4))) == ["speech 50 s"]
    assert heard(Findings(timeline=timeline(*["speech"] * 5))) == ["speech 1 min 15 s"]
    assert heard(Findings(timeline=timeline(*["speech"] * 7))) == ["speech 2 min 20 s"]


def page_of(*files: Listed, stem: str = "talk", **more: Any) -> str:
    return results_page(Page(stem, asset("talk.mp4", video=True), [], files, **more))


def test_sizes_are_told_in_the_unit_that_fits() -> None:
    sizes = {0: "0 bytes", 999: "999 bytes", 1_000: "1 kB", 999_400: "999 kB"}
    sizes |= {1_000_000: "1.0 MB", 1_234_560_000: "1,234.6 MB"}
    page = page_of(*(Listed(f"{n}.bin", n) for n in sizes))
    for count, told in sizes.items():
        assert f'<a href="./{count}.bin">{count}.bin</a></td><td>{told}</td>' in page


def test_long_folders_and_data_are_folded() -> None:
    few = [Listed(f"hits/{n}.wav", 1) for n in range(12)]
    many = [Listed(f"loops/{n}.wav", 1) for n in range(13)]
    page = page_of(*few, *many, Listed("data/hits.json", 1), Listed("z.srt", 1))
    told = re.findall(r'<details( open)?><summary>(\w+)/ <span class="dim">([^<]*)<', page)
    assert told == [
        ("", "data", "1 file"),
        (" open", "hits", "12 files"),
        ("", "loops", "13 files"),
    ]
    assert page.index("./z.srt") < page.index("./data/hits.json") < page.index("./hits/0.wav")


def test_the_best_take_plays_and_the_others_are_at_hand() -> None:
    names = ["talk.wav", "talk mix.wav", "talk normalised.wav"]
    files = [
        *(Listed(name, 1, "audio/wav") for name in names),
        Listed("hits/1.wav", 1, "audio/wav"),
    ]
    page = page_of(*files)
    assert '<audio controls preload="metadata" src="./talk%20normalised.wav"></audio>' in page
    assert re.findall(r'aria-pressed="(\w+)">([^<]*)<', page) == [
        ("true", "normalised"),
        ("false", "mix"),
        ("false", "the recording"),
    ]
    films = [Listed("talk.mp4", 1, "video/mp4"), Listed("talk anonymised.mp4", 1, "video/mp4")]
    page = page_of(*files, *films)
    assert '<video controls preload="metadata" src="./talk%20anonymised.mp4"></video>' in page
    assert re.findall(r'aria-pressed="\w+">([^<]*)<', page) == ["anonymised", "the recording"]
    assert "Which one" not in page_of(films[0]), "there is nothing to choose from"
    assert "Player" not in page_of(Listed("talk.srt", 1))


def test_the_recording_is_told_in_a_line() -> None:
    assert "talk.mp4 · 0:12.0 · 640 × 360 · 48 kHz stereo" in page_of()
    assert 'data-length-ms="12000"' in page_of()


def test_marks_lie_where_they_are_in_time() -> None:
    marks = [Mark(1_000, 3_000, "loop 1"), Mark(5_000, 5_001, "loop 2")]
    page = page_of(layers=[Layer("loops", marks), Layer("hits", [Mark(59_970, 70_000, "hit 1")])])
    assert 'viewBox="0 0 12000 10"' in page and 'aria-label="2 loops"' in page
    assert re.findall(r'<rect x="(\d+)" width="(\d+)" height="10"><title>([^<]*)<', page) == [
        ("1000", "1988", "loop 1, 0:01.0"),
        ("5000", "24", "loop 2, 0:05.0"),
        ("59970", "24", "hit 1, 1:00.0"),
    ]


def test_the_words_of_a_cue_follow_its_time_and_its_speaker() -> None:
    def cue(index: int, **more: object) -> dict[str, object]:
        start = 400 * (index - 1)
        return {"index": index, "start_ms": start, "end_ms": start + 300, "text": "x", **more}

    words = [
        {"start_ms": 100 * n, "end_ms": 100 * n + 50, "text": f" w{n}", **WORD} for n in range(5)
    ]
    cues = [
        cue(1, first_word=0, word_count=2, speaker_id="speaker_1"),
        cue(2, first_word=2, word_count=3),
    ]
    said = results_page(Page("t", asset("t.wav"), [], [], transcript=transcript(cues, words)))
    told = re.findall(r"<p><small>([^<]*)</small>(.*?)</p>", said.replace("\n", ""))
    assert [(time, re.findall(r">(\w+)<", row)) for time, row in told] == [
        ("0:00.0 · speaker 1", ["w0", "w1"]),
        ("0:00.4", ["w2", "w3", "w4"]),
    ]


def test_only_pictures_that_show_something_are_shown() -> None:
    page = page_of(Listed("pictures/a.png", 1, "image/png", "hits"), Listed("pictures/b.png", 1))
    assert re.findall(r'<img loading="lazy" src="([^"]*)" alt="([^"]*)">', page) == [
        ("./pictures/a.png", "hits")
    ]


def test_each_step_is_told_with_its_state_and_what_it_worked_on() -> None:
    rows = [
        Standing("transform.fx", StepState.DONE, made_from="Kick 01"),
        Standing("detect.hits", StepState.SKIPPED, reason="no sound"),
    ]
    page = results_page(Page("t", asset("t.wav"), rows, []))
    told = re.findall(r"<tr><td>([^<]*)</td><td>([^<]*)</td><td>([^<]*)</td></tr>", page)
    assert [(step.endswith(" of Kick 01"), state, why) for step, state, why in told] == [
        (True, "done", ""),
        (False, "skipped", "no sound"),
    ]
    assert " of " not in told[1][0]


def test_pictures_of_faces_that_are_covered_are_folded_away_with_a_warning() -> None:
    face = Listed("pictures/unblurred/faces.png", 1, "image/png", "faces")
    page = page_of(Listed("pictures/a.png", 1, "image/png", "hits"), face)
    folded = page[page.index("<details>") :]
    assert "remove it before you pass this folder on" in folded
    assert folded.index("unblurred/faces.png") < folded.index("</details>")
    assert page.count("unblurred/faces.png") == folded.count("unblurred/faces.png")
