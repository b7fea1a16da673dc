import numpy as np
import pytest
from pyloudnorm import Meter

from shared.audio.beat_loudness import BeatMeter, tracker_loudness_rows
from shared.audio.metrics import (
    LoudnessMeter,
    crest_factor_db,
    integrated_lufs,
    peak_hold_dbfs,
    rms_dbfs,
)
from shared.audio.tempo import TempoChange, TempoMap
from tests.shared.audio.rig import RATE, noise


def sine(hz: float, seconds: float, level: float = 1.0, channels: int = 2) -> np.ndarray:
    wave = level * np.sin(2.0 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def test_a_full_sine_is_minus_three_db_rms_on_each_channel():
    audio = sine(1_000.0, 1.0) * np.array([1.0, 0.5], np.float32)
    assert rms_dbfs(audio) == pytest.approx([-3.01, -9.03], abs=0.01)
    assert crest_factor_db(audio) == pytest.approx([3.01, 3.01], abs=0.01)


def test_silence_is_minus_infinity_without_warnings():
    silence = np.zeros((RATE, 2), np.float32)
    assert np.isneginf(rms_dbfs(silence)).all()
    assert crest_factor_db(silence).tolist() == [0.0, 0.0]
    assert integrated_lufs(silence, RATE) == -np.inf
    assert integrated_lufs(np.zeros((0, 2), np.float32), RATE) == -np.inf


def test_the_standard_s_sine_reads_its_level():
    # EBU Tech 3341, case 1: 1 kHz at -23 dBFS on both channels reads -23 LUFS.
    audio = sine(1_000.0, 20.0, 10.0 ** (-23.0 / 20.0))
    assert integrated_lufs(audio, RATE) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.heavy
def test_gating_ignores_the_pauses():
    # EBU Tech 3341, case 3: 10 s at -36, 60 s at -23, 10 s at -36 dBFS reads -23 LUFS.
    parts = [
        sine(1_000.0, s, 10.0 ** (level / 20.0)) for s, level in ((10, -36), (60, -23), (10, -36))
    ]
    assert integrated_lufs(np.concatenate(parts), RATE) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_integrated_loudness_is_pyloudnorm_s(rate):
    audio = noise(5 * rate, 2) * np.linspace(0.0, 0.5, 5 * rate)[:, None]
    assert integrated_lufs(audio, rate) == pytest.approx(
        Meter(rate).integrated_loudness(audio), abs=0.01
    )


def test_pieces_measure_as_the_whole_does():
    audio, meter = noise(100_000, 2) * 0.2, LoudnessMeter(RATE, 2)
    for part in np.array_split(audio, 37):
        meter.add(part)
    assert meter.integrated_lufs() == pytest.approx(integrated_lufs(audio, RATE), abs=1e-6)


def test_less_than_a_gating_block_is_measured_whole():
    assert integrated_lufs(sine(1_000.0, 0.2, 0.1), RATE) == pytest.approx(-20.0, abs=0.6)


def test_peak_hold_holds_and_lets_go():
    audio = np.zeros((4 * RATE, 1))
    audio[RATE // 2] = 0.5
    held = peak_hold_dbfs(audio, RATE, hold_s=1.0, step_s=0.1)
    assert np.isneginf(held[:5]).all()
    assert held[5:15] == pytest.approx(np.full(10, -6.02), abs=0.01)
    assert np.isneginf(held[15:]).all()


def rows_of(audio: np.ndarray, tempo_map: TempoMap, beats: int, piece: int) -> list[dict]:
    meter = BeatMeter(tempo_map, RATE, beats, audio.shape[1])
    for at in range(0, len(audio), piece):
        meter.add(audio[at : at + piece])
    return tracker_loudness_rows(meter.beats())


def test_beats_are_measured_where_they_lie():
    tempo_map = TempoMap(120, [TempoChange(2, 60)])
    levels = [0.5, 0.05, 0.25, 0.0]
    parts = [sine(1_000.0, s, v) for s, v in zip((0.5, 0.5, 1.0, 1.0), levels, strict=True)]
    rows = rows_of(np.concatenate(parts), tempo_map, 4, 1_000)
    assert [row["label"] for row in rows] == ["1.1", "1.2", "1.3", "1.4"]
    assert [row["rms_dbfs"][0] for row in rows] == [-9.03, -29.03, -15.05, None]
    assert [row["peak_hold_dbfs"] for row in rows] == [-6.02, -6.02, -6.02, -12.04]
    assert rows[2]["lufs"] == pytest.approx(-12.04, abs=0.1)
    assert rows[2]["text"].startswith("-12.1 LUFS, RMS -15.1/-15.1 dBFS, crest 3.0 dB")
    assert (rows[3]["text"], rows[3]["lufs"]) == ("silent", None)


def test_the_table_does_not_depend_on_how_audio_comes_in():
    audio = (noise(3 * RATE, 2) * 0.3).astype(np.float32)
    whole = rows_of(audio, TempoMap(97), 4, len(audio))
    assert rows_of(audio, TempoMap(97), 4, 777) == whole
