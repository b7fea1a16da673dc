"""Filter graphs as text: how numbers stand in them, and whether this ffmpeg has the filters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from shared.errors import MissingDependency
from shared.media.ffmpeg import INSTALL_HINT, MINIMUM_VERSION, run


@cache
def known_filters() -> frozenset[str]:
    """The filters of the ffmpeg that is here."""
    printed = run(["-filters"], timeout_s=10).stdout.decode(errors="replace")
    return frozenset(re.findall(r"^ [A-Z.|]{2,3} (\S+) +\S+->\S+", printed, re.MULTILINE))


def check_filters(graph: str) -> None:
    """Raise ``MissingDependency`` naming the filters of ``graph`` that this ffmpeg lacks."""
    missing = sorted(filters_of(graph) - known_filters())
    if missing:
        what = f"ffmpeg's filter {', '.join(missing)}"
        raise MissingDependency(what, MINIMUM_VERSION, f"{INSTALL_HINT} (a complete build)")


def filters_of(graph: str) -> set[str]:
    """The names of a graph's filters."""
    bare = re.sub(r"'[^']*'|\\.|\[[^\]]*\]", "", graph)
    return {re.split(r"[=@]", part.strip())[0] for part in re.split(r"[,;]", bare) if part.strip()}


def number(value: float) -> str:
    """A number in a filter graph."""
    return f"{value:.9g}"


def joined(filters: Iterable[str]) -> str:
    """A chain of filters; empty pieces drop out."""
    return ",".join(part for part in filters if part)
