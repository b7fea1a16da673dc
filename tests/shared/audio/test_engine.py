import subprocess
import sys

import numpy as np
import pytest

from shared.audio.engine import EngineConfig, OfflineAudioEngine
from shared.audio.modules import (
    AmplitudeEnvelope,
    ClipSampleLayer,
    ClipSampler,
    Delay,
    Lfo,
    MixBus,
    NoiseOscillator,
    OnePoleLowPass,
    Reverb,
    SawOscillator,
    SineOscillator,
    SquareOscillator,
    StateVariableFilter,
)
from shared.audio.tempo import TempoChange, TempoMap
from shared.errors import ValidationError
from tests.shared.audio.rig import BLOCK_SIZES, RATE, noise

# These 0.15 s hold every kind of change: steps, fades in all curves, retriggers, glides.
DURATION_S = 0.15
TEMPO = TempoMap(1_000, [TempoChange(1, 666.6)])


def everything(config: EngineConfig) -> OfflineAudioEngine:
    """An engine with every module, busy at odd moments."""
    engine = OfflineAudioEngine(config, TEMPO)
    sine, saw = SineOscillator("sine", config), SawOscillator("saw", config, frequency_hz=110.3)
    square, hiss = SquareOscillator("square", config), NoiseOscillator("hiss", config, seed=5)
    layers = [
        ClipSampleLayer(noise(4_000, 2, 3), max_velocity=60),
        ClipSampleLayer(noise(9_000, 2, 4), min_velocity=61),
    ]
    sampler = ClipSampler("sampler", config, layers=layers, start_percent=0.1, length_percent=0.7)
    sampler.set_parameter("velocity_crossfade_width", 20.0)
    group = MixBus("group", config, [sine, saw, square, hiss])
    envelope = AmplitudeEnvelope("envelope", config, group, attack_ms=7.0, release_ms=31.0)
    one_pole = OnePoleLowPass("one pole", config, envelope, cutoff_hz=900.0)
    wah = StateVariableFilter("wah", config, sampler, mode="bandpass", resonance=0.7)
    lfo = Lfo("lfo", config, rate_hz=11.0)
    wah.modulate("cutoff_hz", lfo, depth=1.5, unit="octaves")
    square.modulate("pulse_width", lfo, depth=0.3)
    delay = Delay("delay", config, wah, time_ms=13.7, feedback=0.6)
    reverb = Reverb("reverb", config, delay, decay_s=0.8)
    master = MixBus("master", config, [one_pole, reverb], gain_db=-9.0)
    for module in (sine, saw, square, hiss, group, sampler, envelope, one_pole, wah, delay, reverb):
        engine.add_module(module)
    engine.add_module(master, as_output=True)
    change = engine.schedule_parameter_change
    for beat in (0.0, 0.37, 1.201):
        change("sampler", "velocity", beats=beat, value=40.0 + 30.0 * beat)
        change("sampler", "pitch_semitones", beats=beat, value=round(beat * 5))
        change("sampler", "retrigger", beats=beat, value=1.0)
        change("envelope", "gate", beats=beat, value=1.0)
        change("envelope", "gate", beats=beat + 0.21, value=0.0)
    change("sine", "frequency_hz", beats=0.5, value=1_234.5)
    change("saw", "frequency_hz", beats=0.11, value=3_000.0, fade_beats=0.9)
    change("one pole", "cutoff_hz", beats=0.1, value=8_000.0, fade_beats=0.5, curve="exponential")
    change("one pole", "cutoff_hz", beats=0.4, value=300.0, fade_beats=0.3, curve="s_curve")
    change("wah", "cutoff_hz", beats=0.6, value=2_000.0)
    change("master", "pan", beats=0.3, value=0.8, fade_beats=1.0, curve="log")
    change("group", "pan", beats=0.45, value=-0.6)
    change("delay", "feedback", beats=0.7, value=0.1, fade_beats=0.2)
    return engine


def rendered(block_size: int, joined_frames: int = 1) -> np.ndarray:
    config = EngineConfig(RATE, block_size, joined_frames=joined_frames)
    # Single samples take a thousand times as long a second, and a third of it has changes enough.
    return everything(config).render(DURATION_S / 3 if block_size == 1 else DURATION_S)


@pytest.fixture(scope="module")
def whole() -> np.ndarray:
    return rendered(65_536)


