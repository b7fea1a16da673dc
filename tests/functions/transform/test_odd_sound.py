"""Transforms of recordings with odd channels, levels and streams; what is said is measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile

from functions.transform import fx, loudness, normalise, resample
from shared.contracts.step import StepState
from shared.contracts.step_engine import InputFile
from shared.media.probe import probe
from tests.functions.transform.support import RATE, heard, job_of, noise, run, write
from tests.shared.media.odd_sound import bursts, encoded, joined, write_raw_wav


@pytest.mark.heavy
@pytest.mark.parametrize("channels", [3, 17])
def test_every_transform_takes_channels_without_a_layout(channels: int, tmp_path: Path) -> None:
    tracks = [bursts(1.0, hz=220 + 60 * index) for index in range(channels)]
    path = write_raw_wav(tmp_path / "many.wav", np.stack(tracks, axis=1))
    for engine, params in (
        (normalise.ENGINE, {"target_lufs": -20}),
        (normalise.ENGINE, {"target_lufs": -8}),
        (fx.ENGINE, {"preset_id": "radio"}),
        (fx.ENGINE, {"preset_id": "room"}),
        (resample.ENGINE, {"tempo": 1.25}),
        (resample.ENGINE, {"pitch": 2, "quality": "draft"}),
    ):
        made = run(engine, path, tmp_path, **params)
        media = probe(made.outputs[0].path)
        assert media.heard.channels == channels and media.heard.channel_layout is None
        assert np.square(heard(made)).mean(axis=0).min() > 1e-6  # none of them was lost


@pytest.mark.heavy
def test_groups_of_channels_stay_in_their_order(tmp_path: Path) -> None:
    tracks = [bursts(1.0, hz=200 + 100 * index) for index in range(10)]
    path = write_raw_wav(tmp_path / "many.wav", np.stack(tracks, axis=1))
    after = heard(run(resample.ENGINE, path, tmp_path, tempo=0.8))
    strongest = np.abs(np.fft.rfft(after, axis=0)).argmax(axis=0) * 16_000 / len(after)
    assert np.allclose(strongest, 200 + 100 * np.arange(10), atol=6)


def lufs(sound: np.ndarray, rate: int) -> float:
    return float(pyloudnorm.Meter(rate).integrated_loudness(sound))


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("scale", "subtype"),
    [(32_768, "FLOAT"), (2_147_483_648, "DOUBLE"), (10, "FLOAT"), (1e-2, "FLOAT")],
)
def test_floats_of_any_scale_reach_the_target_by_gain(
    scale: float, subtype: str, tmp_path: Path
) -> None:
    path = write(tmp_path, noise(2, 0.05) * scale, subtype)
    result = run(normalise.ENGINE, path, tmp_path, target_lufs=-23)
    assert result.state is StepState.DONE
    stats = result.outputs[0].meta["norm_stats"]
    assert stats["mode"] == "linear"
    assert lufs(heard(result), RATE) == pytest.approx(-23, abs=0.1)
    assert stats["after"]["integrated_lufs"] == pytest.approx(lufs(heard(result), RATE), abs=0.05)


@pytest.mark.heavy
def test_gain_that_lifts_quiet_blocks_over_the_gate_still_reaches_the_target(
    tmp_path: Path,
) -> None:
    # A few blocks just above -70 LUFS, many just below: gain lets all of them count.
    sound = noise(20, 1.2e-4)
    sound[: 2 * RATE] *= 4
    path = write(tmp_path, sound, "FLOAT")
    result = run(normalise.ENGINE, path, tmp_path, target_lufs=-30)
    assert result.outputs[0].meta["norm_stats"]["rounds"] > 1
    assert lufs(heard(result), RATE) == pytest.approx(-30, abs=0.12)


@pytest.mark.heavy
def test_a_joined_file_has_one_loudness(tmp_path: Path) -> None:
    loud = write_raw_wav(tmp_path / "loud.wav", bursts(3.0, level=0.4))
    quiet = write_raw_wav(tmp_path / "quiet.wav", bursts(3.0, level=0.2))
    parts = [
        encoded(source, tmp_path / f"{count}.mp3", "-ac", str(count), "-c:a", "libmp3lame")
        for count, source in ((1, loud), (2, quiet))
    ]
    path = joined(tmp_path / "joined.mp3", *parts)
    measured = json.loads(run(loudness.ENGINE, path, tmp_path).outputs[0].path.read_text())
    result = run(normalise.ENGINE, path, tmp_path, target_lufs=-20)
    after, rate = soundfile.read(result.outputs[0].path)
    assert len(after) / rate == pytest.approx(6, abs=0.2)
    assert lufs(after, rate) == pytest.approx(-20, abs=0.1)
    gain_db = result.outputs[0].meta["norm_stats"]["gain_db"]
    assert measured["integrated_lufs"] == pytest.approx(-20 - gain_db, abs=0.1)


@pytest.mark.heavy
def test_another_streams_measurement_is_not_taken(tmp_path: Path) -> None:
    path = write(tmp_path, noise(2))
    file = tmp_path / "loudness.json"
    file.write_text('{"integrated_lufs": 0, "loudness_range_lu": 2, "true_peak_dbtp": 1}')
    meta = {"sound": {"streams": [1]}}
    inputs = {"transform.loudness": [InputFile("a", "audio_loudness", file, meta)]}
    job = replace(job_of(path, tmp_path), inputs=inputs)
    result = normalise.ENGINE.run(job, normalise.NormaliseParams(), normalise.ENGINE.backend())
    assert result.outputs[0].meta["norm_stats"]["before"]["integrated_lufs"] < -10
