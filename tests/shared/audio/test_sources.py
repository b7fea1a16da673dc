import numpy as np
import pytest
from numpy.testing import assert_allclose

from shared.audio.modules import (
    AmplitudeEnvelope,
    Lfo,
    NoiseOscillator,
    SawOscillator,
    SineOscillator,
    SquareOscillator,
)
from shared.errors import ValidationError
from tests.shared.audio.rig import CONFIG, RATE, biggest_step, pull

PITCHES_HZ = (27.5, 110.3, 441.7, 1_234.5, 3_951.1, 7_902.1)


def spectrum(audio: np.ndarray) -> np.ndarray:
    """Magnitudes at 1 Hz steps of one second, the loudest at 1; the window's skirts below -160 dB."""
    bins = np.abs(np.fft.rfft(audio * np.kaiser(len(audio), 20.0)))
    return bins / bins.max()


def aliasing_db(audio: np.ndarray, pitch_hz: float) -> float:
    """The loudest bin that is no harmonic."""
    bins = spectrum(audio)
    away = np.arange(len(bins)) % pitch_hz
    inharmonic = np.minimum(away, pitch_hz - away) > 12.0
    return 20.0 * np.log10(bins[inharmonic].max())


@pytest.mark.parametrize("kind", [SineOscillator, SawOscillator, SquareOscillator])
@pytest.mark.parametrize("pitch_hz", PITCHES_HZ)
def test_aliasing_stays_below_60_db(kind, pitch_hz):
    audio = pull(kind("osc", CONFIG, frequency_hz=pitch_hz), RATE)[:, 0]
    assert aliasing_db(audio, pitch_hz) < -100.0


def test_the_measure_sees_the_aliasing_of_a_plain_saw():
    plain = 1.0 - 2.0 * (np.arange(RATE) * 3_951.1 / RATE % 1.0)
    assert aliasing_db(plain, 3_951.1) > -30.0


def test_aliasing_stays_low_through_a_glide():
    # A glide over an octave: whatever appears between the first harmonics has folded back.
    saw = SawOscillator("osc", CONFIG, frequency_hz=5_000.0)
    glide = SineOscillator("glide", CONFIG, frequency_hz=1.0)
    saw.modulate("frequency_hz", glide, depth=1_000.0)
    bins = spectrum(pull(saw, RATE)[:, 0])
    assert 20.0 * np.log10(bins[20:3_500].max()) < -60.0


def test_saw_harmonics_fall_as_one_over_n():
    bins = spectrum(pull(SawOscillator("osc", CONFIG, frequency_hz=500.0), RATE)[:, 0])
    harmonics = bins[500:20_000:500] / bins[500]
    assert harmonics == pytest.approx(1.0 / np.arange(1, len(harmonics) + 1), rel=1e-3)


def test_square_has_odd_harmonics_alone():
    bins = spectrum(pull(SquareOscillator("osc", CONFIG, frequency_hz=500.0), RATE)[:, 0])
    assert bins[1_000] < 1e-6
    assert bins[1_500] == pytest.approx(1.0 / 3.0, rel=1e-3)


def test_sine_is_the_closed_form():
    audio = pull(SineOscillator("osc", CONFIG, frequency_hz=997.0, amplitude=0.6), RATE)[:, 0]
    expected = 0.6 * np.sin(2.0 * np.pi * 997.0 * np.arange(RATE) / RATE)
    assert_allclose(audio, expected, rtol=0, atol=1e-9)


def test_a_pitch_step_keeps_the_phase():
    osc = SineOscillator("osc", CONFIG, frequency_hz=440.0)
    first = osc.process(1_000)
    osc.set_parameter("frequency_hz", 880.0)
    assert biggest_step(np.concatenate([first, osc.process(1_000)])) < 2.0 * np.pi * 900.0 / RATE


def test_noise_is_white_seeded_and_repeatable():
    hiss = NoiseOscillator("hiss", CONFIG, seed=3)
    audio = pull(hiss, RATE)[:, 0]
    assert np.array_equal(audio, pull(hiss, RATE)[:, 0])
    assert not np.array_equal(audio, pull(NoiseOscillator("hiss", CONFIG, seed=4), RATE)[:, 0])
    power = np.abs(np.fft.rfft(audio)) ** 2
    low, high = power[100:8_000].mean(), power[16_000:23_900].mean()
    assert 10.0 * np.log10(high / low) == pytest.approx(0.0, abs=0.5)


