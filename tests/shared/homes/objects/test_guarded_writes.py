"""What is asked before an object is written: its generation, and a type that a header can say."""

from __future__ import annotations

import pytest

from shared.errors import Conflict, ValidationError
from shared.homes.objects import ABSENT
from shared.homes.objects.guarded_writes import check_content_type, demand
from shared.homes.objects.index import IndexedObject

STANDING = IndexedObject("k", 1, 7, "audio/wav")


@pytest.mark.parametrize(
    ("if_generation", "before", "passes"),
    [
        (None, None, True),
        (None, STANDING, True),
        (ABSENT, None, True),
        (ABSENT, STANDING, False),
        (7, STANDING, True),
        (6, STANDING, False),
        (8, STANDING, False),
        (7, None, False),
    ],
)
def test_only_what_was_seen_is_replaced(
    if_generation: int | None, before: IndexedObject | None, passes: bool
) -> None:
    check = demand(if_generation)
    if passes:
        check(before)
        return
    found = before.generation if before else 0
    with pytest.raises(Conflict, match=f"generation {found}, not {if_generation}"):
        check(before)


def test_a_content_type_is_what_a_header_can_say() -> None:
    check_content_type("audio/" + "x" * 250)
    for wrong in ("audio/" + "x" * 251, "audio/wäv", "audio/wav\n"):
        with pytest.raises(ValidationError, match="256 printable ASCII"):
            check_content_type(wrong)
