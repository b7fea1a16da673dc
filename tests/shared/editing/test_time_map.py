"""The map between the times before and after, on lists as wild as anybody can make them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.edit_list import Edit, EditList, ms_at, sample_at
from shared.editing.edit_lists import edit_list_of
from shared.editing.time_map import TimeMap, time_map

RATES = st.sampled_from((8000, 11_025, 22_050, 44_100, 48_000, 96_000, 384_000))


@st.composite
def edits_at(draw: st.DrawFn, samples: int, rate: int) -> Edit:
    start = draw(st.integers(0, samples - 1))
    end = draw(st.integers(start + 1, samples))
    action = draw(st.sampled_from(("cut", "cut", "shorten", "speed_up", "mute", "bleep")))
    left = ms_at(draw(st.integers(0, end - start - 1)), rate)
    return Edit(
        edit_id=f"edt_{draw(st.integers(0, 10**9))}",
        action=action,
        reason="range",
        start_ms=ms_at(start, rate),
        end_ms=ms_at(end, rate),
        to_ms=left if action == "shorten" else None,
        speed=draw(st.sampled_from((1.25, 2.0, 3.7, 20.0))) if action == "speed_up" else None,
        confidence=1,
        taken_back=draw(st.booleans()) and draw(st.booleans()),
    )


@st.composite
def lists(draw: st.DrawFn) -> EditList:
    samples, rate = draw(st.integers(1, 300)), draw(RATES)
    edits = draw(st.lists(edits_at(samples, rate), max_size=8, unique_by=lambda edit: edit.edit_id))
    return edit_list_of(edits, samples, rate)


@given(lists())
def test_the_map_never_falls_and_begins_and_ends_with_the_sound(edits: EditList) -> None:
    both = time_map(edits)
    there = [both.to_new(sample) for sample in range(edits.samples + 1)]
    back = [both.to_old(sample) for sample in range(both.new_samples)]
    assert there == sorted(there) and there[0] == 0 and there[-1] == both.new_samples
    assert back == sorted(set(back)), "each new sample is of another one of the recording"
    assert edits.new_duration_ms == ms_at(both.new_samples, edits.sample_rate_hz)


@given(lists())
def test_what_is_kept_comes_back_to_where_it_was(edits: EditList) -> None:
    both = time_map(edits)
    for sample in range(both.new_samples):
        assert both.to_new(both.to_old(sample)) == sample
    for piece in both.pieces:
        if piece.speed == 1:
            assert all(both.to_old(both.to_new(at)) == at for at in range(piece.start, piece.end))


@given(lists())
def test_what_was_cut_lies_at_the_join(edits: EditList) -> None:
    both = time_map(edits)
    kept = {at for piece in both.pieces for at in range(piece.start, piece.end)}
    for sample in set(range(edits.samples)) - kept:
        before = [piece for piece in both.pieces if piece.end <= sample]
        assert both.to_new(sample) == (before[-1].new_end if before else 0)
    for edit in edits.standing:
        if edit.action == "cut":
            ends = (sample_at(ms, edits.sample_rate_hz) for ms in (edit.start_ms, edit.end_ms))
            assert kept.isdisjoint(range(*ends))


@given(lists())
def test_both_sides_of_a_join_are_told_apart(edits: EditList) -> None:
    both = time_map(edits)
    for piece in both.pieces:
        assert both.to_old(piece.new_start) == piece.start
        assert both.kept_samples(piece.start, piece.end) == piece.end - piece.start
    assert len(both.joins) == len(set(both.joins))


@given(lists())
def test_taken_back_it_is_as_it_was(edits: EditList) -> None:
    back = [edit.model_copy(update={"taken_back": True}) for edit in edits.edits]
    whole = time_map(edit_list_of(back, edits.samples, edits.sample_rate_hz))
    assert all(whole.to_new(at) == at == whole.to_old(at) for at in range(edits.samples + 1))


@given(st.integers(0, 384_000 * 3600 * 12), RATES)
def test_milliseconds_hold_every_sample(sample: int, rate: int) -> None:
    assert sample_at(ms_at(sample, rate), rate) == sample


def one(action: str, start_ms: float, end_ms: float, **more: float) -> Edit:
    return Edit.model_validate(
        {
            "edit_id": f"edt_{round(start_ms)}",
            "action": action,
            "reason": "silence",
            "confidence": 1,
        }
        | {"start_ms": start_ms, "end_ms": end_ms, **more}
    )


def mapped(*edits: Edit, samples: int = 48_000) -> TimeMap:
    return time_map(edit_list_of(edits, samples, 48_000))


def test_a_shortened_silence_keeps_both_its_ends() -> None:
    both = mapped(one("shorten", 100, 900, to_ms=200))
    assert [(piece.start, piece.end) for piece in both.pieces] == [(0, 9600), (38_400, 48_000)]
    assert both.to_new_ms(500) == 200


def test_a_cut_wins_over_a_speed_and_the_faster_over_the_slower() -> None:
    both = mapped(
        one("speed_up", 0, 800, speed=2),
        one("speed_up", 200, 400, speed=4),
        one("cut", 300, 1000),
    )
    assert [(piece.start, piece.end, piece.speed) for piece in both.pieces] == [
        (0, 9600, 2),
        (9600, 14_400, 4),
    ]
    assert both.new_samples == 4800 + 1200


def test_silencing_leaves_time_alone() -> None:
    assert mapped(one("mute", 100, 200), one("bleep", 300, 400)).pieces[0].end == 48_000


def test_an_hour_with_thousands_of_cuts_does_not_drift() -> None:
    cuts = [one("cut", at * 1000 + 400, at * 1000 + 733.3125) for at in range(3600)]
    both = mapped(*cuts, samples=3600 * 48_000)
    for second in range(3600):
        assert both.to_new(second * 48_000) == second * (48_000 - 15_999)


def test_nothing_left_is_told_as_nothing() -> None:
    both = mapped(one("cut", 0, 1000))
    assert (both.new_samples, both.to_new(7), both.to_old(7)) == (0, 0, 0)
