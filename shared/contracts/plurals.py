"""Counts as people read them."""

from __future__ import annotations


def many(count: int, thing: str, things: str | None = None) -> str:
    """``1 loop``, ``78 loops``, ``1,200 loops``; ``things`` where they take more than an s."""
    return f"{count:,} {thing if count == 1 else things or f'{thing}s'}"
