"""The model that all of ours are made from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic import ValidationError as PydanticError

from shared.errors import ValidationError


class Model(BaseModel):
    """Its checks are built when it is first used: most of those that a process loads it never uses."""

    model_config = ConfigDict(defer_build=True)


class RequestBody(Model):
    """One that a request brings: FastAPI would warn of checks that are built later than its route."""

    model_config = ConfigDict(defer_build=False)


def refusal_of(error: PydanticError, whole: str) -> ValidationError:
    """What a model has found wrong first, by its field; ``whole``: what that is where it is no single one."""
    first = error.errors(include_url=False, include_input=False)[0]
    told = NOT_ITS_FIELDS.get(first["type"], first["msg"])
    return ValidationError(".".join(map(str, first["loc"])) or whole, told)


NOT_ITS_FIELDS = {
    "extra_forbidden": "is no setting here; perhaps it is mistyped",
    "missing": "is missing",
}
"""Pydantic's kind of error -> the words for it, where pydantic's own speak to programmers alone."""
