"""Between any two writes of an action something may happen; and what is written is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

WRITES = ("create", "update", "put", "delete", "copy", "publish")
SETTLED = ("done", "cached", "skipped", "degraded", "failed")


class Killed(BaseException):
    """The worker is gone, between two of its writes."""


def die() -> None:
    raise Killed


class Fate:
    """What is to happen to the action that is under way, each after so many more writes."""

    def __init__(self) -> None:
        self._ahead: list[tuple[int, Callable[[], object]]] = []

    @contextmanager
    def of(self, ahead: Sequence[tuple[int, Callable[[], object]]]) -> Iterator[None]:
        """Of one action; what happens within it has a fate of its own."""
        before, self._ahead = self._ahead, list(ahead)
        try:
            yield
        finally:
            self._ahead = before

    def spend(self) -> None:
        if not self._ahead:
            return
        left, then = self._ahead[0]
        if left:
            self._ahead[0] = (left - 1, then)
            return
        rest = self._ahead[1:]
        self._ahead = []
        try:
            then()
        finally:
            self._ahead = rest


class Mortal:
    """A store before each of whose writes fate is asked."""

    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner, self._fate = inner, fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in ("create_all", "publish_all"):
            return lambda several: self._one_by_one(found, several)
        if name not in WRITES:
            return found

        def write(*args: Any, **kwargs: Any) -> Any:
            self._fate.spend()
            return found(*args, **kwargs)

        return write

    def _one_by_one(self, write: Any, several: Any) -> dict[str, Any]:
        """They are no transaction: fate may come between any two."""
        named = isinstance(several, Mapping)
        made: dict[str, Any] = {}
        for one in several:
            self._fate.spend()
            made |= write({one: several[one]} if named else [one]) or {}
        return made


class Witness:
    """Documents that hold every write to what `claims.py` draws, and to what users were told.

    Of a claim the generation never falls, what settled stays until it is taken again, and nobody but its
    next owner writes the next generation. How a step of a run has settled stays. The tenant's steps have
    ``most_rows`` rows of parts at most.
    """

    def __init__(self, inner: Any, most_rows: int) -> None:
        self._inner, self._most_rows = inner, most_rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create(self, path: str, data: Any) -> Any:
        return self._inner.create(path, data)

    def update(self, path: str, data: Any, *, version: str) -> Any:
        before = self._inner.get(path)
        written = self._inner.update(path, data, version=version)
        self._look(path, before, data)
        return written

    def put(self, path: str, data: Any) -> Any:
        before = self._inner.get(path)
        written = self._inner.put(path, data)
        self._look(path, before, data)
        return written

    def _look(self, path: str, before: Any, now: Any) -> None:
        if before is None:
            assert "/cache/" not in path, "a claim that was removed is written again"
            return
        was = before.data
        if "/part_rows/" in path:
            assert sum(now["rows"].values()) <= self._most_rows, now
        if "/cache/" in path:
            taken = now["generation"] == was["generation"] + 1 and now["state"] == "running"
            kept = now["generation"] == was["generation"] and was["state"] == "running"
            assert taken or kept or (was["state"], now["state"]) == ("released", "failed"), (
                was,
                now,
            )
        if "/steps/" in path and "/runs/" in path and was["state"] in SETTLED:
            assert now == was, "a settled step was written again"
