"""Loudness: measured, and reached, as another meter hears it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
from numpy.testing import assert_allclose
from scipy.signal import resample_poly

from functions.transform import fx, loudness, normalise
from shared.contracts.step import StepState
from shared.contracts.step_engine import Engine, InputFile
from shared.errors import UnsupportedMedia, ValidationError
from shared.media.ffmpeg import input_args
from shared.media.ffmpeg import run as run_ffmpeg
from shared.pipeline import KINDS
from shared.sound.loudness_meter import loudness_range_lu
from tests.functions.transform.support import (
    RATE,
    Sound,
    click,
    heard,
    job_of,
    loud_and_quiet,
    noise,
    read,
    recording,
    run,
    tone,
    write,
)
from tests.shared.media.recordings import probed

REAL = [
    "loudness/sine_1000.wav",
    "loudness/test_loud.m4a",
    "loudness/test_quiet.m4a",
    "music/Kevin_MacLeod_-_Vibe_Ace.ogg",
    "music/Hungarian_Dance_number_5_-_Allegro_in_F_sharp_minor_(string_orchestra).ogg",
    "loops/loop_amen.flac",
    "transcript/LJ001-0003.wav",
    "transcript/jfk.flac",
    "shots/nasa_13013.mp4",
]
SYNTHESISED: dict[str, Callable[[], Sound]] = {
    "noise": lambda: noise(3),
    "loud and quiet": lambda: loud_and_quiet(4),
    "tone between samples": lambda: tone(3, RATE / 4 + 0.5, 0.95) * np.hanning(3 * RATE)[:, None],
    "spikes": lambda: noise(4, 0.01) + np.resize(click(1, 0.5, 0.8), (4 * RATE, 2)),
    "mono": lambda: noise(2, channels=1),
    "half a second": lambda: noise(0.5),
    "very quiet": lambda: noise(2, 0.0005),
}


def true_peak_dbtp(sound: Sound) -> float:
    return float(20 * np.log10(np.abs(resample_poly(sound, 8, 1, axis=0)).max()))


def lufs(sound: Sound, rate: int) -> float:
    return float(pyloudnorm.Meter(rate).integrated_loudness(sound))


def check_reached(path: Path, folder: Path, target_lufs: float) -> None:
    result = run(normalise.ENGINE, path, folder, target_lufs=target_lufs)
    meta, after = result.outputs[0].meta, heard(result)
    assert lufs(after, meta["sample_rate_hz"]) == pytest.approx(target_lufs, abs=0.3)
    assert true_peak_dbtp(after) <= -1.0
    stats = meta["norm_stats"]
    assert stats["after"]["integrated_lufs"] == pytest.approx(target_lufs, abs=0.1)
    assert stats["after"]["true_peak_dbtp"] == pytest.approx(true_peak_dbtp(after), abs=0.2)
    assert stats["mode"] in ("linear", "limited")


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "target_lufs"), [*((name, -14) for name in REAL), (REAL[1], -23)])
def test_real_programme_reaches_its_target(name: str, target_lufs: float, tmp_path: Path) -> None:
    check_reached(recording(name), tmp_path, target_lufs)


@pytest.mark.heavy
@pytest.mark.parametrize("name", SYNTHESISED)
def test_synthesised_programme_reaches_its_target(name: str, tmp_path: Path) -> None:
    check_reached(write(tmp_path, SYNTHESISED[name]()), tmp_path, -16)


@pytest.mark.real_case("transform.normalise")
def test_linear_gain_changes_the_level_and_nothing_else(tmp_path: Path) -> None:
    before = loud_and_quiet(5)
    result = run(normalise.ENGINE, write(tmp_path, before, "FLOAT"), tmp_path, target_lufs=-30)
    after, stats = heard(result), result.outputs[0].meta["norm_stats"]
    gain = 10 ** (stats["gain_db"] / 20)
    assert stats["mode"] == "linear" and stats["limited_by_db"] == 0
    assert_allclose(after, before * gain, rtol=0.002, atol=1e-6)
    moved = {name: stats["after"][name] - stats["before"][name] for name in stats["before"]}
    assert moved["loudness_range_lu"] == 0
    assert moved["integrated_lufs"] == pytest.approx(stats["gain_db"], abs=0.011)
    assert moved["true_peak_dbtp"] == pytest.approx(stats["gain_db"], abs=0.06)


@pytest.mark.heavy
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_what_is_reckoned_of_the_result_is_what_measuring_it_says(
    subtype: str, tmp_path: Path
) -> None:
    path = write(tmp_path, loud_and_quiet(4), subtype)
    result = run(normalise.ENGINE, path, tmp_path, target_lufs=-33)
    stats = result.outputs[0].meta["norm_stats"]
    measured = run(loudness.ENGINE, result.outputs[0].path, tmp_path).outputs[0].meta
    assert stats["after_is"] == "reckoned"
    assert stats["after"] == {name: measured[name] for name in stats["after"]}


@pytest.mark.heavy
@pytest.mark.parametrize(("engine", "seed"), [(loudness.ENGINE, 1), (normalise.ENGINE, 3)])
def test_digital_silence_behind_loud_sound_is_silence(
    engine: Engine, seed: int, tmp_path: Path
) -> None:
    """There ffmpeg's meter reports what is no number: it subtracts what it added, and errs."""
    silence = np.zeros((RATE, 2))
    sound = np.concatenate([noise(3, 0.3, seed), 2 * silence, noise(1, 0.001, seed), silence])
    path = write(tmp_path, sound)
    result = run(engine, path, tmp_path)
    assert result.state is StepState.DONE
    measured = run(loudness.ENGINE, path, tmp_path).outputs[0].meta
    assert measured["integrated_lufs"] == pytest.approx(lufs(sound, RATE), abs=0.1)


