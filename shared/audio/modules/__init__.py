"""The modules that make and shape sound."""

from shared.audio.modules.base import AudioModule
from shared.audio.modules.envelope import AmplitudeEnvelope
from shared.audio.modules.filters import OnePoleLowPass, StateVariableFilter
from shared.audio.modules.layers import ClipSampleLayer
from shared.audio.modules.mixer import MixBus
from shared.audio.modules.modulation import Lfo
from shared.audio.modules.oscillators import (
    NoiseOscillator,
    SawOscillator,
    SineOscillator,
    SquareOscillator,
)
from shared.audio.modules.sampler import ClipSampler
from shared.audio.modules.space import Delay, Reverb

__all__ = [
    "AmplitudeEnvelope",
    "AudioModule",
    "ClipSampleLayer",
    "ClipSampler",
    "Delay",
    "Lfo",
    "MixBus",
    "NoiseOscillator",
    "OnePoleLowPass",
    "Reverb",
    "SawOscillator",
    "SineOscillator",
    "SquareOscillator",
    "StateVariableFilter",
]
