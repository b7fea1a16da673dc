import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audio.modules import ClipSampleLayer, ClipSampler
from shared.audio.modules.layers import layer_weights
from shared.errors import ValidationError
from tests.shared.audio.rig import CONFIG, RATE, biggest_step, noise

RAMP = np.linspace(0.0, 1.0, 10_000)


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2.0 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


def three_layers(*seconds: float) -> list[ClipSampleLayer]:
    """Soft, mid and bold, each a tone of its own: 300, 700 and 1,900 Hz."""
    lengths = seconds or (1.0, 1.0, 1.0)
    ranges = ((0, 64), (65, 104), (105, 127))
    return [
        ClipSampleLayer(tone(hz, length), low, high)
        for hz, length, (low, high) in zip((300, 700, 1_900), lengths, ranges, strict=True)
    ]


def level_of(audio: np.ndarray, hz: float) -> float:
    """Amplitude of one tone in mono audio."""
    time = np.arange(len(audio)) / RATE
    window = np.hanning(len(audio))
    return 2.0 * abs(np.sum(audio * window * np.exp(-2.0j * np.pi * hz * time))) / window.sum()


def play(sampler: ClipSampler, velocity: float) -> None:
    sampler.set_parameter("velocity", velocity)
    sampler.set_parameter("retrigger", 1.0)


def one_clip(**controls: float) -> ClipSampler:
    sampler = ClipSampler("one", CONFIG, layers=[ClipSampleLayer(RAMP)])
    for name, value in controls.items():
        sampler.set_parameter(name, value)
    return sampler


def test_silent_until_played_then_the_clip_itself():
    sampler = one_clip(velocity=127.0)
    assert not sampler.process(500).any()
    sampler.set_parameter("retrigger", 1.0)
    audio = sampler.process(12_000)[:, 0]
    assert np.array_equal(audio[:10_000], RAMP)
    assert not audio[10_000:].any()


def test_start_and_length_choose_the_stretch():
    sampler = one_clip(velocity=127.0, start_percent=0.2, length_percent=0.4)
    sampler.set_parameter("retrigger", 1.0)
    audio = sampler.process(10_000)[:, 0]
    assert np.flatnonzero(audio)[-1] in (3_998, 3_999)
    assert np.array_equal(audio[200:3_800], RAMP[2_200:5_800])
    assert biggest_step(audio) < 0.011, "entering and leaving in the midst of a clip must not click"


def test_soft_notes_are_softer_and_skip_into_the_body():
    sampler = one_clip(
        velocity_amplitude_min=0.3,
        velocity_amplitude_max=1.0,
        velocity_start_offset_percent=0.25,
    )
    play(sampler, 0.0)
    assert np.array_equal(sampler.process(6_000)[200:], 0.3 * RAMP[2_700:8_500, None])
    sampler.reset()
    play(sampler, 127.0)
    assert np.array_equal(sampler.process(6_000)[:, 0], RAMP[:6_000])


@pytest.mark.parametrize(("velocity", "hz"), [(20, 300), (64, 300), (65, 700), (127, 1_900)])
def test_without_crossfade_one_layer_sounds(velocity, hz):
    sampler = ClipSampler("keys", CONFIG, layers=three_layers())
    sampler.set_parameter("velocity_amplitude_min", 1.0)
    play(sampler, velocity)
    audio = sampler.process(9_600)[:, 0]
    for other in (300, 700, 1_900):
        assert level_of(audio, other) == pytest.approx(float(other == hz), abs=1e-3)


