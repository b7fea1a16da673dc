import json
from fractions import Fraction

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.perform.format import read_pattern, schema_text, to_score
from shared.errors import ValidationError
from tests.functions.perform.rig import EXAMPLE, pattern


def score_of(data):
    return to_score(read_pattern(json.dumps(data)))


def test_the_example_is_read_and_fits_the_schema():
    text = EXAMPLE.read_text("utf-8")
    jsonschema.validate(json.loads(text), json.loads(schema_text()))
    score = to_score(read_pattern(text))
    assert score.length_beats == 4
    assert len(score.instruments) == 6


def test_rows_become_beats_and_notes_last_until_the_next():
    notes = score_of(pattern()).notes
    assert [(note.beats, note.length_beats, note.velocity) for note in notes] == [
        (0, Fraction(1, 2), 100),
        (Fraction(1, 2), Fraction(1, 2), 60),
        (1, Fraction(1, 2), 100),
        (Fraction(3, 2), Fraction(1, 2), 60),
    ]


def test_off_and_a_length_of_its_own_end_a_note_sooner():
    lane = {
        "name": "hats",
        "instrument": "hats",
        "notes": ["C4", ".", "off", ".", "E4:90:0.25", "."],
    }
    first, second = score_of(pattern(lanes=[lane])).notes
    assert (first.length_beats, second.length_beats) == (Fraction(1, 2), Fraction(1, 4))


def test_a_lane_may_have_rows_of_its_own():
    triplets = {"name": "t", "instrument": "hats", "rows_per_beat": 3, "notes": "x x x"}
    assert [note.beats for note in score_of(pattern(lanes=[triplets])).notes][1] == Fraction(1, 3)


BASS = {"name": "bass", "sound": "bass"}


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        (
            {"lanes": [{"name": "hats", "instrument": "hats", "notes": "x . H4"}]},
            "lane 'hats', row 3, token 'H4'",
            "neither a rest",
        ),
        (
            {
                "lanes": [
                    {
                        "name": "swell",
                        "instrument": "hats",
                        "control": "pan",
                        "values": "0 . 1|smooth=5xs",
                    }
                ]
            },
            "lane 'swell', row 3, token '|smooth=5xs'",
            "is no length of time",
        ),
        (
            {
                "lanes": [
                    {
                        "name": "swell",
                        "instrument": "hats",
                        "control": "pan",
                        "values": ["1|curve=log"],
                    }
                ]
            },
            "lane 'swell', row 1, token '1|curve=log'",
            "nothing to fade from",
        ),
        (
            {"lanes": [{"name": "hats", "instrument": "hits", "notes": "x"}]},
            "lane 'hats'",
            "plays 'hits', which is none of: hats",
        ),
        ({"lanes": [{"name": "hats", "instrument": "hats"}]}, "lane 'hats'", "needs either notes"),
        (
            {"lanes": [{"name": "a", "instrument": "hats", "notes": [3]}]},
            "lane 'a', row 1",
            "string",
        ),
        ({"instruments": [BASS, BASS]}, "instrument 'bass'", "stands twice"),
        (
            {"instruments": [{"name": "hats", "sound": "hat", "gain": 3}]},
            "instrument 'hats', gain",
            "perhaps it is mistyped",
        ),
        (
            {"instruments": [{"name": "hats", "sound": "hat", "filter": {"cutoff_hz": 5}}]},
            "instrument 'hats', filter.cutoff_hz",
            "greater than or equal to 20 (it is 5)",
        ),
        ({"tempo_bpm": 5_000}, "tempo_bpm", "less than or equal to 1000"),
        ({"version": 2}, "version", "should be 1"),
        ({"format": "other"}, "pattern", '"format": "rushes.pattern"'),
    ],
)
def test_errors_say_where_in_words(changes, field, reason):
    with pytest.raises(ValidationError) as raised:
        score_of(pattern(**changes))
    details = raised.value.to_json()["details"]
    assert details["field"] == field
    assert reason in details["reason"]


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{" * 9, "[" * 100_000, '{"format": "rushes.pattern"}']
)
def test_what_is_no_pattern_is_refused(text):
    with pytest.raises(ValidationError):
        read_pattern(text)


NAMES = st.text(max_size=9)


def nested(inner):
    """No lambda over several lines: hypothesis reads its source, and takes ``inner`` for unused."""
    return st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | NAMES,
    nested,
    max_leaves=9,
)


@given(st.sampled_from(["instruments", "lanes", "tempo_bpm", "effects", "length_beats"]), JSON)
def test_any_json_is_read_or_refused(key, value):
    try:
        score_of(pattern(**{key: value}))
    except ValidationError as error:
        assert error.message
