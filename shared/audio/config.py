"""How an engine renders: rate, block, channels."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import ValidationError

_RANGES = {
    "sample_rate": (8_000, 192_000),
    "block_size": (1, 65_536),
    "channels": (1, 2),
    "joined_frames": (1, 1_048_576),
}


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The fixed facts of a rendering. The samples do not depend on the two block sizes."""

    sample_rate: int = 48_000
    """Frames a second."""
    block_size: int = 128
    """Frames of the blocks in which audio is handed out."""
    channels: int = 2
    joined_frames: int = 8_192
    """Offline, nothing can happen between two blocks that the timeline doesn't know, so modules are
    asked for neighbouring blocks in one call, up to so many frames. 1: every block alone, as a live
    host would ask."""

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise ValidationError(name, f"must be a whole number from {low:,} to {high:,}")

    @property
    def call_frames(self) -> int:
        """Frames that modules are asked for at once: whole blocks."""
        return self.block_size * max(1, self.joined_frames // self.block_size)
