"""Loudness across the boundaries between velocity layers, by instrument family.

    python -m tests.bench.quality_listening

For each family's sound in the bank, a note is played at every velocity, with a hard switch between
layers and with the family's crossfade. What is compared is how far the loudness steps from one
velocity to the next, beyond what the velocity itself asks for. docs/listening.md quotes the table.
"""

from __future__ import annotations

import numpy as np

from functions.perform import bank
from shared.audio.config import EngineConfig
from shared.audio.families import crossfade_width
from shared.audio.metrics import integrated_lufs
from shared.audio.modules import ClipSampler
from shared.audio.sounds import Sound

RATE, NOTE_S = 48_000, 1.0
SOUNDS = ("strings", "pad", "keys", "organ", "pluck")
VELOCITIES = range(40, 128)


def loudness(sound: Sound, width: float) -> np.ndarray:
    """LUFS of a note at each of ``VELOCITIES``, the velocity's own gain taken out."""
    sampler = ClipSampler(sound.name, EngineConfig(RATE), layers=sound.layers)
    sampler.set_parameter("velocity_amplitude_min", 1.0)
    sampler.set_parameter("velocity_crossfade_width", width)
    found = []
    for velocity in VELOCITIES:
        sampler.reset()
        sampler.set_parameter("velocity", velocity)
        sampler.set_parameter("retrigger", 1.0)
        found.append(integrated_lufs(sampler.process(round(NOTE_S * RATE)), RATE))
    return np.array(found)


def row(name: str) -> dict[str, object]:
    """One sound's table row: widths in velocities, deltas in LU."""
    sound = bank.sound(name, RATE)
    width = crossfade_width(sound.family)
    hard, soft = loudness(sound, 0.0), loudness(sound, width)
    return {
        "sound": name,
        "family": sound.family,
        "width": width,
        "layers": [f"{layer.min_velocity}-{layer.max_velocity}" for layer in sound.layers],
        "largest_step_hard_lu": round(float(np.abs(np.diff(hard)).max()), 2),
        "largest_step_crossfaded_lu": round(float(np.abs(np.diff(soft)).max()), 2),
        "largest_difference_lu": round(float(np.abs(soft - hard).max()), 2),
    }


def markdown(rows: list[dict[str, object]]) -> str:
    """The table of docs/listening.md."""
    lines = [
        "| sound | family | crossfade | largest step, hard switch | largest step, crossfaded |"
        " furthest apart |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one['sound']} | {one['family']} | {one['width']:g} | {one['largest_step_hard_lu']} LU |"
        f" {one['largest_step_crossfaded_lu']} LU | {one['largest_difference_lu']} LU |"
        for one in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    print(markdown([row(name) for name in SOUNDS]))


if __name__ == "__main__":
    main()
