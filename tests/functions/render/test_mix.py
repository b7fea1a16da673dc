"""The mix: every gain, fade, pan and filter as an oracle computes it, in blocks of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.render.audio.mix import Mixer, summed
from functions.render.audio.mix_plan import plan_mix
from functions.render.audio.sources import SourcePool, inspect
from shared.contracts.timeline import Timeline
from tests.functions.render import oracle
from tests.functions.render.rig import (
    RATE,
    level_db,
    mix,
    noise,
    one_track,
    premix,
    read,
    tone,
    write,
)

QUIET_DB = -100.0
"""An error this far below full scale is nobody's. (The demand is -80 dB.)"""

CURVES = ("linear", "exponential", "log", "s_curve")


def lane(*points: tuple[float, float], curve: str = "linear") -> list[dict[str, Any]]:
    return [{"time_ms": at, "value": value, "curve": curve} for at, value in points]


def assert_as_the_oracle_says(folder: Path, tracks: list[dict[str, Any]]) -> None:
    sounds = {"a": noise(0.5, seed=1), "b": noise(0.5, seed=2, channels=1)}
    sources = {name: write(folder, sound) for name, sound in sounds.items()}
    heard = premix(folder, sources, {"mix_preset_id": "flat_mix", "tracks": tracks})
    heard_sources = {name: read(path) for name, path in sources.items()}
    wanted = oracle.mixed(heard_sources, tracks, len(heard))
    assert level_db(wanted) > -40, "there is something to compare"
    assert level_db(heard - wanted) < QUIET_DB


@pytest.mark.first_is_quick
@pytest.mark.parametrize(
    ("name", "curve"),
    [
        *(("gain_db", "linear"), ("gain_db", "exponential"), ("pan", "log"), ("pan", "s_curve")),
        *(("lowpass_hz", "linear"), ("lowpass_hz", "s_curve")),
        *(("highpass_hz", "exponential"), ("highpass_hz", "log")),
    ],
)
def test_automation_of_clips_is_exact_at_every_sample(
    tmp_path: Path, name: str, curve: str
) -> None:
    ends = {"gain_db": (-30.0, 6.0), "pan": (-1.0, 1.0)}.get(name, (200.0, 9_000.0))
    points = lane((20.0, ends[0]), (150.02, ends[1]), (380.0, ends[0]), curve=curve)
    clip = {"asset_id": "a", "source_end_ms": 400.0, "automation": {name: points}}
    assert_as_the_oracle_says(tmp_path, [{"clips": [clip]}])


@pytest.mark.first_is_quick
@pytest.mark.parametrize("curve", [*CURVES, "equal_power"])
def test_fades_are_exact_at_every_sample(tmp_path: Path, curve: str) -> None:
    clip = {
        **{"asset_id": "b", "source_start_ms": 50.0, "source_end_ms": 350.0, "start_ms": 33.3},
        **{"fade_in_ms": 100.0, "fade_in_curve": curve},
        **{"fade_out_ms": 77.7, "fade_out_curve": curve},
    }
    assert_as_the_oracle_says(tmp_path, [{"clips": [clip]}])


@pytest.mark.heavy
def test_everything_at_once(tmp_path: Path) -> None:
    swept = {
        "gain_db": lane((0.0, -12.0), (200.0, 0.0), curve="s_curve"),
        "pan": lane((0.0, -0.5), (300.0, 1.0), curve="log"),
        "highpass_hz": lane((10.0, 50.0), (200.0, 900.0)),
        "lowpass_hz": lane((0.0, 15_000.0), (300.0, 700.0)),
    }
    first = {"asset_id": "a", "source_end_ms": 300.0, "fade_in_ms": 40.0, "automation": swept}
    second = {"asset_id": "b", "source_end_ms": 200.0, "start_ms": 250.0, "pan": -0.7}
    third = {"asset_id": "b", "source_start_ms": 100.0, "source_end_ms": 450.0, "gain_db": -3.0}
    tracks = [
        {"clips": [first, second], "gain_db": -2.0, "automation": {"pan": swept["pan"]}},
        {"clips": [third], "pan": 0.25, "automation": {"lowpass_hz": swept["lowpass_hz"]}},
    ]
    assert_as_the_oracle_says(tmp_path, tracks)


@pytest.mark.heavy
def test_a_clip_of_a_recording_on_an_offset_begins_at_zero(tmp_path: Path) -> None:
    sound = tone(2.0)
    sources = {"a": write(tmp_path, sound + 0.1)}
    heard = premix(tmp_path, sources, one_track({"asset_id": "a"}))
    np.testing.assert_allclose(heard[:, :1], sound, atol=1e-3)


