"""A few of the combinations, and that the page tells of all. ``make formats`` runs the rest."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import pytest

from tests.formats.__main__ import every_case, judge
from tests.formats.page import PAGE, Case
from tests.formats.pictures import PictureCase
from tests.formats.sounds import SoundCase

CASES = every_case()


def some(kind: type[Case], count: int) -> Sequence[Case]:
    """The same ones each time."""
    return random.Random(17).sample([case for case in CASES if isinstance(case, kind)], count)


@pytest.mark.heavy
@pytest.mark.parametrize("case", [*some(SoundCase, 8), *some(PictureCase, 3)], ids=lambda c: c.name)
def test_what_is_said_of_it_is_what_other_tools_say(case: Case) -> None:
    assert judge(case).wrong == []


def test_each_combination_is_tried_once() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 200


def test_the_page_tells_of_two_hundred_and_none_is_wrong() -> None:
    text = PAGE.read_text()
    told = re.search(r"(\d+) that were run last: \*\*\d+ right, \d+ refused .*, (\d+) wrong", text)
    assert told is not None
    assert int(told[1]) >= 200 and int(told[2]) == 0
    assert "**wrong**" not in text
