from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audio.lanes import Place, pitch_number, read_level, read_note, rows
from shared.audio.score import Window
from shared.errors import ValidationError

PLACE = Place("hats", 3)


@pytest.mark.parametrize(
    ("token", "note"),
    [
        ("x", (None, 100.0, None)),
        ("X", (None, 127.0, None)),
        ("x:64", (None, 64.0, None)),
        ("C4:90:0.5", (60.0, 90.0, Fraction(1, 2))),
        ("F#3", (54.0, 100.0, None)),
        ("Bb-1::2", (10.0, 100.0, Fraction(2))),
    ],
)
def test_notes(token, note):
    read = read_note(token, PLACE)
    assert (read.pitch, read.velocity, read.length_beats) == note


@pytest.mark.parametrize(
    ("token", "level"),
    [
        ("0.5", (0.5, None, None)),
        ("1|smooth=5ms", (1.0, Window(Fraction(5), "ms"), None)),
        (".25|smooth=0.02beats", (0.25, Window(Fraction(1, 50), "beats"), None)),
        ("0|curve=s_curve|smooth=80ms", (0.0, Window(Fraction(80), "ms"), "s_curve")),
        ("0.9|curve=exponential", (0.9, None, "exponential")),
    ],
)
def test_levels(token, level):
    read = read_level(token, PLACE)
    assert (read.position, read.smooth, read.curve) == level


@pytest.mark.parametrize("token", [".", "---", "-"])
def test_rests(token):
    assert read_note(token, PLACE) is None
    assert read_level(token, PLACE) is None


@pytest.mark.parametrize(
    ("read", "token", "field", "reason"),
    [
        (read_level, "0.5|smooth=5xs", "|smooth=5xs", "is no length of time"),
        (read_level, "0.5|smooth=0ms", "|smooth=0ms", "must be above 0"),
        (
            read_level,
            "0.5|curve=bendy",
            "|curve=bendy",
            "curves: linear, exponential, log, s_curve",
        ),
        (read_level, "0.5|swing=3", "|swing=3", "is unknown or stands twice"),
        (read_level, "0.5|curve=log|curve=log", "|curve=log", "stands twice"),
        (read_level, "1.5", "1.5", "levels in a lane go from 0 to 1"),
        (read_level, "loud", "loud", "is no number"),
        (read_level, "nan", "nan", "is no number"),
        (read_note, "H4", "H4", "neither a rest"),
        (read_note, "C99", "C99", "neither a rest"),
        (read_note, "x:200", ":200", "velocities go from 1 to 127"),
        (read_note, "x:90:0", ":0", "is no length"),
        (read_note, "x:1:2:3", "x:1:2:3", "more than a velocity and a length"),
    ],
)
def test_errors_name_lane_row_and_token(read, token, field, reason):
    with pytest.raises(ValidationError) as raised:
        read(token, PLACE)
    details = raised.value.to_json()["details"]
    assert details["field"] == f"lane 'hats', row 3, token '{field}'"
    assert reason in details["reason"]


@given(st.text(max_size=30))
def test_any_token_is_read_or_refused(token):
    for read in (read_note, read_level):
        try:
            read(token, PLACE)
        except ValidationError as error:
            assert "row 3" in error.message


@given(st.integers(0, 127))
def test_pitch_names_cover_the_keyboard(number):
    names = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    assert pitch_number(f"{names[number % 12]}{number // 12 - 1}") == number


def test_bar_lines_are_for_the_eye():
    assert rows("x . | x .") == rows(["x", ".", "|", "x", "."]) == ["x", ".", "x", "."]
