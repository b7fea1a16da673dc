"""What sounds when: known answers on real and built recordings, and what others read off it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from functions.detect import activity
from shared.contracts.audio_activity import AudioActivity, Series
from shared.contracts.step_engine import Backend
from tests.functions.detect import synth
from tests.functions.detect.harness import REAL_MEDIA, run, write
from tests.shared.media.recordings import real

RATE_HZ = 22_050


def heard(source: Path, folder: Path, backend: Backend | None = None) -> AudioActivity:
    ran = run(activity.ENGINE, source, folder / source.stem, backend=backend)
    (made,) = ran.of("audio_activity")
    return AudioActivity.read(made.path)


def check_cover(found: AudioActivity) -> None:
    edges = [(span.start_ms, span.end_ms) for span in found.spans]
    assert edges[0][0] == 0 and edges[-1][1] == found.duration_ms
    assert all(a[1] == b[0] for a, b in itertools.pairwise(edges))
    assert all(start < end for start, end in edges)


@pytest.mark.parametrize(
    ("name", "bpm"), [("loop_breakbeat", 126.0), ("loop_garzul", 120.0)], ids=str
)
def test_a_loop_is_music_with_its_tempo(name: str, bpm: float, tmp_path: Path) -> None:
    found = heard(REAL_MEDIA / "loops" / f"{name}.flac", tmp_path)
    check_cover(found)
    assert found.heard.music_ms == found.duration_ms and not found.heard.speech_ms
    assert found.heard.bpm == pytest.approx(bpm, rel=0.01)


def test_a_reading_is_speech_without_tempo_or_events(tmp_path: Path) -> None:
    found = heard(REAL_MEDIA / "transcript" / "LJ001-0001.wav", tmp_path)
    check_cover(found)
    assert (found.heard.speech_ms or 0) > 0.9 * found.duration_ms
    assert found.heard.event_count == 0 and found.heard.bpm is None
    assert found.voice is not None and found.voice.values().mean() > 0.7


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("LJ001-0001.wav", synth.by_telephone),
        ("116-288045-0000.flac", synth.by_telephone),
        ("116-288045-0000.flac", synth.in_hiss),
        ("jfk.flac", synth.in_hiss),
    ],
)
def test_a_caller_makes_no_music(
    name: str, sent: Callable[[synth.Mono, int], tuple[synth.Mono, int]], tmp_path: Path
) -> None:
    """Where voice activity misses a vowel, or takes it for an instrument, it has tones like a song's."""
    both, rate = soundfile.read(real(f"transcript/{name}"), always_2d=True, dtype="float32")
    samples = both.mean(axis=1)
    here = write(tmp_path / "clean.wav", samples, rate)
    there = write(tmp_path / "sent.wav", *sent(samples, rate))
    before, after = (heard(path, tmp_path / path.stem).heard for path in (here, there))
    assert "music" not in after.holds and after.music_ms == 0
    assert (after.speech_ms or 0) >= 0.9 * (before.speech_ms or 0)


@pytest.mark.real_case("detect.activity")
def test_onsets_stand_where_the_truth_has_them(tmp_path: Path) -> None:
    truth = synth.drums(bars=8, noise_dbfs=-50)
    found = heard(write(tmp_path / "drums.wav", truth.samples, truth.rate_hz), tmp_path)
    times_s = np.array(found.onsets.times_ms) / 1000
    apart = np.abs(times_s[None] - truth.onsets_s[:, None]).min(axis=1)
    assert np.percentile(apart, 90) < 0.001
    beats_s = np.array([beat.time_ms for beat in found.beats]) / 1000
    late_s = np.abs(beats_s[None] - truth.beats_s[:, None]).min(axis=1)
    assert np.percentile(late_s, 90) < 0.001


def test_the_outline_is_that_of_the_samples(tmp_path: Path) -> None:
    samples = np.zeros((RATE_HZ, 2))
    samples[RATE_HZ // 2] = [0.5, -0.25]
    found = heard(write(tmp_path / "click.wav", samples, RATE_HZ), tmp_path)
    lowest, highest = found.waveform.lowest.values(), found.waveform.highest.values()
    assert len(highest) == 50 and highest.argmax() == lowest.argmin() == 25
    assert highest[25] == pytest.approx(0.5, abs=1e-4)
    assert lowest[25] == pytest.approx(-0.25, abs=1e-4)


def test_silence_is_silence(tmp_path: Path) -> None:
    found = heard(write(tmp_path / "none.wav", np.zeros((RATE_HZ, 1)), RATE_HZ), tmp_path)
    assert [span.kind for span in found.spans] == ["silence"]
    assert found.heard.peak_dbfs is None and found.onsets.times_ms == ()


def test_without_librosa_it_is_a_flagged_stub_that_claims_nothing(tmp_path: Path) -> None:
    stub = Backend("stub", "activity-stub-1", stub=True)
    found = heard(REAL_MEDIA / "loops" / "loop_garzul.flac", tmp_path, stub)
    assert [(span.kind, span.confidence) for span in found.spans] == [("other", 0.0)]
    assert found.heard.music_ms is None and found.voice is None and found.beats == ()


@given(
    st.lists(st.integers(-128, 127), max_size=300),
    st.sampled_from([0.1, 1.0, 1 / 255]),
    st.booleans(),
)
def test_a_series_comes_back_as_it_was_packed(
    whole: list[int], scale: float, squeezed: bool
) -> None:
    series = Series.of(np.array(whole) * scale, 10.0, "int8", scale, squeezed=squeezed)
    assert np.allclose(Series.model_validate_json(series.model_dump_json()).values() / scale, whole)


def test_a_series_that_unpacks_to_more_than_it_tells_is_refused() -> None:
    series = Series.of(np.zeros(1_000_000), 10.0, "int8", 1.0, squeezed=True)
    assert len(series.model_copy(update={"count": 10}).values()) == 10
    with pytest.raises(ValueError, match="reshape"):
        series.model_copy(update={"count": 2_000_000}).values()


def test_a_recording_that_is_too_soft_to_be_heard_says_so(tmp_path: Path) -> None:
    """Recorders of floats ask for no level: drums that peak at -66 dBFS were `done`, and nothing more."""
    soft = 0.0005 * synth.drums(bars=2).samples
    ran = run(activity.ENGINE, write(tmp_path / "soft.wav", soft, 44_100), tmp_path / "out")
    assert ran.result.reason == "softer than -60 LUFS throughout, which is taken for silence"
