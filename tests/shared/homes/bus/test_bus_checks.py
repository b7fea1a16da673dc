"""What every home's bus takes, and from which byte on no more: Pub/Sub's limits."""

from __future__ import annotations

import pytest

from shared.errors import ValidationError
from shared.homes.bus.bus_checks import check_message, checked_topic

MANY = {f"key {n}": "" for n in range(99)}


@pytest.mark.parametrize(
    ("data", "attributes"),
    [
        (b"x" * 10_000_000, {}),
        (b"", {"a": ""}),
        (b"", {**MANY, "a": ""}),
        (b"", {"ü" * 128: "ü" * 512}),
    ],
    ids=["data", "attributes alone", "a hundred", "a long key and value"],
)
def test_what_is_at_a_limit_is_taken(data: bytes, attributes: dict[str, str]) -> None:
    check_message(data, attributes)


@pytest.mark.parametrize(
    ("data", "attributes", "told"),
    [
        (b"", {}, "neither data nor attributes"),
        (b"x" * 10_000_001, {}, "more than 10,000,000 bytes"),
        (b"", {**MANY, "a": "", "b": ""}, "more than 100"),
        (b"", {"": "x"}, "the key '' is not allowed"),
        (b"", {"x" * 257: ""}, f"the key '{'x' * 40}' is not allowed"),
        (b"", {"google": "x"}, "the key 'google' is not allowed"),
        (b"", {"a": "x" * 1_025}, "a has more than 1,024 bytes"),
        (b"", {"a": "\ud800"}, "half a surrogate pair"),
    ],
)
def test_what_is_beyond_is_refused_with_the_limit(
    data: bytes, attributes: dict[str, str], told: str
) -> None:
    with pytest.raises(ValidationError, match=told):
        check_message(data, attributes)


@pytest.mark.parametrize(
    ("name", "taken"),
    [("abc", True), ("a" * 255, True), ("ab", False), ("a" * 256, False), ("1bc", False)],
)
def test_a_topic_has_a_name_that_pub_sub_takes(name: str, taken: bool) -> None:
    if taken:
        assert checked_topic(name) == name
        return
    with pytest.raises(ValidationError, match="topic"):
        checked_topic(name)
