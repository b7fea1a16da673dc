"""A message, as any home delivers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One message of the bus."""

    message_id: str
    data: bytes
    attributes: Mapping[str, str]
    delivery_attempt: int = 1
    """1 for the first delivery."""
    published_at: float | None = None
    """Unix seconds, where the bus says so."""
