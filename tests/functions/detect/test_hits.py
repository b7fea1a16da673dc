"""One-shots out of recordings whose truth is known."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mir_eval
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from functions.detect import reading_activity, segments
from functions.detect.hits import ENGINE, HitsParams
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend
from shared.errors import ValidationError
from shared.sound.onsets import Samples
from shared.watch.health import HealthReport
from tests.functions.detect import synth
from tests.functions.detect.harness import Ran, run, write

REAL = Backend("rushes", "hits-4")
STUB = Backend("stub", "hits-stub-1", stub=True)


def hits_of(truth: synth.Truth, folder: Path, **params: object) -> Ran:
    source = write(folder / "in.wav", truth.samples, truth.rate_hz)
    return run(ENGINE, source, folder / "out", backend=REAL, **params)


def f_measure(truth: synth.Truth, ran: Ran) -> float:
    return float(mir_eval.onset.f_measure(truth.onsets_s, ran.seconds("start_ms"))[0])


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("play", "floor"),
    [
        (partial(synth.drums, noise_dbfs=-50), 0.98),
        (partial(synth.drums, noise_dbfs=-35), 0.93),
        (partial(synth.drums, swing=0.66, bpm=95, noise_dbfs=-45), 0.98),
        (partial(synth.drums, bpm=175, noise_dbfs=-45), 0.95),
        (partial(synth.drums, rate_hz=8_000, noise_dbfs=-50), 0.97),
        (partial(synth.drums, lead_s=0.0, bars=2), 0.93),
        (partial(synth.melody, attack_s=0.01), 0.95),
        (partial(synth.melody, attack_s=0.06), 0.95),
    ],
    ids=["drums", "noisy", "swing", "fast", "8 kHz", "at once", "plucked", "bowed"],
)
def test_finds_the_onsets(play: Callable[[], synth.Truth], floor: float, tmp_path: Path) -> None:
    truth = play()
    assert f_measure(truth, hits_of(truth, tmp_path)) >= floor


@pytest.mark.first_is_quick
@pytest.mark.parametrize("seed", range(4))
def test_a_recording_that_begins_on_its_only_sound_has_that_hit(seed: int, tmp_path: Path) -> None:
    """A trimmed knock: what flickers in its noise soon after is no beginning that hides the first."""
    noise = np.random.default_rng(seed).standard_normal((44_100, 1))
    knock = 0.3 * noise * np.exp(-np.arange(44_100) / 4_000)[:, None]
    source = write(tmp_path / "in.wav", knock.astype(np.float32), 44_100)
    ran = run(ENGINE, source, tmp_path / "out", backend=REAL)
    assert [row["onset_ms"] for row in ran.body["segments"]] == [0.0]


@pytest.mark.real_case("detect.hits")
def test_attacks_are_whole(tmp_path: Path) -> None:
    """Each attack lies inside its hit, within 1 ms of the pre-roll's end, samples untouched."""
    truth = synth.drums(noise_dbfs=-60)
    ran = hits_of(truth, tmp_path, pre_roll_ms=5.0)
    onsets_ms = 1000 * truth.onsets_s
    for index, row in enumerate(ran.body["segments"]):
        nearest_ms = onsets_ms[np.argmin(np.abs(onsets_ms - row["onset_ms"]))]
        assert 4.0 <= nearest_ms - row["start_ms"] <= 6.0
        first = round(nearest_ms * 44.1)
        at = first - round(row["start_ms"] * 44.1)
        cut = ran.audio(index, "audio_hit")[:, 0]
        sounding = round((row["end_ms"] - row["start_ms"]) * 44.1) - at - 256
        attack = truth.samples[first : first + min(2000, sounding)]
        np.testing.assert_allclose(cut[at : at + len(attack)], attack, atol=2**-22)


@pytest.mark.heavy
def test_a_hit_ends_when_it_has_decayed(tmp_path: Path) -> None:
    samples = np.zeros(44_100 * 6, np.float32)
    synth.place(samples, synth.note(44_100, 220, seconds=2.0), 44_100)
    truth = synth.Truth(samples, 44_100, np.array([1.0]), np.zeros(0))
    (row,) = hits_of(truth, tmp_path).body["segments"]
    assert 900 <= row["end_ms"] - row["start_ms"] <= 1_150
    (row,) = hits_of(truth, tmp_path, max_duration_ms=600).body["segments"]
    assert row["end_ms"] - row["start_ms"] == pytest.approx(600)


