import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.signal import lfilter, sosfreqz, tf2sos

from shared.audio.modules import Delay, MixBus, OnePoleLowPass, Reverb, StateVariableFilter
from shared.audio.modules.dsp import one_pole, two_states
from shared.errors import ValidationError
from tests.shared.audio.rig import BLOCK_SIZES, CONFIG, RATE, Feed, noise, pull


def impulse(frames: int = RATE) -> np.ndarray:
    return np.eye(1, frames)[0]


def test_one_pole_is_scipy_s_lfilter():
    x = noise(20_000, 2)
    a = 1.0 - np.exp(-2.0 * np.pi * 700.0 / RATE)
    expected = lfilter([a], [1.0, a - 1.0], x, axis=0)
    filtered = pull(OnePoleLowPass("lp", CONFIG, Feed(x), cutoff_hz=700.0), 20_000)
    assert_allclose(filtered, expected, rtol=0, atol=1e-12)


def test_one_pole_s_impulse_response_is_the_closed_form():
    response = pull(OnePoleLowPass("lp", CONFIG, Feed(impulse()), cutoff_hz=1_000.0), 2_000)[:, 0]
    pole = np.exp(-2.0 * np.pi * 1_000.0 / RATE)
    assert_allclose(response, (1.0 - pole) * pole ** np.arange(2_000), rtol=0, atol=1e-12)


@pytest.mark.parametrize("block", BLOCK_SIZES)
def test_a_recursion_with_moving_coefficients_is_the_plain_loop(block):
    x, pole = noise(5_000)[:, 0], 0.5 + 0.49 * noise(5_000, seed=2)[:, 0]
    expected, state = np.empty(5_000), 0.3
    x = x[:, None]
    for n in range(5_000):
        expected[n] = state = x[n, 0] + pole[n] * state
    parts, state = [], np.array([0.3])
    for at in range(0, 5_000, block):
        parts.append(one_pole(x[at : at + block], pole[at : at + block], state))
        state = parts[-1][-1]
    assert_allclose(np.concatenate(parts)[:, 0], expected, rtol=0, atol=1e-12)


def test_a_two_state_recursion_is_the_plain_loop():
    x, turn = noise(2_000)[:, 0], 0.3 * noise(2_000, seed=2)[:, 0]
    matrix = (0.9 * np.cos(turn), -0.9 * np.sin(turn), 0.9 * np.sin(turn), 0.9 * np.cos(turn))
    state = np.array([0.1, -0.2])
    (states,) = two_states(x[:, None], matrix, (0.5, -0.25), state[None])
    expected = []
    for n in range(2_000):
        m = np.array([[matrix[0][n], matrix[1][n]], [matrix[2][n], matrix[3][n]]])
        state = m @ state + np.array([0.5, -0.25]) * x[n]
        expected.append(state)
    assert_allclose(states[1:], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", ["lowpass", "highpass", "bandpass", "notch"])
@pytest.mark.parametrize("resonance", [0.0, 0.6])
def test_the_multi_mode_filter_is_the_bilinear_biquad(mode, resonance):
    """The trapezoidal SVF has the transfer function of the bilinear-transformed analogue filter."""
    cutoff = 1_500.0
    k = 1.0 / (np.sqrt(0.5) * (20.0 * np.sqrt(2.0)) ** resonance)
    g = np.tan(np.pi * cutoff / RATE)
    low, band, high = (
        np.array([1, 2, 1]) * g * g,
        np.array([1, 0, -1]) * g * k,
        np.array([1, -2, 1]),
    )
    top = {"lowpass": low, "highpass": high, "bandpass": band, "notch": low + high}[mode]
    bottom = np.array([1 + g * k + g * g, 2 * g * g - 2, 1 - g * k + g * g])
    hz, expected = sosfreqz(tf2sos(top / bottom[0], bottom / bottom[0]), 200, fs=RATE)
    svf = StateVariableFilter(
        "svf", CONFIG, Feed(impulse()), mode=mode, cutoff_hz=cutoff, resonance=resonance
    )
    response = pull(svf, RATE)[:, 0]
    turns = np.exp(-2.0j * np.pi * np.outer(hz, np.arange(4_000)) / RATE)
    assert np.abs(turns @ response[:4_000]) == pytest.approx(np.abs(expected), abs=1e-6)


def test_the_filter_stays_steady_under_a_violent_sweep():
    svf = StateVariableFilter("svf", CONFIG, Feed(noise(RATE)), cutoff_hz=3_000.0, resonance=0.95)
    svf.modulate("cutoff_hz", Feed(np.sign(noise(RATE, seed=7))), depth=6.0, unit="octaves")
    audio = pull(svf, RATE)
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() < 40.0


def test_an_unknown_mode_lists_the_known_ones():
    with pytest.raises(ValidationError, match="modes: lowpass, highpass"):
        StateVariableFilter("svf", CONFIG, Feed(impulse()), mode="lopass")


def test_silence_stays_exact_after_a_tail():
    lp = OnePoleLowPass("lp", CONFIG, Feed(impulse(1)), cutoff_hz=200.0)
    assert not pull(lp, 2 * RATE, 128)[-100:].any()


def test_delay_repeats_each_time_softer():
    delay = Delay("echo", CONFIG, Feed(impulse()), time_ms=100.0, feedback=0.5, mix=0.5)
    audio = pull(delay, RATE)[:, 0]
    assert audio[[0, 4_800, 9_600, 14_400]] == pytest.approx([0.5, 0.5, 0.25, 0.125])
    assert np.count_nonzero(audio) == RATE // 4_800


@pytest.mark.parametrize("decay_s", [0.6, 2.0])
def test_reverb_decays_by_60_db_in_its_decay_time(decay_s):
    room = Reverb("room", CONFIG, Feed(impulse(1)), decay_s=decay_s, damping=0.0, mix=1.0)
    audio = pull(room, round(decay_s * RATE) + RATE // 2)
    energy = np.cumsum(np.square(audio).sum(axis=1)[::-1])[::-1]
    curve_db = 10.0 * np.log10(energy / energy[0] + 1e-12)
    at_5, at_35 = np.argmax(curve_db < -5.0), np.argmax(curve_db < -35.0)
    assert 2.0 * (at_35 - at_5) / RATE == pytest.approx(decay_s, rel=0.1)


def test_reverb_is_wide_and_dense():
    room = Reverb("room", CONFIG, Feed(impulse(1)), decay_s=1.5, mix=1.0)
    late = pull(room, RATE)[RATE // 4 : RATE // 2]
    assert abs(np.corrcoef(late.T)[0, 1]) < 0.3
    assert np.count_nonzero(late[:, 0]) > 0.9 * len(late)


def test_a_bus_adds_its_sources_and_pans_with_constant_power():
    one, other = noise(1_000), noise(1_000, seed=2)
    bus = MixBus("bus", CONFIG, [Feed(one, "a"), Feed(other, "b")], gain_db=-6.0)
    expected = np.repeat((one + other) * 10.0 ** (-6.0 / 20.0), 2, axis=1)
    assert pull(bus, 1_000) == pytest.approx(expected)
    for pan in (-1.0, -0.4, 0.7):
        bus = MixBus("bus", CONFIG, [Feed(one, "a")], pan=pan)
        power = np.square(pull(bus, 1_000)).sum()
        assert power == pytest.approx(2.0 * np.square(one).sum())
    assert not pull(MixBus("off", CONFIG, [Feed(one, "a")], gain_db=-96.0), 1_000).any()