@pytest.mark.heavy
@pytest.mark.parametrize("block_frames", [1_000, 4_097, 1 << 15])
def test_blocks_of_any_size_give_the_same(tmp_path: Path, block_frames: int) -> None:
    sources = {name: write(tmp_path, noise(1.0, seed=n)) for n, name in enumerate("ab")}
    moving = {"lowpass_hz": lane((0, 300), (900, 9_000)), "gain_db": lane((0, -9), (900, 0))}
    clips = [
        {"asset_id": "a", "source_end_ms": 600, "speed": 1.3, "automation": {}},
        {"asset_id": "b", "start_ms": 400, "fade_in_ms": 300},
    ]
    timeline = Timeline.model_validate(
        {
            "mix_preset_id": "podcast_mix",
            "tracks": [
                {"role": "music", "clips": clips, "automation": moving},
                {"role": "dialogue", "clips": [{"asset_id": "a", "start_ms": 500}]},
            ],
        }
    )
    found = {name: inspect(path) for name, path in sources.items()}
    plan = plan_mix(timeline, {name: one.length_ms for name, one in found.items()})

    def rendered(size: int) -> Any:
        mixer = Mixer(plan, SourcePool(found, RATE), size)
        return np.concatenate([summed(buses) for buses in mixer.blocks()], axis=1)

    whole = rendered(plan.frames)
    assert level_db(whole) > -40
    assert np.abs(rendered(block_frames) - whole).max() < 1e-6


@pytest.mark.heavy
def test_pan_keeps_the_power_and_leaves_the_middle_alone(tmp_path: Path) -> None:
    source = {"a": write(tmp_path, tone(1.0))}
    powers = []
    for pan in (-1.0, -0.4, 0.0, 0.7, 1.0):
        heard = premix(tmp_path, source, one_track({"asset_id": "a", "pan": pan}))
        powers.append(np.square(heard).mean(axis=0))
    assert np.allclose([power.sum() for power in powers], powers[0].sum(), rtol=1e-5)
    assert powers[0][1] < 1e-12 and powers[4][0] < 1e-12, "hard to a side is that side alone"
    middle = premix(tmp_path, source, one_track({"asset_id": "a"}))
    assert np.array_equal(middle[:, 0], read(source["a"])[:, 0])


def test_an_equal_power_crossfade_keeps_the_level(tmp_path: Path) -> None:
    sources = {name: write(tmp_path, noise(2.0, seed=n)) for n, name in enumerate("ab")}
    first = {"asset_id": "a", "crossfade_out_ms": 1_000}
    heard = premix(tmp_path, sources, one_track(first, {"asset_id": "b", "start_ms": 1_000}))
    levels = [level_db(part) for part in np.split(heard[: 3 * RATE], 12)]
    assert max(levels) - min(levels) < 0.3


def test_a_linear_crossfade_of_one_sound_with_itself_is_that_sound(tmp_path: Path) -> None:
    source = {"a": write(tmp_path, noise(2.0))}
    first = {"asset_id": "a", "source_end_ms": 1_200}
    second = {"asset_id": "a", "source_start_ms": 900, "start_ms": 900, "crossfade_in_ms": 300}
    heard = premix(tmp_path, source, one_track(first, {**second, "crossfade_curve": "linear"}))
    assert level_db(heard - read(source["a"])) < QUIET_DB


def test_moving_controls_make_no_zipper_noise(tmp_path: Path) -> None:
    """Far from the tone there is nothing: steps of a gain would put lines there."""
    source = {"a": write(tmp_path, tone(2.0))}
    moving = {"gain_db": lane((0, -40), (2_000, 0)), "pan": lane((0, -1), (2_000, 1))}
    heard = premix(tmp_path, source, one_track({"asset_id": "a", "automation": moving}))
    spectrum = np.abs(np.fft.rfft(heard[:, 0] * np.blackman(len(heard))))
    hz = np.fft.rfftfreq(len(heard), 1 / RATE)
    away = spectrum[(hz > 2_000) & (hz < 20_000)].max() / spectrum.max()
    assert 20 * np.log10(away) < -110


@pytest.mark.heavy
@pytest.mark.parametrize("speed", [0.5, 1.05, 2.0])
def test_speed_is_that_of_a_tape(tmp_path: Path, speed: float) -> None:
    source = {"a": write(tmp_path, tone(2.0, 1_000))}
    heard = premix(
        tmp_path, source, one_track({"asset_id": "a", "speed": speed, "keep_pitch": False})
    )
    assert len(heard) == round(2.0 * RATE / speed)
    inner = slice(4_800, len(heard) - 4_800)
    wanted = 0.5 * np.sin(2 * np.pi * 1_000 * speed * np.arange(len(heard)) / RATE)
    assert level_db(heard[inner, 0] - wanted[inner]) < -90


