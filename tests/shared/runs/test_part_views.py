"""Where in a recording a part lies, as people read it."""

from __future__ import annotations

import pytest

from shared.runs.part_views import where_failed


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "told"),
    [
        (0, 60_000, "0:00:00.0 to 0:01:00.0"),
        (61_540, 599_000, "0:01:01.5 to 0:09:59.0"),
        (59_970, 3_599_990, "0:01:00.0 to 1:00:00.0"),
        (3_599_000, 37_230_100, "0:59:59.0 to 10:20:30.1"),
    ],
)
def test_an_error_says_in_which_part_and_from_when_to_when(
    start_ms: int, end_ms: int, told: str
) -> None:
    part = {"number": 4, "count": 5, "start_ms": start_ms, "end_ms": end_ms}
    assert where_failed({"code": "timeout", "part": part}) == f" (part 4 of 5, {told})"
    assert where_failed({"code": "timeout"}) == ""
