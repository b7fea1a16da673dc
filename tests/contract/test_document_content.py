"""What a document store keeps, and what it refuses, for each home."""

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import ValidationError
from shared.homes.documents import Documents
from tests.contract.conftest import PATH

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = TEXT.filter(lambda name: name not in ("", "[]", "_write") and not name.startswith("__"))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.dictionaries(NAMES, JSON, max_size=4))
def test_any_json_comes_back_as_it_was(documents: Documents, data: dict[str, Any]) -> None:
    documents.put(PATH, data)
    found = documents.get(PATH)
    assert found is not None
    assert repr_of(found.data) == repr_of(data)


def repr_of(value: Any) -> str:
    """Tells 1 from 1.0 and from true, and 0.0 from -0.0, but not one order of fields from another."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name!r}:{repr_of(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(repr_of, value)) + "]"
    return repr(value)


def nested(depth: int, inner: Any) -> dict[str, Any]:
    for _ in range(depth):
        inner = {"a": inner}
    return {"a": inner}


@pytest.mark.parametrize(
    "data",
    [
        nested(20, 1),
        nested(17, [[1]]),
        {"a": "x" * 1_048_000},
        {"ü" * 750: 1},
        {"a": [2**63 - 1, -(2**63)]},
    ],
)
def test_data_at_the_limits_is_kept(documents: Documents, data: dict[str, Any]) -> None:
    documents.put(PATH, data)
    found = documents.get(PATH)
    assert found is not None
    assert found.data == data


@pytest.mark.parametrize(
    "data",
    [
        {"a": math.nan},
        {"a": [math.inf]},
        {"a": "x" * (1_048_577 - len('{"a":""}'))},
        {"a": 2**63},
        {"a": -(2**63) - 1},
        {"a": "\ud800"},
        {"a": b"bytes"},
        {"": 1},
        {"a" * 1_501: 1},
        {"a": {"__name__": 1}},
        {1: "a"},
        {"[]": []},
        {"_write": 1},
        nested(21, 1),
        nested(18, [[1]]),
        nested(5000, 1),
    ],
)
def test_data_that_is_not_small_json_is_refused(documents: Documents, data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        documents.put(PATH, data)
    assert documents.get(PATH) is None


@pytest.mark.parametrize(
    "path",
    ["", "assets", "a//b/c", "a/..", "a/.", "/a/b", "a/b/", "a/b\x00", "a/__b__", "a/" + "ü" * 751],
)
def test_paths_that_are_none_are_refused(documents: Documents, path: str) -> None:
    with pytest.raises(ValidationError):
        documents.get(path)
    with pytest.raises(ValidationError):
        documents.put(path, {})


def test_a_documents_path_is_no_collection(documents: Documents) -> None:
    with pytest.raises(ValidationError):
        list(documents.list(PATH))
