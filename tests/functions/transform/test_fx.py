"""transform.fx and transform.macro: the mix, the checks, what the meta says."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from functions.transform import fx, macro
from functions.transform.macros import MACROS
from functions.transform.presets import PRESETS
from functions.transform.reading_back import WINDOW_FRAMES, as_windows
from functions.transform.sound import open_sound, written
from functions.transform.spectrum import spectrum_db
from shared.contracts.step_engine import Engine
from shared.errors import RushesError, UnsupportedMedia, ValidationError
from shared.media.ffmpeg_filters import filters_of
from shared.pipeline import KINDS
from tests.functions.transform.support import (
    RATE,
    click,
    heard,
    job_of,
    level_db,
    noise,
    read,
    recording,
    run,
    stereo,
    tone,
    write,
)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("engine", "params", "subtype"),
    [
        (fx.ENGINE, {"preset_id": "voice_clean_up", "dry_wet": 0}, "PCM_U8"),
        (fx.ENGINE, {"preset_id": "voice_clean_up", "dry_wet": 0}, "DOUBLE"),
        (macro.ENGINE, {"macro_id": "dream", "dry_wet": 0}, "PCM_16"),
        (macro.ENGINE, {"macro_id": "dream", "dry_wet": 0}, "FLOAT"),
        (macro.ENGINE, {"macro_id": "dream", "amount": 0}, "PCM_24"),
        (macro.ENGINE, {"macro_id": "dream", "amount": 0}, "PCM_32"),
    ],
)
def test_dry_is_the_input_to_the_bit(
    engine: Engine, params: dict[str, Any], subtype: str, tmp_path: Path
) -> None:
    path = write(tmp_path, noise(0.7, 0.2), subtype, 44_100)
    assert np.array_equal(heard(run(engine, path, tmp_path, **params)), read(path))


@pytest.mark.heavy
@pytest.mark.parametrize(
    "preset_id", ["voice_clean_up", "tape", "room", "stutter", "reverse_swell", "de_ess"]
)
def test_half_wet_is_half_of_each_in_time(preset_id: str, tmp_path: Path) -> None:
    dry = noise(2, 0.05)
    path = write(tmp_path, dry, "FLOAT")
    wet, half = (
        heard(run(fx.ENGINE, path, tmp_path, preset_id=preset_id, dry_wet=share))
        for share in (1, 0.5)
    )
    assert np.abs(wet - dry).max() > 0.001
    assert_allclose(half, (dry + wet) / 2, atol=2e-6)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("preset_id", "channels"),
    [("voice_clean_up", 1), ("room", 6), ("de_ess", 2), ("reverse_swell", 6), ("robot", 1)],
)
def test_rate_channels_and_length_are_kept(preset_id: str, channels: int, tmp_path: Path) -> None:
    path = write(tmp_path, noise(0.9731, channels=channels), "PCM_16", 22_050)
    result = run(fx.ENGINE, path, tmp_path, preset_id=preset_id)
    assert heard(result).shape == read(path).shape
    meta = result.outputs[0].meta
    assert (meta["sample_rate_hz"], meta["channels"]) == (22_050, channels)


@pytest.mark.heavy
def test_result_beyond_full_scale_is_float_and_not_clipped(tmp_path: Path) -> None:
    path = write(tmp_path, tone(1, 500, 0.9), "PCM_16")
    result = run(fx.ENGINE, path, tmp_path, preset_id="bus_glue", dry_wet=0, gain_db=12)
    meta = result.outputs[0].meta
    assert meta["sample_format"] == "float32"
    assert meta["peak_dbfs"] == pytest.approx(20 * np.log10(0.9) + 12, abs=0.1)
    assert np.abs(heard(result)).max() == pytest.approx(0.9 * 10 ** (12 / 20), rel=0.01)


@pytest.mark.heavy
def test_tail_lets_echoes_ring_out(tmp_path: Path) -> None:
    path = write(tmp_path, click(1, 0.9))
    result = run(fx.ENGINE, path, tmp_path, preset_id="tape_echo", tail_ms=1000)
    after = heard(result)
    assert len(after) == 2 * RATE
    assert level_db(after[round(1.2 * RATE) :]) > -70


@pytest.mark.heavy
def test_values_out_of_range_are_clamped_and_reported(tmp_path: Path) -> None:
    result = run(
        fx.ENGINE,
        write(tmp_path, noise(0.5)),
        tmp_path,
        preset_id="telephone",
        knobs={"grit": 7, "low_hz": 300},
        dry_wet=1.5,
        gain_db=-100,
    )
    meta = result.outputs[0].meta
    assert meta["clamped"] == {
        "grit": {"given": 7, "used": 1},
        "dry_wet": {"given": 1.5, "used": 1},
        "gain_db": {"given": -100, "used": -24},
    }
    assert meta["knob_values"] == {"low_hz": 300, "high_hz": 3300, "grit": 1}
    assert meta["dry_wet"] == 1


@pytest.mark.parametrize(
    ("engine", "params", "field", "listed"),
    [
        (fx.ENGINE, {}, "preset_id", "telephone"),
        (fx.ENGINE, {"preset_id": "phone"}, "preset_id", "telephone"),
        (fx.ENGINE, {"preset_id": "room", "knobs": {"size": 1}}, "knobs.size", "decay_s"),
        (macro.ENGINE, {"macro_id": "room"}, "macro_id", "podcast_polish"),
    ],
)
def test_unknown_names_are_refused_and_the_known_listed(
    engine: Engine, params: dict[str, Any], field: str, listed: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        engine.params.model_validate(params)
    details = caught.value.to_json()["details"]
    assert details["field"] == field
    assert listed in details["reason"]


def test_stereo_effect_refuses_mono(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia, match="wide works on stereo"):
        run(fx.ENGINE, write(tmp_path, noise(0.3, channels=1)), tmp_path, preset_id="wide")


@pytest.mark.heavy
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    sound = noise(0.5)
    sound[1000] = np.nan
    with pytest.raises(UnsupportedMedia, match="not numbers"):
        run(fx.ENGINE, write(tmp_path, sound, "FLOAT"), tmp_path, preset_id="low_end")


@pytest.mark.heavy
def test_outputs_carry_what_their_kinds_demand(tmp_path: Path) -> None:
    path = write(tmp_path, noise(0.5))
    for engine, params in (
        (fx.ENGINE, {"preset_id": "radio"}),
        (macro.ENGINE, {"macro_id": "vintage"}),
    ):
        for output in run(engine, path, tmp_path, **params).outputs:
            assert set(KINDS[output.kind].demands) <= set(output.meta)
            json.dumps(dict(output.meta), allow_nan=False)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("engine", "params"),
    [
        (fx.ENGINE, {"preset_id": "cathedral"}),
        (fx.ENGINE, {"preset_id": "voice_clean_up", "dry_wet": 0.4}),
        (macro.ENGINE, {"macro_id": "disintegrate"}),
    ],
)
def test_same_input_same_bytes(engine: Engine, params: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path, noise(1.5))
    one, other = (run(engine, path, tmp_path, **params) for _ in range(2))
    for left, right in zip(one.outputs, other.outputs, strict=True):
        assert left.path.read_bytes() == right.path.read_bytes()
        assert left.meta == right.meta


@pytest.mark.heavy
def test_picture_of_nothing_changed_differs_from_a_telephones(tmp_path: Path) -> None:
    path = write(tmp_path, noise(1))
    pictures = {
        run(fx.ENGINE, path, tmp_path, preset_id="telephone", dry_wet=wet)
        .outputs[1]
        .path.read_bytes()
        for wet in (0, 1)
    }
    assert len(pictures) == 2
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


def test_silence_stays_silence(tmp_path: Path) -> None:
    result = run(fx.ENGINE, write(tmp_path, np.zeros((RATE, 2))), tmp_path, preset_id="tape")
    assert result.outputs[0].meta["peak_dbfs"] is None
    assert not heard(result).any()


@pytest.mark.heavy
def test_sound_of_a_video_is_worked_on(tmp_path: Path) -> None:
    result = run(fx.ENGINE, recording("shots/nasa_13013.mp4"), tmp_path, preset_id="radio")
    assert result.outputs[0].content_type == "audio/wav"
    assert level_db(heard(result)) > -60


@pytest.mark.heavy
@pytest.mark.parametrize("macro_id", MACROS)
def test_macro_changes_more_the_further_it_is_turned(macro_id: str, tmp_path: Path) -> None:
    path = recording("loops/loop_amen.flac")
    before = read(path)
    changes = [
        level_db(
            heard(run(macro.ENGINE, path, tmp_path, macro_id=macro_id, amount=amount)) - before
        )
        for amount in (0.05, 1)
    ]
    assert changes[0] < changes[1]
    assert changes[1] > level_db(before) - 20


@pytest.mark.real_case("transform.macro")
def test_macro_meta_tells_what_its_knob_drove(tmp_path: Path) -> None:
    path = write(tmp_path, noise(0.5))
    result = run(macro.ENGINE, path, tmp_path, macro_id="energy", amount=2)
    meta = result.outputs[0].meta
    assert (meta["preset_id"], meta["knob_values"]) == ("energy", {"amount": 1})
    assert meta["clamped"]["amount"] == {"given": 2, "used": 1}
    assert [stage["preset_id"] for stage in meta["driven"]] == ["parallel_drums", "low_end", "air"]
    assert meta["driven"][1]["knob_values"]["weight_db"] == 5


@given(st.sampled_from(sorted(MACROS)), st.floats(0, 1))
def test_macro_never_drives_a_knob_out_of_its_range(macro_id: str, amount: float) -> None:
    for stage in MACROS[macro_id].stages:
        specs = {spec.name: spec for spec in PRESETS[stage.preset_id].knobs}
        for name, drive in stage.drives.items():
            low, high = specs[name].minimum, specs[name].maximum
            assert low <= round(drive.at(amount), 9) <= high
        assert 0 <= round(stage.wet.at(amount), 9) <= 1


@pytest.mark.heavy
@settings(max_examples=30)
@given(
    st.dictionaries(st.text(max_size=8), st.floats(allow_nan=False, allow_infinity=False)),
    st.text(max_size=12),
)
def test_any_params_give_a_structured_answer(knobs: dict[str, float], preset_id: str) -> None:
    try:
        params = fx.FxParams(preset_id=preset_id, knobs=knobs)
    except RushesError as error:
        assert error.to_json()["details"]["field"]
    else:
        assert params.preset_id in PRESETS


def test_filters_of_reads_names_only() -> None:
    graph = "[0:1]asplit[a][b];[b]highpass@x=f=3,aeval='a(b,c);d'[c];[a][c]amix=inputs=2"
    assert filters_of(graph) == {"asplit", "highpass", "aeval", "amix"}


@pytest.mark.heavy
def test_full_scale_stays_integer_and_beyond_it_is_float(tmp_path: Path) -> None:
    sound = open_sound(job_of(write(tmp_path, noise(0.1)), tmp_path))
    full = 1 - 2.0**-23
    for scale, kept in ((1.0, "int24"), (1.5, "float32")):
        asked: list[str] = []

        def encode(codec: str, path: Path, scale: float = scale, asked: list[str] = asked) -> None:
            asked.append(codec)
            square = scale * full * np.sign(tone(0.1, 100, 1.0))
            integers = codec == "pcm_s24le"
            samples = np.clip(square, -1, full) if integers else square
            soundfile.write(path, samples, RATE, "PCM_24" if integers else "FLOAT")

        result = written(sound, tmp_path / f"{kept}.wav", encode)
        assert asked == ["pcm_s24le", "pcm_f32le"]
        assert result.meta["sample_format"] == kept
        assert np.abs(read(result.path)).max() == pytest.approx(scale * full)
    assert not list(tmp_path.glob("*.float.wav"))


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("channels", "rate"), [(2, 8_000), (9, 8_000)], ids=["stereo", "in groups"]
)
def test_an_excerpt_is_ten_seconds_of_the_sound_and_no_take(
    channels: int, rate: int, tmp_path: Path
) -> None:
    whole = noise(14 * rate / RATE, 0.2, channels=channels)
    path = write(tmp_path, whole, "FLOAT", rate)
    tried = run(fx.ENGINE, path, tmp_path, preset_id="tape", dry_wet=0, excerpt_from_ms=2500)
    assert [one.kind for one in tried.outputs] == ["audio_excerpt"]
    assert tried.outputs[0].meta["start_ms"] == 2500
    assert_allclose(heard(tried), whole[20_000:100_000], atol=1e-7)
    short = heard(run(fx.ENGINE, path, tmp_path, preset_id="tape", dry_wet=0, excerpt_from_ms=9e3))
    assert len(short) == 5 * rate, "to the end of the recording"
    with pytest.raises(ValidationError, match="behind the recording's end"):
        run(macro.ENGINE, path, tmp_path, macro_id="dream", excerpt_from_ms=14_000)


@pytest.mark.heavy
def test_the_picture_is_drawn_at_the_rate_of_the_stream_that_was_chosen(tmp_path: Path) -> None:
    """Of a recording whose first stream has another: a tone stands at its own pitch."""
    time = np.arange(2 * 16_000) / 16_000
    low = write(tmp_path, stereo(0.5 * np.sin(2 * np.pi * 1000 * time)), rate=16_000)
    other, both = write(tmp_path, noise(2.0)), tmp_path / "both.mka"
    words = ["-i", str(other), "-i", str(low), "-map", "0", "-map", "1", "-c:a", "copy"]
    subprocess.run(["ffmpeg", "-v", "error", *words, str(both)], check=True)
    params = fx.FxParams(preset_id="telephone")
    jobs = [job_of(low, tmp_path), job_of(both, tmp_path)]
    jobs[1] = replace(jobs[1], media=jobs[1].media.with_stream(1))
    results = [fx.ENGINE.run(job, params, fx.ENGINE.backend()) for job in jobs]
    alone, chosen = (result.outputs[1].path.read_bytes() for result in results)
    assert alone == chosen


def test_a_full_scale_sine_stands_at_zero_in_the_picture() -> None:
    sine = np.sin(2 * np.pi * 1000 * np.arange(4 * WINDOW_FRAMES) / RATE)
    levels = spectrum_db(as_windows(stereo(sine)).astype(np.float32), RATE)
    assert levels.max() == pytest.approx(0.0, abs=0.1)