@pytest.mark.heavy
def test_no_hit_holds_the_next_onset(tmp_path: Path) -> None:
    """It is cut with a fade before that, and silence fills its file up to half a second."""
    truth = synth.drums(bpm=175, lead_s=0.1)
    ran = hits_of(truth, tmp_path)
    onsets_ms = np.array(ran.body["onsets_ms"])
    for index, row in enumerate(ran.body["segments"]):
        inside = (onsets_ms > row["onset_ms"] + 1) & (onsets_ms < row["end_ms"])
        assert not inside.any()
        cut = ran.audio(index, "audio_hit")
        sounding = round((row["end_ms"] - row["start_ms"]) * 44.1)
        assert len(cut) == max(sounding, 22_050)
        assert not cut[sounding:].any()
    assert ran.body["segments"][-1]["end_ms"] <= ran.body["duration_ms"] + 0.5


@pytest.mark.heavy
def test_a_vibrato_is_no_hit(tmp_path: Path) -> None:
    ran = hits_of(synth.pad(10), tmp_path)
    starts_ms = [row["onset_ms"] for row in ran.body["segments"]]
    assert all(at_ms < 1_000 for at_ms in starts_ms)  # the chord's own beginning, at most


@pytest.mark.heavy
def test_syllables_are_no_hits_unless_asked_for(tmp_path: Path) -> None:
    text = "The garden gate was left open all night and nobody knew who had been there"
    subprocess.run(["espeak-ng", "-w", str(tmp_path / "said.wav"), text], check=True)
    said, rate_hz = soundfile.read(tmp_path / "said.wav", dtype="float32")
    knocks = np.zeros(rate_hz * 3, np.float32)
    for second in (0.5, 1.5, 2.5):
        synth.place(knocks, synth.snare(rate_hz), round(rate_hz * second))
    both = synth.noise_floor(np.concatenate([said, knocks]), -70)
    truth = synth.Truth(both, rate_hz, np.zeros(0), np.zeros(0))
    found_s = hits_of(truth, tmp_path / "a").seconds("onset_ms") - len(said) / rate_hz
    np.testing.assert_allclose(found_s, [0.5, 1.5, 2.5], atol=0.01)
    with_speech = hits_of(truth, tmp_path / "b", include_speech=True)
    assert with_speech.body["segment_count"] > 8


@pytest.mark.heavy
def test_cuts_end_without_a_click(tmp_path: Path) -> None:
    ran = hits_of(synth.drums(bars=2), tmp_path)
    for index in range(ran.body["segment_count"]):
        cut = ran.audio(index, "audio_hit")
        assert np.abs(cut[-1]).max() < 1e-4
        assert np.abs(cut[0]).max() < 1e-4


@pytest.mark.heavy
def test_repeats_are_takes_and_near_silence_scores_low(tmp_path: Path) -> None:
    samples = np.zeros(44_100 * 8, np.float32)
    for second in range(4):
        synth.place(samples, synth.snare(44_100), 44_100 * (second + 1), 1.0 - 0.1 * second)
    synth.place(samples, synth.kick(44_100), 44_100 * 5)
    synth.place(samples, synth.kick(44_100), 44_100 * 6, 0.0008)
    truth = synth.Truth(synth.noise_floor(samples, -90), 44_100, np.arange(1.0, 7), np.zeros(0))
    best = hits_of(truth, tmp_path, min_quality_score=0.25)
    np.testing.assert_allclose(best.seconds("onset_ms"), [1, 2, 3, 4, 5], atol=0.002)
    assert [row["take"] for row in best.body["segments"]] == [1, 2, 3, 4, 1]
    firsts = [row.get("take_of_ms") for row in best.body["segments"]]
    assert firsts == [None, *[best.body["segments"][0]["onset_ms"]] * 3, None]


@pytest.mark.heavy
def test_keeps_the_best_when_there_are_too_many(tmp_path: Path) -> None:
    truth = synth.drums(bars=4)
    every, few = hits_of(truth, tmp_path / "a"), hits_of(truth, tmp_path / "b", max_hits=3)
    scores = sorted((row["score"] for row in every.body["segments"]), reverse=True)
    assert sorted((row["score"] for row in few.body["segments"]), reverse=True) == scores[:3]
    assert len(few.of("audio_hit")) == 3
    assert few.body["onset_count"] == every.body["onset_count"] >= 30


@pytest.mark.heavy
def test_says_what_a_hit_sounds_like(tmp_path: Path) -> None:
    samples = np.zeros(44_100 * 3, np.float32)
    synth.place(samples, synth.kick(44_100), 22_050)
    synth.place(samples, synth.hat(44_100), 66_150)
    low, high = hits_of(
        synth.Truth(samples, 44_100, np.array([0.5, 1.5]), np.zeros(0)), tmp_path
    ).body["segments"]
    assert 2 * low["brightness_hz"] < 5_000 < high["brightness_hz"]
    assert low["peak_dbfs"] == pytest.approx(20 * np.log10(np.abs(synth.kick(44_100)).max()), abs=1)