def test_sampler_velocity_crossfade_preserves_decay_tails():
    """In the crossfade the mid layer sounds too, and rings on after the bold one has ended."""
    sampler = ClipSampler("pad", CONFIG, layers=three_layers(1.0, 1.0, 0.25))
    sampler.set_parameter("velocity_amplitude_min", 1.0)
    sampler.set_parameter("velocity_crossfade_width", 12.0)
    play(sampler, 108.0)
    audio = sampler.process(RATE)[:, 0]
    both, tail = audio[: RATE // 5], audio[RATE // 2 :]
    assert level_of(both, 1_900) > level_of(both, 700) > 0.2
    assert level_of(tail, 700) == pytest.approx(level_of(both, 700), rel=0.02)


@pytest.mark.parametrize("phase", [0.0, 0.5, 1.0])
def test_a_crossfade_is_as_loud_as_its_layers_whether_they_are_in_phase_or_not(phase):
    time = np.arange(RATE) / RATE
    halves = [np.sin(2.0 * np.pi * 220.0 * time + angle) for angle in (0.0, phase * np.pi / 2.0)]
    layers = [ClipSampleLayer(halves[0], 0, 63), ClipSampleLayer(halves[1], 64, 127)]
    sampler = ClipSampler("keys", CONFIG, layers=layers)
    sampler.set_parameter("velocity_amplitude_min", 1.0)
    sampler.set_parameter("velocity_crossfade_width", 12.0)
    for velocity in (40.0, 60.0, 63.5, 66.0, 90.0):
        sampler.reset()
        play(sampler, velocity)
        power = np.square(sampler.process(RATE // 2)).mean()
        assert 10.0 * np.log10(power / 0.5) == pytest.approx(0.0, abs=0.05)


def test_a_long_retrigger_fade_keeps_the_tail_under_hammered_notes():
    sampler = ClipSampler("pad", CONFIG, layers=three_layers())
    sampler.set_parameter("retrigger_fade_ms", 2_000.0)
    play(sampler, 90.0)
    sampler.process(4_800)
    play(sampler, 127.0)
    assert level_of(sampler.process(9_600)[:, 0], 700) > 0.5


@given(st.floats(0, 127), st.floats(0, 127))
def test_layers_keep_their_power_at_any_velocity_and_width(velocity, width):
    weights = layer_weights(three_layers(), velocity, width)
    assert np.square(weights).sum() == pytest.approx(1.0)


@given(st.floats(0, 126.9))
def test_a_crossfade_has_no_seams(velocity):
    before = layer_weights(three_layers(), velocity, 12.0)
    after = layer_weights(three_layers(), velocity + 0.1, 12.0)
    assert np.abs(after - before).max() < 0.02


def test_no_click_at_retriggers():
    """A tone retriggered in full swing steps no more than the tone and the fade themselves do."""
    sampler = ClipSampler("tone", CONFIG, layers=[ClipSampleLayer(tone(220.0))])
    parts = []
    for frames in (2_345, 1_111, 37, 5_003):
        play(sampler, 127.0)
        parts.append(sampler.process(frames))
    audio = np.concatenate(parts)
    own_step = 2.0 * np.pi * 220.0 / RATE
    assert biggest_step(audio) < 2.5 * own_step
    cut = np.concatenate([tone(220.0)[:2_345], tone(220.0)[:1_111]])
    assert biggest_step(cut) > 10.0 * own_step, "cutting hard here would click"


def test_transposing_moves_the_pitch():
    sampler = ClipSampler("tone", CONFIG, layers=[ClipSampleLayer(tone(1_000.0))])
    sampler.set_parameter("velocity_amplitude_min", 1.0)
    for semitones, hz in ((7.0, 1_498.307), (-12.0, 500.0)):
        sampler.reset()
        sampler.set_parameter("pitch_semitones", semitones)
        play(sampler, 127.0)
        assert level_of(sampler.process(19_200)[2_000:17_000, 0], hz) == pytest.approx(
            1.0, abs=0.01
        )


def test_stereo_stays_stereo():
    clip = noise(1_000, 2)
    sampler = ClipSampler("wide", CONFIG, layers=[ClipSampleLayer(clip)])
    play(sampler, 127.0)
    assert np.array_equal(sampler.process(1_000), clip)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (lambda: [], "at least one clip"),
        (lambda: [ClipSampleLayer(RAMP, 90, 20)], "not a range within 0 to 127"),
        (
            lambda: [ClipSampleLayer(RAMP), ClipSampleLayer(noise(9, 2))],
            "all be mono, or all|all clips",
        ),
        (lambda: [ClipSampleLayer(np.array([np.nan]))], "no numbers"),
        (lambda: [ClipSampleLayer(np.zeros((0, 2)))], "one or two channels"),
    ],
)
def test_layers_that_cannot_play_are_refused(layers, words):
    with pytest.raises(ValidationError, match=words):
        ClipSampler("bad", CONFIG, layers=layers())
