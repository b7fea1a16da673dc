"""Velocity layers of a sampler: which recording sounds at which strength of touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.errors import ValidationError

MAX_VELOCITY = 127


@dataclass(frozen=True, eq=False)
class ClipSampleLayer:
    """One recording and the MIDI velocities that play it."""

    sample: NDArray[np.floating]
    """``(samples,)`` or ``(samples, channels)``, at the engine's sample rate."""
    min_velocity: int = 0
    max_velocity: int = MAX_VELOCITY
    amplitude_scale: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_velocity <= self.max_velocity <= MAX_VELOCITY:
            raise ValidationError(
                "layer velocities",
                f"{self.min_velocity} to {self.max_velocity} is not a range within 0 to 127",
            )
        if self.sample.ndim not in (1, 2) or not self.sample.size:
            raise ValidationError("layer sample", "must be a clip of one or two channels")
        if not np.isfinite(self.sample).all():
            raise ValidationError("layer sample", "holds values that are no numbers")

    @property
    def clip(self) -> NDArray[np.float64]:
        """The recording, ``(samples, channels)``, at the layer's level."""
        wide = self.sample.reshape(len(self.sample), -1)
        return np.asarray(wide, np.float64) * self.amplitude_scale


def in_order(layers: Sequence[ClipSampleLayer]) -> tuple[ClipSampleLayer, ...]:
    """Soft to bold; raises ``ValidationError`` for none, or for channels that differ."""
    if not layers:
        raise ValidationError("layers", "a sampler needs at least one clip")
    if len({layer.clip.shape[1] for layer in layers}) > 1:
        raise ValidationError("layers", "all clips must be mono, or all stereo")
    return tuple(sorted(layers, key=lambda layer: (layer.min_velocity, layer.max_velocity)))


def layer_weights(
    layers: Sequence[ClipSampleLayer], velocity: float, width: float
) -> NDArray[np.float64]:
    """How loud each layer sounds at a velocity: ``(layers,)``, the squares adding up to 1.

    Between two neighbours lies a boundary, midway between the one's last velocity and the next
    one's first. Within ``width`` velocities around it (or where their ranges overlap, if that is
    wider) both sound, in equal-power proportion; both then ring to their own ends.
    """
    weights = np.ones(len(layers))
    for index, (lower, upper) in enumerate(pairwise(layers)):
        boundary = (lower.max_velocity + upper.min_velocity) / 2.0
        zone = max(width, lower.max_velocity - upper.min_velocity, 0.0)
        way = (velocity - boundary) / zone + 0.5 if zone else float(velocity > boundary)
        angle = np.clip(way, 0.0, 1.0) * np.pi / 2.0
        weights[index] *= np.cos(angle)
        weights[index + 1 :] *= np.sin(angle)
    weights[weights < 1e-9] = 0.0
    return weights


def likeness(clips: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """How much the clips, as far as the shortest reaches, add up in phase: their Gram matrix."""
    frames = min(len(clip) for clip in clips)
    flat = np.stack([clip[:frames].ravel() for clip in clips])
    return np.asarray(flat @ flat.T)


def evened(weights: NDArray[np.float64], alike: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights at the power that equal-power proportion means, though layers be alike.

    Recordings of different strokes add up by power. Layers cut from one take, or synthesised, are in
    phase and add up by amplitude: 3 dB too loud midway, without this. At most 6 dB are evened out.
    """
    power = float(weights @ alike @ weights)
    meant = float(np.square(weights) @ np.diag(alike))
    if meant <= 0.0:
        return weights
    evening = np.sqrt(np.clip(meant / max(power, meant * 0.25), 0.25, 4.0))
    return np.asarray(weights * evening)