@pytest.mark.parametrize("block_size", BLOCK_SIZES)
def test_block_sizes_make_no_difference_to_any_module(whole, block_size):
    assert np.abs(whole).max() > 0.05
    found = rendered(block_size)
    assert np.array_equal(found, whole[: len(found)])


@pytest.mark.parametrize("block_size", [1, 77, 128])
def test_joining_blocks_makes_no_difference(whole, block_size):
    found = rendered(block_size, 8_192)
    assert np.array_equal(found, whole[: len(found)])


def test_rendering_again_gives_the_same_bytes():
    engine = everything(EngineConfig(RATE))
    assert engine.render(DURATION_S).tobytes() == engine.render(DURATION_S).tobytes()


def test_blocks_are_handed_out_in_the_size_asked_for(whole):
    blocks = list(everything(EngineConfig(RATE, 500)).render_blocks(DURATION_S))
    assert {len(block) for block in blocks[:-1]} == {500}
    assert np.array_equal(np.concatenate(blocks), whole)


def test_taps_are_heard_beside_the_output(whole):
    parts = everything(EngineConfig(RATE)).render_with_taps(DURATION_S, ["one pole", "reverb"])
    master, dry, wet = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
    assert np.array_equal(master, whole)
    assert np.abs(dry).max() > 0.01
    assert np.abs(wet).max() > 0.01


def test_an_event_lands_on_its_frame():
    config = EngineConfig(RATE, 128)
    engine = OfflineAudioEngine(config, TempoMap(60))
    tone = SineOscillator("tone", config, frequency_hz=12_000.0, amplitude=0.0)
    engine.add_module(tone, as_output=True)
    engine.schedule_parameter_change("tone", "amplitude", beats=1_001 / RATE, value=1.0)
    audio = engine.render(0.1)[:, 0]
    assert not audio[:1_001].any()
    assert abs(audio[1_001]) == pytest.approx(1.0, abs=1e-6)


def test_automation_follows_the_tempo_map():
    config = EngineConfig(RATE)
    engine = OfflineAudioEngine(config, TempoMap(60, [TempoChange(1, 120)]))
    hiss = NoiseOscillator("hiss", config, amplitude=0.0)
    engine.add_module(hiss, as_output=True)
    engine.schedule_parameter_change("hiss", "amplitude", beats=2.0, value=1.0)
    assert np.flatnonzero(engine.render(2.0)[:, 0])[0] == 72_000


def test_a_mono_engine_gives_one_channel():
    config = EngineConfig(RATE, channels=1)
    engine = OfflineAudioEngine(config)
    engine.add_module(SineOscillator("tone", config), as_output=True)
    assert engine.render(0.01).shape == (480, 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("tone", "loudness", 1.0), "tone: has no control 'loudness'; controls: frequency_hz"),
        (("tune", "amplitude", 1.0), "there is no 'tune'; modules: tone, echo"),
        (("tone", "frequency_hz", 30_000.0), "tone: Pitch: 30,000 Hz is outside 1 Hz to 20,000 Hz"),
        (("tone", "amplitude", float("nan")), "outside 0 to 1"),
        (("echo", "time_ms", 200.0), "echo: Time: is chosen before the sound starts"),
    ],
)
def test_errors_name_the_control_in_words(change, words):
    config = EngineConfig(RATE)
    engine = OfflineAudioEngine(config)
    tone = engine.add_module(SineOscillator("tone", config))
    engine.add_module(Delay("echo", config, tone), as_output=True)
    module, parameter, value = change
    with pytest.raises(ValidationError, match=words):
        engine.schedule_parameter_change(module, parameter, beats=0.0, value=value)


def test_no_output_no_name_twice_no_endless_rendering():
    config = EngineConfig(RATE)
    engine = OfflineAudioEngine(config)
    engine.add_module(SineOscillator("tone", config))
    with pytest.raises(ValidationError, match="as_output=True"):
        engine.render(1.0)
    with pytest.raises(ValidationError, match="there is a 'tone' already"):
        engine.add_module(SineOscillator("tone", config), as_output=True)
    with pytest.raises(ValidationError, match="not within 0 to 3,600 s"):
        engine.render(1e9)


def test_the_engine_loads_without_scipy():
    code = (
        "import sys, shared.audio.engine, shared.audio.modules, shared.audio.bridge;"
        "heavy = {'scipy', 'pydantic', 'numba', 'pyloudnorm'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