@pytest.mark.heavy
def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    loud = synth.drums(bars=2)
    loud = synth.Truth(3.0 * loud.samples, loud.rate_hz, loud.onsets_s, loud.beats_s)
    digests = []
    for name in ("a", "b"):
        ran = hits_of(loud, tmp_path / name)
        assert soundfile.info(ran.of("audio_hit")[0].path).subtype == "FLOAT"
        outputs = ran.result.outputs
        digests.append([hashlib.sha256(output.path.read_bytes()).digest() for output in outputs])
        digests[-1].append(repr([output.meta for output in outputs]).encode())
    assert digests[0] == digests[1]


def test_float_files_carry_no_time_of_day(tmp_path: Path) -> None:
    segments.write_wav(tmp_path / "x.wav", np.full((999, 2), 2.0, np.float32), 8_000)
    data = (tmp_path / "x.wav").read_bytes()
    at = data.index(b"PEAK")
    assert data[at + 12 : at + 16] == bytes(4)
    assert soundfile.read(tmp_path / "x.wav")[0].max() == 2.0


@pytest.mark.parametrize("peak", [0.0, 1e-5])
def test_silence_is_skipped_and_says_so(peak: float, tmp_path: Path) -> None:
    samples = np.full(44_100, peak, np.float32)
    ran = hits_of(synth.Truth(samples, 44_100, np.zeros(0), np.zeros(0)), tmp_path)
    assert (ran.result.state, ran.result.reason) == (StepState.SKIPPED, "silent recording")
    assert ran.body["segments"] == []


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(8_000, 8), (11_025, 1), (48_000, 2), (96_000, 1), (192_000, 8)]
)
def test_any_rate_and_channels(rate_hz: int, channels: int, tmp_path: Path) -> None:
    samples = np.zeros((2 * rate_hz, channels), np.float32)
    synth.place(samples[:, -1], synth.kick(rate_hz), rate_hz // 2)
    source = write(tmp_path / "in.wav", samples, rate_hz)
    ran = run(ENGINE, source, tmp_path / "out", backend=REAL)
    (row,) = ran.body["segments"]
    assert row["onset_ms"] == pytest.approx(500, abs=2)
    info = soundfile.info(ran.of("audio_hit")[0].path)
    assert (info.samplerate, info.channels) == (rate_hz, channels)


def _spoilt(kind: str) -> Samples:
    samples = synth.drums(bars=1).samples.copy()
    match kind:
        case "NaN":
            samples[10_000:10_010] = np.nan
        case "infinity":
            samples[20_000] = np.inf
        case "huge":
            samples[20_000:20_100] = 1e30
        case "DC offset":
            samples += 0.7
        case "clipped":
            samples = np.clip(20 * samples, -1, 1)
        case "opposite channels":
            return np.stack([samples, -samples], axis=1)
        case "10 ms":
            samples = samples[22_050:22_491]
        case "one sample":
            samples = np.ones(1, np.float32)
    return samples


@pytest.mark.heavy
@pytest.mark.parametrize(
    "kind",
    ["NaN", "infinity", "huge", "DC offset", "clipped", "opposite channels", "10 ms", "one sample"],
)
def test_survives_hostile_sound(kind: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", _spoilt(kind), 44_100)
    ran = run(ENGINE, source, tmp_path / "out", backend=REAL)
    if kind in ("DC offset", "opposite channels", "clipped", "NaN"):
        assert 7 <= ran.body["segment_count"] <= 10
    for output in ran.of("audio_hit"):
        assert np.isfinite(soundfile.read(output.path)[0]).all()


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_duration_limits(low: int, high: int) -> None:
    if 500 <= low <= high <= 30_000:
        assert HitsParams(min_duration_ms=low, max_duration_ms=high).min_duration_ms == low
        return
    with pytest.raises(ValidationError) as caught:
        HitsParams(min_duration_ms=low, max_duration_ms=high)
    field = caught.value.to_json()["details"]["field"]
    assert field == ("min_duration_ms" if not 500 <= low <= 30_000 else field)
    assert field in ("min_duration_ms", "max_duration_ms")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_quality_is_clamped(score: float) -> None:
    assert HitsParams(min_quality_score=score).min_quality_score == min(max(score, 0.0), 1.0)


@pytest.mark.parametrize("status", ["ok", "missing"])
def test_without_librosa_it_is_the_flagged_stub(
    status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = HealthReport("librosa", status, "0.10", "0.11.0")  # type: ignore[arg-type]
    monkeypatch.setattr(reading_activity, "report", lambda name: found)
    backend = ENGINE.backend()
    assert (backend.name, backend.stub) == (("rushes", False) if status == "ok" else ("stub", True))


@pytest.mark.heavy
def test_the_stub_is_regular_and_knows_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", synth.drums().samples[: 44_100 * 5], 44_100)
    ran = run(ENGINE, source, tmp_path / "out", backend=STUB)
    assert [row["start_ms"] for row in ran.body["segments"]] == [0, 2_000, 4_000]
    assert {row["confidence"] for row in ran.body["segments"]} == {0}
