"""Counts as people read them."""

from __future__ import annotations


def many(count: int, thing: str) -> str:
    """``1 loop``, ``78 loops``, ``1,200 loops``."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
