"""Params as people type them: lists with commas, and what is refused before anything is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from functions.wiring import engine_of
from infra.command.desk import parse_params
from infra.command.wishes import checked_params
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


def test_a_value_that_would_be_refused_is_refused_before_anything_is_done(home: Home) -> None:
    with pytest.raises(ValidationError, match=r"detect\.hits\.max_hits"):
        checked_params(home, (), {"detect.hits": {"max_hits": 0}})
