"""Loops out of recordings whose tempo, bars and beats are known."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import pytest
import soundfile
import soxr

from functions.detect.loops import ENGINE, LoopsParams
from functions.detect.seams import best_match, close_seam, zero_crossing
from functions.detect.segments import Segment
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend
from shared.errors import ValidationError
from tests.functions.detect import synth
from tests.functions.detect.harness import REAL_MEDIA, Ran, run, write

REAL = Backend("rushes", "loops-3")
STUB = Backend("stub", "loops-stub-1", stub=True)
RATE_HZ = 44_100


def loops_of(truth: synth.Truth, folder: Path, **params: object) -> Ran:
    source = write(folder / "in.wav", truth.samples, truth.rate_hz)
    return run(ENGINE, source, folder / "out", backend=REAL, **params)


def beat_f(truth: synth.Truth, ran: Ran) -> float:
    found_s = mir_eval.beat.trim_beats(np.array(ran.body["beats_ms"]) / 1000)
    return float(mir_eval.beat.f_measure(mir_eval.beat.trim_beats(truth.beats_s), found_s))


def over_a_pad(truth: synth.Truth) -> synth.Truth:
    """With a chord that sounds through, and whose periods fit no bar."""
    t = np.arange(truth.samples.size) / truth.rate_hz
    chord = sum(0.08 * np.sin(2 * np.pi * hertz * t) for hertz in (173.3, 219.7, 261.1))
    return synth.Truth(
        (truth.samples + chord).astype(np.float32), truth.rate_hz, truth.onsets_s, truth.beats_s
    )


@pytest.mark.heavy
@pytest.mark.parametrize("bpm", [86.0, 97.3, 171.0])
def test_loops_are_whole_bars_at_the_true_tempo(bpm: float, tmp_path: Path) -> None:
    truth = synth.drums(bpm=bpm, bars=12, noise_dbfs=-50)
    ran = loops_of(truth, tmp_path)
    assert ran.body["bpm"] == pytest.approx(bpm, rel=0.003)
    assert 1 <= ran.body["segment_count"] <= 2  # one pattern: each distinct loop once
    for index, row in enumerate(ran.body["segments"]):
        length_s = len(ran.audio(index, "audio_loop")) / RATE_HZ
        assert length_s == pytest.approx(240 * row["bars"] / row["bpm"], abs=1e-4)
        assert row["bpm"] == pytest.approx(bpm, rel=0.003)
        assert len(row["beats_ms"]) == 4 * row["bars"]
        assert np.abs(truth.beats_s - row["start_ms"] / 1000).min() < 0.006


@pytest.mark.heavy
@pytest.mark.parametrize(
    "played",
    [
        {"bars": 16, "noise_dbfs": -50},
        {"bars": 16, "swing": 0.62, "bpm": 96, "noise_dbfs": -40},
        {"bars": 24, "bpm": 128, "noise_dbfs": -50},
    ],
    ids=["straight", "swing", "beyond half a minute"],
)
def test_beats(played: dict[str, Any], tmp_path: Path) -> None:
    truth = synth.drums(**played)
    assert beat_f(truth, loops_of(truth, tmp_path)) > 0.95


@pytest.mark.heavy
def test_the_tempo_may_change(tmp_path: Path) -> None:
    truth = synth.drums(bars=16, bpm=100, bpm_end=125, noise_dbfs=-50)
    ran = loops_of(truth, tmp_path)
    assert beat_f(truth, ran) > 0.95
    rows = ran.body["segments"]
    assert len(rows) >= 4
    for row in rows:
        inside = truth.beats_s[truth.beats_s >= row["start_ms"] / 1000 - 0.01]
        expected_bpm = 240 * row["bars"] / (inside[4 * row["bars"]] - inside[0])
        assert row["bpm"] == pytest.approx(expected_bpm, rel=0.01)


def _step(samples: np.ndarray, at: int, until: int = 44) -> float:
    """The greatest bend of the waveform within 1 ms around ``at``, up to the attack: a click."""
    return float(np.abs(np.diff(samples[at - 44 : at + min(until, 44)], 2)).max())


@pytest.mark.heavy
def test_the_seam_is_inaudible(tmp_path: Path) -> None:
    """Level and spectrum go on across the seam as in the recording; a bare cut clicks."""
    truth = over_a_pad(synth.drums(bars=8, noise_dbfs=-70))
    ran = loops_of(truth, tmp_path)
    bare, seams = [], []
    for index, row in enumerate(ran.body["segments"]):
        loop = ran.audio(index, "audio_loop")[:, 0]
        twice, at = np.concatenate([loop, loop]), len(loop)
        first = round(row["start_ms"] * RATE_HZ / 1000)
        straight = truth.samples[first : first + at].astype(float)
        attacks = np.round(truth.onsets_s * RATE_HZ).astype(int) - first
        until = int(attacks[attacks > 0].min()) - 1
        seams.append(_step(twice, at, until))
        bare.append(_step(np.concatenate([straight, straight]), at, until))
        own = truth.samples[first - 441 : first].astype(float)
        level_db = 10 * np.log10(np.mean(twice[at - 441 : at] ** 2) / np.mean(own**2))
        assert abs(level_db) < 3.0
        spectra = [
            np.abs(np.fft.rfft(part * np.hanning(441))) for part in (own, twice[at - 441 : at])
        ]
        high = [float(np.square(spectrum[50:]).sum()) for spectrum in spectra]  # above 5 kHz
        assert 10 * np.log10((high[1] + 1e-6) / (high[0] + 1e-6)) < 6.0
    usual = float(np.abs(np.diff(truth.samples[: RATE_HZ // 4], 2)).max())  # the pad alone
    assert max(bare) > 5 * usual
    assert max(seams) < 3 * usual


@pytest.mark.heavy
def test_what_repeats_comes_first(tmp_path: Path) -> None:
    steady = synth.drums(bars=8, noise_dbfs=-60)
    wild = synth.melody(attack_s=0.01, notes=50, seed=5)
    samples = np.concatenate([wild.samples, steady.samples])
    ran = loops_of(synth.Truth(samples, RATE_HZ, np.zeros(0), np.zeros(0)), tmp_path)
    best = max(ran.body["segments"], key=lambda row: row["score"])
    assert best["start_ms"] / 1000 > wild.samples.size / RATE_HZ


@pytest.mark.real_case("detect.loops")
def test_one_bar_alone_is_taken_whole(tmp_path: Path) -> None:
    truth = synth.drums(bars=1, bpm=110, lead_s=0.0)
    (row,) = loops_of(truth, tmp_path).body["segments"]
    assert (row["start_ms"], row["bars"]) == (0, 1)
    assert row["bpm"] == pytest.approx(110, rel=1e-4)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "rate_hz"),
    [("amen", None), ("amen", 8_000), ("breakbeat", None), ("garzul", None), ("perc1", None)],
)
def test_real_loops(name: str, rate_hz: int | None, tmp_path: Path) -> None:
    source = REAL_MEDIA / "loops" / f"loop_{name}.flac"
    if not source.exists():
        pytest.skip(f"{source} is not here")
    if rate_hz:
        sound, own_hz = soundfile.read(source)
        source = write(tmp_path / "low.wav", soxr.resample(sound, own_hz, rate_hz), rate_hz)
    truth = json.loads((REAL_MEDIA / "truth" / "loops" / f"sonicpi_loop_{name}.json").read_text())
    best = max(
        run(ENGINE, source, tmp_path, backend=REAL).body["segments"], key=lambda row: row["score"]
    )
    assert best["bpm"] == pytest.approx(truth["tempo"], rel=0.001)
    assert best["bars"] == truth["bars_4_4"]
    assert best["end_ms"] - best["start_ms"] == pytest.approx(1000 * truth["duration"], abs=1)


@pytest.mark.heavy
def test_each_distinct_loop_is_given_once(tmp_path: Path) -> None:
    """Two patterns with something between that never repeats: two loops."""
    one = synth.groove(synth.ROCK, 126, bars=6, lead_s=0.0).samples
    wild = synth.melody(attack_s=0.01, notes=30).samples
    rest = 1e-4 * np.random.default_rng(0).standard_normal(3 * RATE_HZ).astype(np.float32)
    other = synth.groove(synth.BUSY, 98, bars=6, lead_s=0.0, seed=4).samples
    samples = np.concatenate([one, wild, rest, other])
    ran = loops_of(synth.Truth(samples, RATE_HZ, np.zeros(0), np.zeros(0)), tmp_path)
    found = [row["bpm"] for row in ran.body["segments"]]
    assert found == [pytest.approx(126, rel=0.002), pytest.approx(98, rel=0.002)]


@pytest.mark.heavy
@pytest.mark.parametrize(
    "text",
    [
        "The garden gate was left open all night",
        "Tomorrow the weather will be fine again",
    ],
)
def test_a_sentence_is_no_loop(text: str, tmp_path: Path) -> None:
    subprocess.run(["espeak-ng", "-w", str(tmp_path / "said.wav"), text], check=True)
    ran = run(ENGINE, tmp_path / "said.wav", tmp_path / "out", backend=REAL)
    assert (ran.body["segments"], ran.body["bpm"], ran.body["beats_ms"]) == ([], None, [])


@pytest.mark.heavy
def test_a_chord_with_vibrato_has_neither_loops_nor_beats(tmp_path: Path) -> None:
    ran = loops_of(synth.pad(20), tmp_path)
    assert (ran.body["segments"], ran.body["bpm"], ran.body["beats_ms"]) == ([], None, [])


@pytest.mark.heavy
@pytest.mark.parametrize("cut", [1 / 16, 3 / 32])
def test_a_loop_that_is_cut_short_is_not_taken_whole(cut: float, tmp_path: Path) -> None:
    truth = synth.groove(synth.ROCK, 78, bars=1, lead_s=0.0)
    samples = truth.samples[: round(len(truth.samples) * (1 - cut))]
    ran = loops_of(synth.Truth(samples, RATE_HZ, np.zeros(0), np.zeros(0)), tmp_path)
    assert not any(row["start_ms"] == 0 and row["score"] > 0.5 for row in ran.body["segments"])


@pytest.mark.heavy
def test_two_bars_alone_are_taken_whole(tmp_path: Path) -> None:
    truth = synth.groove(synth.SIXTEENTHS, 120, steps_per_beat=4, bars=2, lead_s=0.0)
    best = max(loops_of(truth, tmp_path).body["segments"], key=lambda row: row["score"])
    assert (best["start_ms"], best["end_ms"], best["bars"]) == (0, 4_000, 2)
    assert best["bpm"] == pytest.approx(120, abs=0.01)


@pytest.mark.heavy
def test_a_waltz_has_bars_of_three(tmp_path: Path) -> None:
    ran = loops_of(synth.groove(synth.WALTZ, 105, bars=12), tmp_path)
    assert ran.body["beats_per_bar"] == 3
    assert ran.body["segment_count"] >= 1
    for row in ran.body["segments"]:
        assert len(row["beats_ms"]) == 3 * row["bars"]


@pytest.mark.heavy
def test_six_eight_has_bars_of_two(tmp_path: Path) -> None:
    """Two beats of three eighths: as many bars are told as are played."""
    ran = loops_of(synth.groove(synth.SIX_EIGHT, 105, steps_per_beat=3, bars=12), tmp_path)
    assert ran.body["beats_per_bar"] == 2
    assert ran.body["segment_count"] >= 1
    for row in ran.body["segments"]:
        assert len(row["beats_ms"]) == 2 * row["bars"]
        bar_ms = (row["end_ms"] - row["start_ms"]) / row["bars"]
        assert bar_ms == pytest.approx(2 * 60_000 / 105, rel=0.005)


@pytest.mark.heavy
def test_noise_has_no_loops(tmp_path: Path) -> None:
    samples = synth.noise_floor(np.zeros(RATE_HZ * 10, np.float32), -20)
    ran = loops_of(synth.Truth(samples, RATE_HZ, np.zeros(0), np.zeros(0)), tmp_path)
    assert (ran.result.state, ran.body["segments"]) == (StepState.DONE, [])


def test_silence_is_skipped(tmp_path: Path) -> None:
    samples = np.zeros(RATE_HZ, np.float32)
    ran = loops_of(synth.Truth(samples, RATE_HZ, np.zeros(0), np.zeros(0)), tmp_path)
    assert (ran.result.state, ran.result.reason) == (StepState.SKIPPED, "silent recording")


@pytest.mark.parametrize("samples", [1, 441, 8_820])
def test_short_recordings(samples: int, tmp_path: Path) -> None:
    truth = synth.drums(bars=1)
    short = truth.samples[22_050 : 22_050 + samples]
    ran = loops_of(synth.Truth(short, RATE_HZ, np.zeros(0), np.zeros(0)), tmp_path)
    assert ran.body["segments"] == []


@pytest.mark.heavy
def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    truth = over_a_pad(synth.drums(bars=6))
    digests = [
        [
            (hashlib.sha256(output.path.read_bytes()).hexdigest(), repr(output.meta))
            for output in loops_of(truth, tmp_path / name).result.outputs
        ]
        for name in ("a", "b")
    ]
    assert len(digests[0]) > 2
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("min_duration_ms", 499),
        ("max_duration_ms", 30_001),
        ("beats_per_bar", 1),
        ("max_loops", 0),
    ],
)
def test_params_outside_the_limits_name_the_field(field: str, value: int) -> None:
    with pytest.raises(ValidationError) as caught:
        LoopsParams(**{field: value})
    assert caught.value.to_json()["details"]["field"] == field


@pytest.mark.heavy
def test_three_beats_a_bar(tmp_path: Path) -> None:
    ran = loops_of(synth.drums(bars=12), tmp_path, beats_per_bar=3)
    for row in ran.body["segments"]:
        length_s = (row["end_ms"] - row["start_ms"]) / 1000
        assert length_s == pytest.approx(180 * row["bars"] / row["bpm"], abs=1e-3)


@pytest.mark.heavy
def test_the_stub_is_regular(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", synth.drums(bars=3).samples, RATE_HZ)
    ran = run(ENGINE, source, tmp_path / "out", backend=STUB)
    assert [row["start_ms"] for row in ran.body["segments"]] == [0, 2_000, 4_000]
    assert {(row["bpm"], row["score"]) for row in ran.body["segments"]} == {(120, 0)}


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000, 96_000, 192_000])
def test_a_step_at_the_seam_is_evened_out_over_the_same_time_at_any_rate(rate_hz: int) -> None:
    rising = np.linspace(-0.5, 0.5, rate_hz, dtype=np.float32)[:, None]
    closed = close_seam(rising, Segment(0, rate_hz, 1.0, 1.0), rate_hz)
    assert closed[-1] == pytest.approx(closed[0], abs=1e-6)
    bent = np.flatnonzero(np.abs(closed - rising) > 1e-7)
    assert (rate_hz - bent[0]) / rate_hz == pytest.approx(0.0029, abs=1.5 / rate_hz)


def test_finds_a_pattern_at_any_level() -> None:
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(3_000).astype(np.float32)
    at, alike = best_match(sound, 0.3 * sound[1_234:1_500])
    assert (at, round(alike, 3)) == (1_234, 1.0)


def test_zero_crossing_is_before_the_attack() -> None:
    wave = np.sin(2 * np.pi * np.arange(1_000) / 100).astype(np.float32)[:, None]
    assert zero_crossing(wave, 730, 200) in (700, 701)
