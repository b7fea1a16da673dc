"""The model that all of ours are made from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ConfigDict, ValidationError

from shared.contracts.model import Model, refusal_of

ROOT = Path(__file__).parents[3]
_BUILT = """
import functions.api.shapes
from shared.contracts.model import Model, RequestBody
def below(kind): return [one for each in kind.__subclasses__() for one in (each, *below(each))]
late = [one for one in below(Model) if not issubclass(one, RequestBody)]
print(len(late), sum(one.__pydantic_complete__ for one in late))
"""


def test_checks_are_built_when_they_are_first_used_and_hold_then() -> None:
    class Late(Model):
        number: int

    assert not Late.__pydantic_complete__
    with pytest.raises(ValidationError, match="number"):
        Late.model_validate({"number": "one"})
    assert Late(number=1).model_dump_json() == '{"number":1}'


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"source": "a"}, "source: is no setting here; perhaps it is mistyped"),
        ({}, "name: is missing"),
    ],
)
def test_a_refusal_is_told_in_words(given: dict[str, str], told: str) -> None:
    class Named(Model):
        model_config = ConfigDict(extra="forbid")
        name: str

    with pytest.raises(ValidationError) as refused:
        Named.model_validate({"name": "x", **given} if given else {})
    assert refusal_of(refused.value, "named").message == told


def test_loading_models_builds_only_bodies_and_those_of_which_one_is_a_default() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _BUILT], cwd=ROOT, check=True, capture_output=True, text=True
    )
    loaded, built = map(int, told.stdout.split())
    assert loaded > 30 and built <= 3


def test_every_model_is_one_of_these() -> None:
    others = {"shared/settings.py", "shared/contracts/model.py"}
    """Settings are read by every process."""
    found = {
        str(path.relative_to(ROOT))
        for folder in ("shared", "functions", "infra")
        for path in (ROOT / folder).rglob("*.py")
        if "(BaseModel)" in path.read_text()
    }
    assert found == others
