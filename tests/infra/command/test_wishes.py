"""Params as people type them: lists with commas, and what is refused before anything is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from functions.wiring import engine_of
from infra.command.desk import parse_params
from infra.command.main import rushes
from infra.command.wishes import check_whole, checked_params
from shared.errors import ValidationError
from shared.homes.home import Home, open_home
from shared.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(Settings(data=tmp_path), engine_of)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("transcribe.words.glossary=Ana,Jürgen Müller", {"glossary": ["Ana", "Jürgen Müller"]}),
        ("transcribe.words.glossary=Rushes", {"glossary": ["Rushes"]}),
        ('transcribe.words.glossary=["one, two"]', {"glossary": ["one, two"]}),
        ("edit.cut.drop_word_indexes=3", {"drop_word_indexes": [3]}),
        ("edit.cut.drop_ranges=[[0, 400]]", {"drop_ranges": [[0, 400]]}),
        ("transcribe.words.language=en", {"language": "en"}),
        ("detect.hits.max_hits=2", {"max_hits": 2}),
    ],
)
def test_a_list_is_typed_with_commas(home: Home, typed: str, meant: dict[str, Any]) -> None:
    params = checked_params(home, (), parse_params((typed,)))
    assert [*params.values()] == [meant]


@pytest.mark.parametrize("value", ["5" * 5000, "[" * 50_000, "NaN"])
def test_a_number_that_is_none_is_refused_by_the_params_name(home: Home, value: str) -> None:
    typed = parse_params((f"detect.hits.pre_roll_ms={value}",))
    with pytest.raises(ValidationError, match="pre_roll_ms"):
        checked_params(home, (), typed)


def test_what_a_step_cannot_do_without_is_asked_for_at_once(home: Home) -> None:
    with pytest.raises(ValidationError, match="preset_id: is needed"):
        check_whole(home, ("transform.fx",), {})
    check_whole(home, ("probe", "transform.fx"), {"transform.fx": {"preset_id": "tape"}})
    where = ["--data", str(home.settings.data)]
    words = ["settings", "--steps", "transform.fx", *where]
    assert isinstance(CliRunner().invoke(rushes, words).exception, ValidationError)
    done = CliRunner().invoke(rushes, [*words, "--param", "transform.fx.preset_id=tape"])
    assert done.exit_code == 0, done.output


def test_a_value_that_would_be_refused_is_refused_before_anything_is_done(home: Home) -> None:
    with pytest.raises(ValidationError, match=r"detect\.hits\.max_hits"):
        checked_params(home, (), {"detect.hits": {"max_hits": 0}})