def envelope(**times_ms: float) -> AmplitudeEnvelope:
    made = AmplitudeEnvelope("env", CONFIG, attack_ms=10.0, release_ms=20.0)
    for name, value in times_ms.items():
        made.set_parameter(name, value)
    return made


def test_attack_is_a_line_and_decay_an_exponential():
    env = envelope(decay_ms=30.0, sustain=0.25, peak=0.8)
    env.set_parameter("gate", 1.0)
    level = env.process(3_000)[:, 0]
    assert level[:480] == pytest.approx(0.8 * np.arange(480) / 480)
    time = np.arange(1_440) / 1_440
    fall = (10.0 ** (-3.0 * time) - 1e-3) / (1.0 - 1e-3)
    assert level[480:1_920] == pytest.approx(0.2 + 0.6 * fall)
    assert np.all(level[1_920:] == 0.8 * 0.25)


def test_release_ends_in_silence_exactly():
    env = envelope()
    env.set_parameter("gate", 1.0)
    env.process(1_000)
    env.set_parameter("gate", 0.0)
    level = env.process(2_000)[:, 0]
    assert level[0] == 1.0
    assert np.all(np.diff(level) <= 0.0)
    assert not level[960:].any()


def test_opening_the_gate_again_starts_from_where_the_level_is():
    env = envelope()
    env.set_parameter("gate", 1.0)
    parts = [env.process(300)]
    env.set_parameter("gate", 0.0)
    parts.append(env.process(200))
    env.set_parameter("gate", 1.0)
    parts.append(env.process(2_000))
    assert biggest_step(np.concatenate(parts)) < 0.01


@pytest.mark.parametrize("shape", ["sine", "triangle", "square", "ramp"])
def test_lfo_swings_from_minus_one_to_one(shape):
    wave = pull(Lfo("lfo", CONFIG, rate_hz=5.0, shape=shape), RATE)[:, 0]
    assert (wave.min(), wave.max()) == (pytest.approx(-1.0, abs=1e-3), pytest.approx(1.0, abs=1e-3))
    one, next_one = wave[: 2 * RATE // 5].reshape(2, -1)
    assert_allclose(one, next_one, rtol=0, atol=1e-6, equal_nan=False)


def test_modulation_moves_a_control_around_where_it_stands():
    tone = SineOscillator("tone", CONFIG, frequency_hz=6_000.0, amplitude=0.5)
    tone.modulate("amplitude", Lfo("lfo", CONFIG, rate_hz=2.0), depth=0.25)
    loudest = np.abs(pull(tone, RATE)[:, 0]).reshape(-1, 240).max(axis=1)
    assert loudest.max() == pytest.approx(0.75, abs=0.01)
    assert loudest.min() == pytest.approx(0.25, abs=0.01)


def test_modulation_stays_within_the_control_s_range():
    tone = SineOscillator("tone", CONFIG, amplitude=0.9)
    tone.modulate("amplitude", Lfo("lfo", CONFIG, rate_hz=2.0, shape="square"), depth=5.0)
    assert np.abs(pull(tone, RATE)).max() <= 1.0


def test_an_envelope_modulates_too():
    sweep = envelope()
    tone = SineOscillator("tone", CONFIG, frequency_hz=400.0)
    tone.modulate("frequency_hz", sweep, depth=1.0, unit="octaves")
    sweep.set_parameter("gate", 1.0)
    audio = tone.process(RATE)[:, 0]
    settled = audio[RATE // 2 :]
    crossings = np.flatnonzero((settled[:-1] < 0.0) & (settled[1:] >= 0.0))
    assert len(crossings) == pytest.approx(400, abs=1)


def test_modulating_in_a_circle_or_a_trigger_is_refused():
    one, other = SineOscillator("one", CONFIG), SineOscillator("other", CONFIG)
    one.modulate("amplitude", other, depth=0.1)
    with pytest.raises(ValidationError, match="would modulate itself through 'one'"):
        other.modulate("amplitude", one, depth=0.1)
    with pytest.raises(ValidationError, match="can't be modulated"):
        envelope().modulate("gate", one, depth=1.0)
    with pytest.raises(ValidationError, match="shapes: sine, triangle"):
        Lfo("lfo", CONFIG, shape="zigzag")
