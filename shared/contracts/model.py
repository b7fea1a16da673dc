"""The model that all of ours are made from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Its checks are built when it is first used: most of those that a process loads it never uses."""

    model_config = ConfigDict(defer_build=True)


class RequestBody(Model):
    """One that a request brings: FastAPI would warn of checks that are built later than its route."""

    model_config = ConfigDict(defer_build=False)
