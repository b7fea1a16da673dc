"""One lane's chain of modules: sound, envelope, filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.audio.config import EngineConfig
from shared.audio.families import crossfade_width
from shared.audio.modules import (
    AmplitudeEnvelope,
    AudioModule,
    ClipSampler,
    Lfo,
    NoiseOscillator,
    OnePoleLowPass,
    SawOscillator,
    SineOscillator,
    SquareOscillator,
    StateVariableFilter,
)
from shared.audio.modules.layers import MAX_VELOCITY
from shared.audio.score import InstrumentSetup, Note
from shared.audio.sounds import Sound, Wave

_WAVES: Mapping[Wave, type[SineOscillator | SawOscillator | SquareOscillator]] = {
    "sine": SineOscillator,
    "saw": SawOscillator,
    "square": SquareOscillator,
}


@dataclass(frozen=True, slots=True)
class Turn:
    """A control to be set for a note: module, control, value."""

    module: str
    control: str
    value: float


@dataclass(frozen=True)
class LaneChain:
    """The modules of one lane, from the sound to what its instrument's fader hears."""

    sound: Sound
    source: AudioModule
    envelope: AmplitudeEnvelope
    output: AudioModule
    modules: tuple[AudioModule, ...]

    def starts(self, note: Note) -> list[Turn]:
        """What to turn where a note begins."""
        pitch = self.sound.root_pitch if note.pitch is None else note.pitch
        if isinstance(self.source, ClipSampler):
            turns = [
                Turn(self.source.name, "velocity", note.velocity),
                Turn(self.source.name, "pitch_semitones", pitch - self.sound.root_pitch),
                Turn(self.source.name, "retrigger", 1.0),
            ]
        else:
            turns = [Turn(self.envelope.name, "peak", note.velocity / MAX_VELOCITY)]
            if not isinstance(self.source, NoiseOscillator):
                turns.append(Turn(self.source.name, "frequency_hz", _frequency_hz(pitch)))
        return [*turns, *self.ends(), Turn(self.envelope.name, "gate", 1.0)]

    def ends(self) -> list[Turn]:
        """What to turn where it is let go."""
        return [Turn(self.envelope.name, "gate", 0.0)]


def build_chain(
    lane: str, config: EngineConfig, setup: InstrumentSetup, sound: Sound, *, filtered: bool
) -> LaneChain:
    """The chain of one lane. ``filtered``: somebody will turn its cutoff, so it needs a filter."""
    source = _source(f"{lane} sound", config, sound)
    envelope = AmplitudeEnvelope(
        f"{lane} envelope",
        config,
        source,
        attack_ms=sound.attack_ms,
        release_ms=sound.release_ms,
    )
    envelope.set_parameter("decay_ms", sound.decay_ms)
    envelope.set_parameter("sustain", sound.sustain)
    output: AudioModule = envelope
    if setup.filter_mode:
        output = StateVariableFilter(f"{lane} filter", config, envelope, mode=setup.filter_mode)
    elif filtered:
        output = OnePoleLowPass(f"{lane} filter", config, envelope)
    modules = dict.fromkeys((source, envelope, output))
    chain = LaneChain(sound, source, envelope, output, tuple(modules))
    _adjust(chain, setup, config)
    return chain


def _source(name: str, config: EngineConfig, sound: Sound) -> AudioModule:
    if sound.layers:
        return ClipSampler(name, config, layers=sound.layers)
    if sound.wave == "noise":
        return NoiseOscillator(name, config)
    assert sound.wave is not None
    return _WAVES[sound.wave](name, config)


def _adjust(chain: LaneChain, setup: InstrumentSetup, config: EngineConfig) -> None:
    """Turn the chain's controls to where the instrument has them, and hang its LFOs in."""
    if isinstance(chain.source, ClipSampler):
        width = setup.velocity_crossfade_width
        if width is None:
            width = crossfade_width(setup.family or chain.sound.family)
        chain.source.set_parameter("velocity_crossfade_width", width)
    for control, value in setup.controls.items():
        for module in chain.modules:
            if control in module.controls:
                module.set_parameter(control, value)
    for index, lfo in enumerate(setup.lfos):
        wave = Lfo(f"{chain.output.name} lfo {index}", config, rate_hz=lfo.rate_hz, shape=lfo.shape)
        for module in chain.modules:
            if lfo.control in module.controls:
                module.modulate(lfo.control, wave, depth=lfo.depth, unit=lfo.unit)


def _frequency_hz(pitch: float) -> float:
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))
