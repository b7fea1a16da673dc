"""What other tools say of a file, and of what was made from it, against what the engines say."""

from __future__ import annotations

import json
import subprocess
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pyloudnorm
import soundfile
from scipy.signal import fftconvolve, resample_poly

from functions.probe.recording import probe_recording
from functions.transform import loudness, normalise
from shared.contracts.asset import MediaInfo
from shared.contracts.step_engine import Engine, InputFile, Job, Result
from shared.errors import RushesError
from tests.formats.sounds import Grade, Made, SoundCase
from tests.formats.truth import Samples

TARGET_LUFS = -30.0
_TOOLS_MS = 60.0
"""So far apart tools are that read headers alone, and what was counted by decoding."""


@dataclass
class Verdict:
    """What became of a case."""

    name: str
    outcome: str = "right"
    """``right``, or the code of a refusal."""
    wrong: list[str] = field(default_factory=list)
    notices: tuple[str, ...] = ()

    def near(self, what: str, told: float | None, truth: float, within: float) -> None:
        """Note it, where what is told is further from the truth."""
        if told is None or not abs(told - truth) <= within:
            self.wrong.append(f"{what}: {told} for {truth:.3f} (within {within:g})")

    def same(self, what: str, told: Any, truth: Any) -> None:
        """Note it, where they differ."""
        if told != truth:
            self.wrong.append(f"{what}: {told} for {truth}")


def run(engine: Engine, path: Path, media: MediaInfo, workdir: Path, **params: Any) -> Result:
    """A step, as the runtime has it run, without what earlier steps made."""
    inputs = params.pop("inputs", {})
    workdir.mkdir()
    job = Job(path, media, workdir, lambda _: None, inputs)
    return engine.run(job, engine.params.model_validate(params), engine.backend())


def judge_sound(case: SoundCase, folder: Path) -> Verdict:
    """Make the file, run probe, loudness and normalise, and compare."""
    made = case.make(folder)
    verdict = Verdict(case.name)
    try:
        media = probe_recording(made.path).media
        verdict.notices = media.every_notice
        _judge_probe(made, media, verdict)
        measured = _judge_loudness(case, made, media, folder, verdict)
        _judge_normalised(case, made, media, measured, verdict)
    except RushesError as error:
        verdict.outcome = error.code
        verdict.notices = (error.message,)
        if error.code != case.refused:
            verdict.wrong.append(f"refused: {error.code}: {error.message}")
        return verdict
    if case.refused:
        verdict.wrong.append(f"not refused by {case.refused}")
    if case.notice and not any(case.notice in notice for notice in verdict.notices):
        verdict.wrong.append(f"no notice says {case.notice!r}: {verdict.notices}")
    return verdict


def _judge_probe(made: Made, media: MediaInfo, verdict: Verdict) -> None:
    heard, length_ms = media.heard, 1000 * len(made.samples) / made.rate_hz
    verdict.same("sample rate", heard.sample_rate_hz, made.rate_hz)
    verdict.same("channels", heard.channels, made.samples.shape[1])
    verdict.same("moving pictures", len(media.video), 0)
    verdict.near("duration", media.duration_ms, length_ms, made.grade.longer_ms)
    for tool, asked in (("ffprobe", _ffprobe_s), ("mutagen", _mutagen_s)):
        told_s = asked(made.path) if tool in made.tools else None
        if told_s:
            within_ms = max(_TOOLS_MS, made.grade.longer_ms)
            verdict.near(f"duration by {tool}", media.duration_ms, 1000 * told_s, within_ms)


def _judge_loudness(
    case: SoundCase, made: Made, media: MediaInfo, folder: Path, verdict: Verdict
) -> InputFile:
    (output,) = run(loudness.ENGINE, made.path, media, folder / "loudness").outputs
    measured = InputFile("art-loudness", output.kind, output.path, output.meta)
    told = json.loads(output.path.read_text())
    if case.silent:
        verdict.same("loudness", told["integrated_lufs"], None)
        return measured
    grade = made.grade
    verdict.near("loudness", told["integrated_lufs"], truth_lufs(made), grade.loudness_lu)
    peak_db = _true_peak_dbtp(made.samples)
    exact = grade.likeness > 0.999
    if made.until_s is None:  # a cut and a join of what is lossy may click
        verdict.near("true peak", told["true_peak_dbtp"], peak_db, 0.2 if exact else 2.5)
    return measured


def _judge_normalised(
    case: SoundCase, made: Made, media: MediaInfo, measured: InputFile, verdict: Verdict
) -> None:
    result = run(
        normalise.ENGINE,
        *(made.path, media, measured.path.parent.parent / "normalise"),
        inputs={"transform.loudness": [measured]},
        target_lufs=TARGET_LUFS,
    )
    if case.silent:
        verdict.same("normalise", result.state.value, "skipped")
        return
    verdict.same("normalise", result.state.value, "done")
    out, rate = soundfile.read(result.outputs[0].path, always_2d=True, dtype="float64")
    verdict.same("rate of the result", rate, made.rate_hz)
    if out.shape[1] != made.samples.shape[1]:
        verdict.same("channels of the result", out.shape[1], made.samples.shape[1])
        return
    length_ms, longer_ms = 1000 * len(out) / rate, made.grade.longer_ms
    verdict.near("length of the result", length_ms, 1000 * len(made.samples) / rate, longer_ms)
    result_lufs = truth_lufs(Made(made.path, out, rate, layout=made.layout))
    verdict.near("loudness of the result", result_lufs, TARGET_LUFS, 0.15)
    until = round((made.until_s or 1e6) * rate)
    _judge_likeness("the truth", out[:until], made.samples[:until], rate, made.grade, verdict)
    read = _libsndfile(made) if "libsndfile" in made.tools else None
    if read is not None and read.shape[1] == out.shape[1]:
        _judge_likeness("libsndfile", out, read, rate, made.grade, verdict)


