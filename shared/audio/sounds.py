"""What an instrument sounds with: recordings by velocity, or a wave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.audio.families import InstrumentFamily
from shared.audio.modules.layers import ClipSampleLayer
from shared.errors import ValidationError

Wave = Literal["sine", "saw", "square", "noise"]


@dataclass(frozen=True, slots=True)
class Sound:
    """Layers of clips, or one wave; and how its notes are shaped where nobody says otherwise."""

    name: str
    family: InstrumentFamily
    layers: tuple[ClipSampleLayer, ...] = ()
    wave: Wave | None = None
    root_pitch: float = 60.0
    """The clips' own pitch, and the pitch of ``x``."""
    attack_ms: float = 0.0
    decay_ms: float = 0.0
    sustain: float = 1.0
    release_ms: float = 80.0

    def __post_init__(self) -> None:
        if bool(self.layers) == bool(self.wave):
            raise ValidationError(f"sound {self.name!r}", "needs either clips or a wave")