@pytest.mark.heavy
def test_other_rates_formats_and_channels_come_in(tmp_path: Path) -> None:
    import subprocess

    wav = write(tmp_path, tone(2.0, 440, channels=2), rate=44_100)
    flac = tmp_path / "source.flac"
    subprocess.run(["ffmpeg", "-v", "error", "-i", wav, flac], check=True)
    for path in (wav, flac):
        heard = premix(tmp_path, {"a": path}, one_track({"asset_id": "a"}))
        assert len(heard) == pytest.approx(96_000 / 44_100 * RATE, abs=RATE / 1000)
        wanted = 0.5 * np.sin(2 * np.pi * 440 * 44_100 / RATE * np.arange(len(heard)) / RATE)
        assert level_db(heard[4_800:-4_800, 1] - wanted[4_800:-4_800]) < -80


@pytest.mark.heavy
def test_one_long_recording_cut_into_many_clips_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from functions.render.audio import sources as module

    started = []
    real = module.audio_blocks
    monkeypatch.setattr(module, "audio_blocks", lambda *a, **k: started.append(a) or real(*a, **k))
    path = write(tmp_path, noise(30.0), rate=44_100)
    clips = [
        {
            **{"asset_id": "a", "source_start_ms": 1_000 * n, "source_end_ms": 1_000 * n + 500},
            "start_ms": 500 * n,
        }
        for n in range(20)
    ]
    heard = premix(tmp_path, {"a": path}, one_track(*clips))
    assert len(started) == 1 and level_db(heard) > -30


def test_muted_tracks_and_silence_between_clips_are_silent(tmp_path: Path) -> None:
    source = {"a": write(tmp_path, noise(0.5))}
    clips = [{"asset_id": "a"}, {"asset_id": "a", "start_ms": 1_500}]
    timeline = one_track(*clips)
    timeline["tracks"].append({"muted": True, "clips": [{"asset_id": "a", "start_ms": 700}]})
    heard = premix(tmp_path, source, timeline)
    assert not heard[RATE // 2 : RATE * 3 // 2].any() and heard[: RATE // 2].any()


def test_section_gains_add_to_the_others(tmp_path: Path) -> None:
    source = {"a": write(tmp_path, tone(1.0))}
    track = one_track({"asset_id": "a"}, gain_db=-6, section_gain_db=lane((0, -6)))
    heard = premix(tmp_path, source, track)
    assert level_db(heard) == pytest.approx(level_db(read(source["a"])) - 12, abs=0.001)


def test_the_same_timeline_gives_the_same_bytes(tmp_path: Path) -> None:
    source = {"a": write(tmp_path, noise(1.0))}
    timeline = {**one_track({"asset_id": "a"}), "markers": [{"time_ms": 100, "name": "x"}]}
    runs = [mix(tmp_path, source, timeline, stems_export=True) for _ in range(2)]
    files = [[one.path.read_bytes() for one in run.result.outputs] for run in runs]
    assert files[0] == files[1]
    assert [one.meta for one in runs[0].result.outputs] == [
        one.meta for one in runs[1].result.outputs
    ]


def pitch_hz(sound: Any) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 19))
    return float(np.argmax(spectrum) * RATE / (1 << 19))


@pytest.mark.heavy
def test_speed_keeps_the_pitch_unless_it_is_to_be_a_tape(tmp_path: Path) -> None:
    sound = tone(2.0, hz=440.0)
    sound[: RATE // 2] = 0.0
    clip = {"asset_id": "a", "speed": 1.25}
    heard = premix(tmp_path, {"a": write(tmp_path, sound)}, one_track(clip))
    assert len(heard) == round(2.0 * RATE / 1.25)
    assert 1200 * abs(np.log2(pitch_hz(heard[RATE // 2 :, 0]) / 440)) < 5
    begins = int(np.argmax(np.abs(heard[:, 0]) > 0.25)) / RATE
    assert begins == pytest.approx(0.5 / 1.25, abs=0.02)


@pytest.mark.heavy
def test_a_stretched_clip_in_the_middle_of_a_recording(tmp_path: Path) -> None:
    """Its window is found to the sample, and the next clip of the recording reads on behind it."""
    source = {"a": write(tmp_path, np.concatenate([tone(1.0, 300.0), tone(1.0, 900.0)]))}
    slow = {"asset_id": "a", "source_start_ms": 1_000, "source_end_ms": 1_500, "speed": 0.5}
    after = {"asset_id": "a", "source_start_ms": 1_500, "start_ms": 1_000}
    heard = premix(tmp_path, source, one_track(slow, after))
    assert len(heard) == 1.5 * RATE
    for part in (heard[4_800:43_200, 0], heard[-RATE // 2 :, 0]):
        assert 1200 * abs(np.log2(pitch_hz(part) / 900)) < 5
