"""The one loudness meter, against pyloudnorm, ffmpeg's meter and what the standard says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

from shared.sound.loudness_meter import (
    FullMeter,
    LoudnessMeter,
    channel_weights,
    integrated_lufs,
)

RATE = 48_000


def noise(seconds: float, channels: int, seed: int = 1) -> NDArray[np.float64]:
    return 0.1 * np.random.default_rng(seed).standard_normal((round(seconds * RATE), channels))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
def test_mono_and_stereo_as_pyloudnorm_has_them(rate: int, channels: int) -> None:
    sound = noise(2, channels)
    expected = pyloudnorm.Meter(rate).integrated_loudness(sound)
    assert integrated_lufs(sound, rate) == pytest.approx(expected, abs=0.02)


def test_five_channels_as_pyloudnorm_has_them() -> None:
    sound = noise(2, 5)
    expected = pyloudnorm.Meter(RATE).integrated_loudness(sound)
    assert integrated_lufs(sound, RATE, "5.0") == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("layout", ["2.1", "quad", "5.1", "5.1(side)"])
def test_layouts_as_ffmpeg_has_them(layout: str, tmp_path: Path) -> None:
    channels = len(channel_weights(layout, {"2.1": 3, "quad": 4}.get(layout, 6)))
    sound, raw = noise(3, channels), tmp_path / "a.f64"
    raw.write_bytes(sound.tobytes())
    words = ["-f", "f64le", "-ar", str(RATE), "-channel_layout", layout, "-i", str(raw)]
    said = subprocess.run(
        ["ffmpeg", *words, "-af", "ebur128", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    expected = float(re.findall(r"I:\s+(-?[\d.]+) LUFS", said)[-1])
    assert integrated_lufs(sound, RATE, layout) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
def test_the_filters_are_pyloudnorm_s(rate: int) -> None:
    sound = noise(1, 2)
    expected = sound
    for one in pyloudnorm.Meter(rate)._filters.values():
        expected = lfilter(one.b, one.a, expected, axis=0)
    energy = LoudnessMeter(rate, 2).add(sound)
    np.testing.assert_allclose(energy, np.square(expected).sum(axis=1), rtol=1e-12)


def test_an_lfe_counts_only_where_it_is_no_lfe() -> None:
    assert channel_weights("5.1", 6).tolist() == [1, 1, 1, 0, 1.41, 1.41]
    assert channel_weights("7.1", 8).tolist() == [1, 1, 1, 0, 1, 1, 1.41, 1.41]
    assert channel_weights("3 channels (FL+FR+LFE)", 3).tolist() == [1, 1, 0]
    assert channel_weights(None, 6).tolist() == [1] * 6
    assert channel_weights("5.1", 4).tolist() == [1] * 4  # a layout of another count is none
    alone = np.zeros((2 * RATE, 6))
    alone[:, 3] = noise(2, 1)[:, 0]
    assert integrated_lufs(alone, RATE, "5.1") == -np.inf
    mono = integrated_lufs(alone[:, 3], RATE)
    assert integrated_lufs(alone, RATE) == pytest.approx(mono, abs=0.01)


@pytest.mark.parametrize("gain_db", [-40, 0, 40, 90])
def test_there_is_no_upper_end(gain_db: float) -> None:
    tone = np.sin(2 * np.pi * 997 * np.arange(4 * RATE) / RATE)[:, None] * 10 ** (gain_db / 20)
    meter = FullMeter(RATE, 1)
    for block in np.array_split(tone, 7):
        meter.add(block)
    measured = meter.result()
    # ITU-R BS.1770-4: a sine of 997 Hz at full scale in one channel reads -3.01.
    assert measured.integrated_lufs == pytest.approx(gain_db - 3.01, abs=0.05)
    assert measured.true_peak_dbtp == pytest.approx(gain_db, abs=0.05)
    assert measured.loudness_range_lu == pytest.approx(0, abs=0.05)


@pytest.mark.heavy
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_the_range_of_tech_3342(rate: int) -> None:
    at = np.arange(20 * rate) / rate
    tone = np.sin(2 * np.pi * 1000 * at)
    sound = np.concatenate([0.1 * tone, 0.1 * tone * 10 ** (-10 / 20)])[:, None].repeat(2, axis=1)
    meter = FullMeter(rate, 2)
    meter.add(sound)
    assert meter.result().loudness_range_lu == pytest.approx(10, abs=0.5)


def test_what_has_no_loudness_says_why(tmp_path: Path) -> None:
    for sound, why in (
        (np.zeros((RATE, 2)), "silent"),
        (noise(0.3, 2), "shorter than 400 ms"),
        (noise(1, 2) * 1e-4, "softer than -70 LUFS"),
    ):
        meter = FullMeter(RATE, 2)
        meter.add(sound)
        assert meter.result().undefined == why


def test_float_files_are_read_beyond_full_scale(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(1, 1) * 32_768, RATE, subtype="FLOAT")
    assert integrated_lufs(soundfile.read(path)[0], RATE) > 60