@pytest.mark.heavy
@pytest.mark.parametrize("channels", [1, 6])
def test_the_limiter_turns_down_only_what_it_must(channels: int, tmp_path: Path) -> None:
    sound = noise(4, 0.05, channels=channels)
    sound[2 * RATE : 2 * RATE + 200] *= 10
    result = run(normalise.ENGINE, write(tmp_path, sound, "FLOAT"), tmp_path)
    stats = result.outputs[0].meta["norm_stats"]
    away = np.abs(np.arange(len(sound)) - 2 * RATE) > 0.4 * RATE
    gain = 10 ** (stats["gain_db"] / 20)
    assert stats["mode"] == "limited"
    assert_allclose(heard(result)[away], sound[away] * gain, rtol=0.005, atol=1e-5)


@pytest.mark.heavy
def test_peaks_over_the_ceiling_are_limited_and_it_says_by_how_much(tmp_path: Path) -> None:
    path = write(tmp_path, SYNTHESISED["spikes"]())
    stats = run(normalise.ENGINE, path, tmp_path).outputs[0].meta["norm_stats"]
    assert stats["mode"] == "limited"
    assert stats["after_is"] == "measured"
    expected = stats["before"]["true_peak_dbtp"] - 16 - stats["before"]["integrated_lufs"] + 1
    assert stats["limited_by_db"] == pytest.approx(expected, abs=0.1)


@pytest.mark.heavy
def test_stop_short_takes_only_the_gain_the_ceiling_allows(tmp_path: Path) -> None:
    before = SYNTHESISED["spikes"]()
    path = write(tmp_path, before, "FLOAT")
    result = run(normalise.ENGINE, path, tmp_path, on_ceiling="stop_short")
    after, stats = heard(result), result.outputs[0].meta["norm_stats"]
    assert stats["mode"] == "stopped_short" and result.state is StepState.DEGRADED
    assert "over the ceiling" in (result.reason or "")
    assert -1.2 < true_peak_dbtp(after) <= -1
    assert stats["short_by_lu"] == pytest.approx(-16 - lufs(after, RATE), abs=0.3)
    assert_allclose(after, before * 10 ** (stats["gain_db"] / 20), rtol=0.002, atol=1e-6)


@pytest.mark.heavy
def test_out_of_reach_is_said_and_the_ceiling_still_holds(tmp_path: Path) -> None:
    path = write(tmp_path, click(5, 1.0))
    result = run(normalise.ENGINE, path, tmp_path, target_lufs=-5, ceiling_dbtp=-20)
    assert result.state is StepState.DEGRADED
    assert "LU short of the target" in (result.reason or "")
    assert true_peak_dbtp(heard(result)) <= -20


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (np.zeros((RATE, 2)), "silent"),
        (noise(2, 1e-6), "softer than -70 LUFS"),
        (noise(0.3), "shorter than 400 ms"),
        (noise(0.001), "shorter than 400 ms"),
    ],
)
def test_undefined_loudness_is_skipped_with_its_reason(
    sound: Sound, reason: str, tmp_path: Path
) -> None:
    path = write(tmp_path, sound)
    result = run(normalise.ENGINE, path, tmp_path)
    assert result.state is StepState.SKIPPED and not result.outputs
    assert (result.reason or "").startswith(reason)
    measured = json.loads(run(loudness.ENGINE, path, tmp_path).outputs[0].path.read_text())
    assert measured["integrated_lufs"] is None and measured["undefined"] == reason


@pytest.mark.heavy
@pytest.mark.parametrize(("subtype", "channels"), [("PCM_16", 1), ("FLOAT", 2), ("PCM_16", 6)])
def test_rate_channels_and_length_are_kept(subtype: str, channels: int, tmp_path: Path) -> None:
    path = write(tmp_path, noise(1.037, channels=channels), subtype, 44_100)
    after = heard(run(normalise.ENGINE, path, tmp_path, target_lufs=-10))
    assert after.shape == read(path).shape


