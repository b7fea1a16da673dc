"""Tempo and pitch: what comes out is as fast and as high as was asked for, measured back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.transform import resample
from functions.transform.sound import frame_count, open_sound
from shared.errors import MissingDependency, ValidationError
from shared.media import stretch
from shared.media.stretch import stretch_filters
from shared.pipeline import KINDS
from tests.functions.transform.support import (
    RATE,
    Sound,
    heard,
    job_of,
    noise,
    read,
    recording,
    run,
    tone,
    write,
)

CHANGES = [(1.25, 0), (1, -5), (0.5, 12), (2, -12)]


def pulses(seconds: int, every_s: float) -> Sound:
    """Short notes with sharp attacks."""
    times = np.arange(round(seconds * RATE)) / RATE
    since = times % every_s
    mono = 0.6 * np.sin(2 * np.pi * 700 * since) * np.exp(-since / 0.02)
    return np.stack([mono, mono], axis=1)


def frequency_hz(sound: Sound) -> float:
    """Of the strongest partial."""
    middle = sound[RATE // 2 : -RATE // 2, 0]
    size = 1 << 20
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), size))
    peak = int(np.argmax(spectrum))
    left, top, right = np.log(spectrum[peak - 1 : peak + 2])
    return float((peak + 0.5 * (left - right) / (left - 2 * top + right)) * RATE / size)


def onsets_s(sound: Sound, every_s: float) -> list[float]:
    """Centre of gravity of each note."""
    energy = np.square(sound[:, 0])
    found = []
    for note in range(1, int(len(sound) / RATE / every_s) - 1):
        low = round((note - 0.3) * every_s * RATE)
        window = energy[low : low + round(0.9 * every_s * RATE)]
        found.append((low + np.dot(window, np.arange(window.size)) / window.sum()) / RATE)
    return found


@pytest.mark.real_case("transform.resample")
@pytest.mark.first_is_quick
@pytest.mark.parametrize(("tempo", "pitch"), [(2, 0), (1.25, 0), (0.8, 0), (1, 4)])
def test_a_steady_tone_stays_as_loud_as_it_was(tempo: float, pitch: float, tmp_path: Path) -> None:
    path = write(tmp_path, tone(4, 440, 0.3))
    result = heard(run(resample.ENGINE, path, tmp_path, tempo=tempo, pitch=pitch))
    middle = result[RATE // 2 : -RATE // 2, 0]
    assert np.sqrt(2 * np.mean(np.square(middle))) == pytest.approx(0.3, rel=0.05)


@pytest.mark.heavy
@pytest.mark.parametrize("quality", ["draft", "high"])
@pytest.mark.parametrize(("tempo", "pitch"), CHANGES)
def test_pitch_is_right_to_five_cents(
    tempo: float, pitch: float, quality: str, tmp_path: Path
) -> None:
    path = write(tmp_path, tone(4, 440, 0.3))
    result = run(resample.ENGINE, path, tmp_path, tempo=tempo, pitch=pitch, quality=quality)
    cents = 1200 * np.log2(frequency_hz(heard(result)) / 440) - 100 * pitch
    assert abs(cents) < 5


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("quality", "tempo", "pitch"),
    [*(("draft", *change) for change in CHANGES), ("high", 1.25, 0), ("high", 2, -12)],
)
def test_tempo_is_right_to_a_thousandth_and_in_time(
    quality: str, tempo: float, pitch: float, tmp_path: Path
) -> None:
    path = write(tmp_path, pulses({"draft": 30, "high": 12}[quality], 0.5))
    result = run(resample.ENGINE, path, tmp_path, tempo=tempo, pitch=pitch, quality=quality)
    places = onsets_s(heard(result), 0.5 / tempo)
    slope, start = np.polyfit(np.arange(1, len(places) + 1) * 0.5, places, 1)
    assert slope * tempo == pytest.approx(1, abs=0.001)
    assert (
        abs(start - onsets_s(pulses(3, 0.5), 0.5)[0] + 0.5) < {"draft": 0.06, "high": 0.03}[quality]
    )


def kicks(every_s: float) -> tuple[Sound, list[int]]:
    """Six of them, and where they begin."""
    length, lead = round(every_s * RATE), RATE // 10
    since = np.arange(length) / RATE
    one = np.sin(2 * np.pi * (50 * since + 20 * (1 - np.exp(-30 * since)))) * np.exp(-14 * since)
    mono = 0.7 * np.concatenate([np.zeros(lead), *6 * [one]])
    return np.stack([mono, mono], axis=1), [lead + stroke * length for stroke in range(6)]


@pytest.mark.parametrize(("keep", "kept"), [("heard", True), ("notes", False)])
def test_strokes_stay_in_time_where_there_are_no_notes(
    keep: str, kept: bool, tmp_path: Path
) -> None:
    sound, begin = kicks(0.5)
    made = run(resample.ENGINE, write(tmp_path, sound), tmp_path, tempo=1.25, keep=keep)
    assert made.outputs[0].meta["keep"] == ("strokes" if kept else "notes")
    mono, early_ms = np.abs(heard(made)[:, 0]), []
    for place in begin[1:]:
        low = round(place / 1.25 - 0.06 * RATE)
        part = mono[low : low + round(0.12 * RATE)]
        early_ms.append(60 - 1000 * int(np.argmax(part > 0.25 * part.max())) / RATE)
    assert (max(early_ms) < 4) == kept


def test_a_result_beyond_full_scale_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, noise(1, 0.33))
    made = run(resample.ENGINE, path, tmp_path, tempo=1.3)
    assert made.outputs[0].meta["sample_format"] == "float32"
    assert made.reason is not None and "dBFS: it is written as floating point" in made.reason
    assert (
        run(resample.ENGINE, path, tmp_path, tempo=1.3, keep="notes").outputs[0].meta["keep"]
        == "notes"
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("quality", "rate", "frames"),
    [("draft", 48_000, 24_001), ("high", 44_100, 30_011), ("high", 8_000, 12_345)],
)
def test_length_is_exact_to_the_sample(
    quality: str, rate: int, frames: int, tmp_path: Path
) -> None:
    path = write(tmp_path, noise(2)[:frames], rate=rate)
    for tempo in (0.77, 1.37):
        result = run(resample.ENGINE, path, tmp_path, tempo=tempo, pitch=1, quality=quality)
        assert len(heard(result)) == round(frames / tempo)
        assert result.outputs[0].meta["frames_in"] == frames


@pytest.mark.heavy
@pytest.mark.parametrize(
    "name", ["loudness/test_loud.m4a", "transcript/p001.mp3", "music/Kevin_MacLeod_-_Vibe_Ace.ogg"]
)
def test_frames_are_counted_as_decoding_gives_them(name: str, tmp_path: Path) -> None:
    from shared.media.decode import audio_blocks

    job = job_of(recording(name), tmp_path)
    assert frame_count(open_sound(job)) == sum(len(b) for b in audio_blocks(job.source, job.media))


@pytest.mark.heavy
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_nothing_to_change_is_a_straight_copy(subtype: str, tmp_path: Path) -> None:
    path = write(tmp_path, noise(0.5), subtype)
    result = run(resample.ENGINE, path, tmp_path)
    assert stretch_filters(1, 0, "high", RATE, False) == ""
    assert np.array_equal(heard(result), read(path))
    assert result.outputs[0].meta["changes"] == []


def test_out_of_range_is_clamped_and_all_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, noise(1))
    result = run(resample.ENGINE, path, tmp_path, tempo=9, pitch=-40, quality="draft")
    meta = result.outputs[0].meta
    assert (meta["tempo"], meta["pitch"], meta["quality"]) == (2, -12, "draft")
    assert meta["clamped"] == {
        "tempo": {"given": 9, "used": 2},
        "pitch": {"given": -40, "used": -12},
    }
    assert meta["changes"] == ["tempo", "pitch"]
    assert set(KINDS["audio_resampled"].demands) <= set(meta)


@pytest.mark.heavy
def test_formants_stay_where_they_are_on_request(tmp_path: Path) -> None:
    times = np.arange(2 * RATE) / RATE
    buzz = sum(np.sin(2 * np.pi * 120 * k * times) for k in range(1, 60))
    spectrum = np.fft.rfft(buzz)
    hz = np.fft.rfftfreq(buzz.size, 1 / RATE)
    voice = np.fft.irfft(spectrum / (1 + ((hz - 1000) / 150) ** 2))[:, None]
    path = write(tmp_path, 0.2 * voice / np.abs(voice).max())

    def centre_hz(**params: bool) -> float:
        after = heard(run(resample.ENGINE, path, tmp_path, pitch=9, **params))[:, 0]
        power = np.square(np.abs(np.fft.rfft(after)))
        return float(np.average(np.fft.rfftfreq(len(after), 1 / RATE), weights=power))

    assert centre_hz() > 1600
    assert centre_hz(preserve_formants=True) < 1350


def test_formants_need_high_quality() -> None:
    with pytest.raises(ValidationError, match="needs quality 'high'"):
        resample.ResampleParams(quality="draft", preserve_formants=True)


@pytest.mark.heavy
def test_ffmpeg_without_rubber_band_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, noise(0.5))
    monkeypatch.setattr(stretch, "known_filters", lambda: frozenset({"atempo"}))
    with pytest.raises(MissingDependency, match=r"rubberband is missing: .*quality 'draft'"):
        run(resample.ENGINE, path, tmp_path, tempo=1.5)


@pytest.mark.heavy
@pytest.mark.parametrize("quality", ["draft", "high"])
def test_same_input_same_bytes(quality: str, tmp_path: Path) -> None:
    path = write(tmp_path, noise(1))
    one, other = (
        run(resample.ENGINE, path, tmp_path, tempo=1.1, pitch=2, quality=quality) for _ in "ab"
    )
    assert one.outputs[0].path.read_bytes() == other.outputs[0].path.read_bytes()


@pytest.mark.heavy
@given(st.floats(0.5, 2), st.floats(-12, 12), st.sampled_from([8_000, 44_100, 48_000, 96_000]))
def test_draft_filters_make_just_the_tempo_that_was_asked_for(
    tempo: float, pitch: float, rate: int
) -> None:
    made, played = 1.0, float(rate)
    for part in stretch_filters(tempo, pitch, "draft", rate, False).split(","):
        name, _, value = part.partition("=")
        if name == "atempo":
            assert 0.5 <= float(value) <= 2
            made *= float(value)
        elif name == "asetrate":
            played = float(value)
    assert made * played / rate == pytest.approx(tempo, rel=1e-6)
    assert abs(1200 * np.log2(played / rate) - 100 * pitch) < 0.2


@pytest.mark.heavy
def test_peaks_of_a_loud_master_survive_stretching(tmp_path: Path) -> None:
    """Phases shift against each other, so that a master at full scale goes beyond it."""
    path = write(tmp_path, np.clip(3 * noise(2), -0.9999, 0.9999))
    result = run(resample.ENGINE, path, tmp_path, tempo=1.1)
    meta = result.outputs[0].meta
    assert meta["sample_format"] == "float32"
    assert meta["peak_dbfs"] > 0
    assert np.abs(heard(result)).max() == pytest.approx(10 ** (meta["peak_dbfs"] / 20), rel=0.01)
