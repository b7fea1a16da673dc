"""What was heard and seen: how many of what, from when to when, and how fast."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shared.runs.heard import (
    Findings,
    Layer,
    Mark,
    first_words,
    heard,
    layers,
    loudness_text,
)


def span(start_ms: float, end_ms: float, **more: Any) -> Any:
    return SimpleNamespace(start_ms=start_ms, end_ms=end_ms, **more)


def found(**documents: dict[str, Any]) -> Findings:
    """Documents that hold no more than is looked at."""
    return Findings(**{name: SimpleNamespace(**told) for name, told in documents.items()})  # type: ignore[arg-type]


def timeline(*events: Any, tempi: tuple[Any, ...] = ()) -> dict[str, Any]:
    return {"events": events, "tempi": tempi}


@pytest.mark.parametrize(
    ("length_ms", "told"),
    [(499, "0 s"), (59_400, "59 s"), (59_600, "1 min 00 s"), (3_725_000, "62 min 05 s")],
)
def test_lengths_are_rounded_to_the_second(length_ms: int, told: str) -> None:
    events = (span(0, 500, kind="noise"), span(1_000, 1_000 + length_ms, kind="speech"))
    assert heard(found(timeline=timeline(*events))) == [f"speech {told}"]


def test_faces_and_shots_are_counted() -> None:
    one, two = (span(0, 1, track_id="face_1"),), (span(0, 1), span(1, 2))
    assert heard(found(regions={"tracks": one}, visual={"shots": two})) == ["1 face", "2 shots"]
    assert heard(found(regions={"tracks": ()}, visual={"shots": ()})) == []
    alone = SimpleNamespace(speaker_id="speaker_1")
    assert (
        heard(found(transcript={"words": (alone, alone, SimpleNamespace(speaker_id=None))})) == []
    )


def test_the_tempo_is_that_of_the_longest_music_where_no_loop_was_cut_on_one() -> None:
    music = span(0, 9_000, kind="music")
    tempi = (span(0, 3_000, bpm=90.0), span(3_000, 8_000, bpm=120.4), span(8_000, 9_000, bpm=60.0))
    of_music = timeline(music, tempi=tempi)
    assert heard(found(timeline=of_music)) == ["music 9 s", "120 BPM"]
    for none_cut in ({"segments": (), "bpm": 99.0}, {"segments": (span(0, 1),), "bpm": None}):
        assert "120 BPM" in heard(found(timeline=of_music, loops=none_cut))
    assert "99 BPM" in heard(
        found(timeline=of_music, loops={"segments": (span(0, 1),), "bpm": 99.0})
    )
    assert heard(found(loops={"segments": (span(0, 1),), "bpm": 99.0})) == ["99 BPM"]
    assert heard(found(timeline=timeline(music))) == ["music 9 s"]


def test_what_fits_a_line_is_not_cut() -> None:
    assert first_words("word " * 16) == ("word " * 16).strip()
    assert first_words("x" * 80) == "x" * 80
    assert first_words("x" * 40 + " " + "y" * 40) == "x" * 40 + " …"


def test_each_kind_of_thing_is_a_layer_of_named_marks() -> None:
    drawn = layers(
        found(
            timeline=timeline(span(0, 5, kind="speech"), span(5, 9, kind="music")),
            loops={"segments": (span(1, 2), span(2, 3))},
            hits={"segments": (span(4, 5),)},
            visual={"shots": (span(0, 6), span(6, 9))},
            regions={"tracks": (span(3, 8, track_id="face_2"),)},
        )
    )
    assert drawn == [
        Layer("speech", [Mark(0, 5, "speech")]),
        Layer("music", [Mark(5, 9, "music")]),
        Layer("loops", [Mark(1, 2, "loop 1"), Mark(2, 3, "loop 2")]),
        Layer("hits", [Mark(4, 5, "hit 1")]),
        Layer("shots", [Mark(0, 6, "shot 1"), Mark(6, 9, "shot 2")]),
        Layer("faces", [Mark(3, 8, "face 2")]),
    ]


def test_a_layer_of_thousands_is_cut_before_a_page_gets_slow() -> None:
    (layer,) = layers(found(hits={"segments": [span(n, n + 1) for n in range(4_100)]}))
    assert len(layer.marks) == 4_000


def test_loudness_is_told_as_it_was_measured() -> None:
    before = {"integrated_lufs": -23.0, "true_peak_dbtp": -6.0}
    after = {"integrated_lufs": -16.0, "true_peak_dbtp": -1.0}
    both = {"before": before, "after": after}
    assert loudness_text(Findings(), both) == "-23.0 LUFS → -16.0 LUFS"
    alone = found(loudness={**before, "undefined": None})
    for half in (None, {}, {"before": before}, {"after": after}):
        assert loudness_text(alone, half) == "-23.0 LUFS"
