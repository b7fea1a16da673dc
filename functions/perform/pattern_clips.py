"""Where a pattern's sounds come from: the bank, or the tenant's own recordings.

A recording is an artifact, named by its id; which ids a pattern wants is asked first, the files are
fetched by whoever runs the step, and only then are they read here. Clips are held in memory whole,
as float64: a minute of stereo at 48 kHz is 46 MB, hence the bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from functions.perform import bank
from functions.perform.format import InstrumentPart, LayerPart, Pattern
from shared.audio.lanes import pitch_number
from shared.audio.modules.layers import ClipSampleLayer
from shared.audio.score import Score
from shared.audio.sounds import Sound
from shared.errors import UnsupportedMedia, ValidationError

OWN = "artifact:"
"""What a sound's name begins with that is an artifact's id."""
MAX_CLIP_S = 60
"""Seconds of one clip: it stays in memory while the pattern is played."""


def wanted_clips(pattern: Pattern) -> tuple[str, ...]:
    """Ids of the artifacts that a pattern plays, each once, in the pattern's order."""
    layers = [layer for part in pattern.instruments for layer in _own_layers(part)]
    return tuple(dict.fromkeys(layer.artifact for layer in layers))


def bank_sounds(score: Score, sample_rate: int) -> dict[str, Sound]:
    """Every instrument's sound, from the bank alone; raises ``ValidationError`` naming it."""
    return {
        setup.name: _from_bank(setup.name, setup.sound, sample_rate) for setup in score.instruments
    }


def pattern_sounds(
    pattern: Pattern, clips: Mapping[str, Path], sample_rate: int
) -> dict[str, Sound]:
    """Every instrument's sound; ``clips`` maps artifact ids to local files.

    Raises ``ValidationError`` naming the instrument, ``UnsupportedMedia`` for a file that isn't a
    clip.
    """
    return {part.name: _sound(part, clips, sample_rate) for part in pattern.instruments}


def _sound(part: InstrumentPart, clips: Mapping[str, Path], sample_rate: int) -> Sound:
    """The sound of one instrument, its own recordings' levels as factors of amplitude.

    The errors name the instrument: a root note that is no pitch, a recording that was not brought.
    """
    layers = _own_layers(part)
    if isinstance(part.sound, str) and not layers:
        return _from_bank(part.name, part.sound, sample_rate)
    where = f"instrument '{part.name}'"
    root = pitch_number(part.root_note)
    if root is None:
        raise ValidationError(where, f"root note {part.root_note!r} is no pitch such as C4 or F#3")
    for layer in layers:
        if layer.artifact not in clips:
            raise ValidationError(where, f"there is no recording {layer.artifact!r} to play")
    return Sound(
        part.name,
        part.family or "other",
        layers=tuple(
            ClipSampleLayer(
                read_clip(clips[layer.artifact], sample_rate),
                layer.min_velocity,
                layer.max_velocity,
                10.0 ** (layer.gain_db / 20.0),
            )
            for layer in layers
        ),
        root_pitch=root,
    )


def _own_layers(part: InstrumentPart) -> list[LayerPart]:
    """The recordings that an instrument plays, none where its sound is of the bank.

    A sound written ``artifact:ID`` is one layer that answers all velocities.
    """
    if not isinstance(part.sound, str):
        return part.sound
    return [LayerPart(artifact=part.sound[len(OWN) :])] if part.sound.startswith(OWN) else []


def _from_bank(instrument: str, name: str, sample_rate: int) -> Sound:
    if name not in bank.names():
        raise ValidationError(
            f"instrument '{instrument}'",
            f"sound {name!r} is not in the bank, which has: {', '.join(bank.names())}",
        )
    return bank.sound(name, sample_rate)


def read_clip(path: Path, sample_rate: int) -> NDArray[np.float64]:
    """A recording at the engine's rate, float64, ``(samples, 1 or 2)``; at most a minute.

    At another rate it is resampled by the ratio of the two (polyphase, scipy's ``resample_poly``
    with its own Kaiser window). Raises ``UnsupportedMedia`` for an empty, too long or unreadable
    file, and for more than two channels.
    """
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            if not 0 < file.frames <= MAX_CLIP_S * file.samplerate or file.channels > 2:
                raise UnsupportedMedia("a clip has one or two channels and lasts up to a minute")
            audio, rate = file.read(dtype="float64", always_2d=True), file.samplerate
    except soundfile.LibsndfileError as error:
        raise UnsupportedMedia(f"a clip can't be read: {error}") from None
    if rate == sample_rate:
        return np.asarray(audio)
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(audio, sample_rate, rate, axis=0))