def _judge_likeness(
    what: str, out: Samples, truth: Samples, rate: int, grade: Grade, verdict: Verdict
) -> None:
    """Channel by channel: in its place, at its time, as loud as the others."""
    gains = []
    lossy_lfe = truth.shape[1] == 6 and grade.likeness < 0.99
    for number in range(truth.shape[1]):
        if lossy_lfe and number == 3:  # coders keep as much of it as they like
            continue
        pair = out[:, number], truth[:, number]
        if grade.envelope:
            pair = _envelope(pair[0], rate), _envelope(pair[1], rate)
        lag, likeness, gain = _alike(*pair, rate)
        # An envelope's peak is blunt; a sample's place is exact.
        blunt = 0.02 * rate if grade.envelope else 1.5
        early, late = grade.early_ms * rate / 1000 + blunt, grade.delay_ms * rate / 1000 + blunt
        if not -early <= lag <= late:
            verdict.wrong.append(f"channel {number} is {1000 * lag / rate:.2f} ms late for {what}")
        if likeness < grade.likeness:
            verdict.wrong.append(f"channel {number} is like {what} by {likeness:.4f}")
        gains.append(gain)
    if max(gains) > 1.3 * min(gains):
        verdict.wrong.append(f"channels' gains differ: {np.round(gains, 5).tolist()}")


def _envelope(samples: Samples, rate: int) -> Samples:
    """How loud it is, over 20 ms."""
    window = np.ones(round(0.02 * rate)) / round(0.02 * rate)
    return np.asarray(np.sqrt(fftconvolve(samples**2, window, "same").clip(0)))


def _alike(out: Samples, truth: Samples, rate: int) -> tuple[int, float, float]:
    """By how many samples it is late (at most 0.3 s), correlation and gain there."""
    length, most = min(len(out), len(truth)), round(0.3 * rate)
    one, other = out[:length] - out[:length].mean(), truth[:length] - truth[:length].mean()
    crossed = fftconvolve(one, other[::-1])[length - 1 - most : length + most]
    lag = int(np.argmax(np.abs(crossed))) - most
    one, other = (
        (one[lag:], other[: length - lag]) if lag > 0 else (one[: length + lag], other[-lag:])
    )
    norm = float(np.sqrt(np.sum(one**2) * np.sum(other**2))) or 1.0
    return lag, float(np.sum(one * other)) / norm, float(np.sqrt(np.sum(one**2) / np.sum(other**2)))


def truth_lufs(made: Made) -> float:
    """By pyloudnorm. Of 5.1 without its LFE; of equal channels with one voice by their sum."""
    samples = made.samples
    if made.layout is None:
        gains = np.sqrt(np.mean(samples**2, axis=0))
        loudest = int(np.argmax(gains))
        summed_db = 10 * np.log10(np.sum((gains / gains[loudest]) ** 2))
        return _lufs(samples[:, loudest], made.rate_hz) + float(summed_db)
    if samples.shape[1] == 6:
        samples = samples[:, [0, 1, 2, 4, 5]]
    return _lufs(samples, made.rate_hz)


def _lufs(samples: Samples, rate: int) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(pyloudnorm.Meter(rate).integrated_loudness(samples))


def _true_peak_dbtp(samples: Samples) -> float:
    return float(20 * np.log10(np.abs(resample_poly(samples, 8, 1, axis=0)).max()))


def ffprobe(path: Path, *words: str) -> Any:
    """What it prints as JSON."""
    command = ["ffprobe", "-v", "error", *words, "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def _ffprobe_s(path: Path) -> float | None:
    told = ffprobe(path, "-show_entries", "format=duration")["format"].get("duration")
    return float(told) if told else None


def _mutagen_s(path: Path) -> float | None:
    """``None`` for what mutagen does not know: also WAV's codecs that are not PCM."""
    try:
        file = mutagen.File(path)
    except mutagen.MutagenError:
        return None
    if path.suffix == ".wav" and not soundfile_reads_pcm(path):
        return None
    return getattr(getattr(file, "info", None), "length", None)


def soundfile_reads_pcm(path: Path) -> bool:
    """Is it a WAV whose samples need no decoder, as libsndfile sees it?"""
    try:
        return str(soundfile.info(path).subtype).startswith(
            ("PCM", "FLOAT", "DOUBLE", "ULAW", "ALAW")
        )
    except soundfile.LibsndfileError:
        return False


def _libsndfile(made: Made) -> Samples | None:
    """``None`` for what libsndfile does not read."""
    try:
        samples, rate = soundfile.read(made.path, always_2d=True, dtype="float64")
    except soundfile.LibsndfileError:
        return None
    return samples if rate == made.rate_hz else None