@pytest.mark.heavy
def test_an_earlier_measurement_is_where_it_begins_and_the_result_is_measured(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, noise(3))
    file = tmp_path / "loudness.json"
    file.write_text('{"integrated_lufs": -40.0, "loudness_range_lu": 2.0, "true_peak_dbtp": -30.0}')
    inputs = {"transform.loudness": [InputFile("a", "audio_loudness", file, {})]}
    job = job_of(path, tmp_path, inputs)
    engine = normalise.ENGINE
    result = engine.run(job, engine.params(target_lufs=-30), engine.backend())
    stats = result.outputs[0].meta["norm_stats"]
    assert stats["before"]["integrated_lufs"] == -40 and stats["rounds"] == 2
    assert lufs(heard(result), RATE) == pytest.approx(-30, abs=0.1)

    file.write_text("[1]")
    with pytest.raises(ValidationError, match="no measurement of loudness"):
        engine.run(job_of(path, tmp_path, inputs), engine.params(), engine.backend())


@pytest.mark.heavy
def test_targets_beyond_the_range_are_clamped_and_reported(tmp_path: Path) -> None:
    path = write(tmp_path, noise(1, 0.01))
    result = run(normalise.ENGINE, path, tmp_path, target_lufs=-99, ceiling_dbtp=3)
    meta = result.outputs[0].meta
    assert meta["target_lufs"] == -60
    assert meta["clamped"]["ceiling_dbtp"] == {"given": 3, "used": 0}
    assert set(KINDS["audio_normalised"].demands) <= set(meta)


@pytest.mark.heavy
@pytest.mark.parametrize("target_lufs", [-6, -30])
def test_same_input_same_bytes(target_lufs: float, tmp_path: Path) -> None:
    path = write(tmp_path, noise(1.5))
    one, other = (run(normalise.ENGINE, path, tmp_path, target_lufs=target_lufs) for _ in "ab")
    assert one.outputs[0].path.read_bytes() == other.outputs[0].path.read_bytes()
    assert one.outputs[0].meta == other.outputs[0].meta


def test_range_follows_tech_3342() -> None:
    # Tech 3342, test signal 1: 20 s at -20 LUFS, 20 s at -30 LUFS: 10 LU.
    assert loudness_range_lu([-20.0] * 200 + [-30.0] * 200) == pytest.approx(10, abs=0.1)
    assert loudness_range_lu([-20.0] * 200 + [-45.0] * 200) == 0  # below the relative gate
    assert loudness_range_lu([-70.0, -math.inf]) is None


@pytest.mark.real_case("transform.loudness")
def test_a_steady_tone_has_no_range(tmp_path: Path) -> None:
    measured = run(loudness.ENGINE, write(tmp_path, tone(6, 1000)), tmp_path).outputs[0].meta
    assert measured["loudness_range_lu"] == pytest.approx(0, abs=0.05)
    assert measured["true_peak_dbtp"] == pytest.approx(-6, abs=0.1)
    assert measured["integrated_lufs"] == pytest.approx(-6, abs=0.1)


@pytest.mark.heavy
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    sound = noise(1)
    sound[1000] = np.nan
    with pytest.raises(UnsupportedMedia, match="not numbers"):
        run(normalise.ENGINE, write(tmp_path, sound, "FLOAT"), tmp_path)


@pytest.mark.parametrize(
    ("engine", "params"), [(normalise.ENGINE, {}), (fx.ENGINE, {"preset_id": "tape"})]
)
def test_a_recorders_time_of_day_and_its_tags_are_kept(
    engine: Engine, params: dict[str, str], tmp_path: Path
) -> None:
    """Editors place a recording by it; without it nothing says where the result belongs, or what it is."""
    sound, bwf = write(tmp_path, loud_and_quiet(1)), tmp_path / "t01.wav"
    told = {"time_reference": "1382400000", "description": "Sc 5 \u00d6l=1", "originator": "MixPre"}
    told |= {"title": "T3", "origination_date": "2024-05-06"}
    stamped = [word for tag in told.items() for word in ("-metadata", "=".join(tag))]
    run_ffmpeg(["-y", *input_args(sound, "wav"), *stamped, "-write_bext", "1", bwf], timeout_s=30)
    job = replace(job_of(sound, tmp_path), source=bwf, media=probed(bwf))
    result = engine.run(job, engine.params.model_validate(params), engine.backend())
    made = probed(result.outputs[0].path)
    assert made.time_reference == 1_382_400_000
    assert dict(made.tags) == {
        **{"title": "T3", "comment": "Sc 5 \u00d6l=1", "encoded_by": "MixPre"},
        "date": "2024-05-06",
    }
    assert made.tags == job.media.tags
