"""An ffmpeg that is missing, fails, hangs or finds the disk full: structured errors, last words."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import soundfile

from functions.transform import fx, loudness, normalise, resample, sound
from shared.contracts.step_engine import Backend, Engine, Job
from shared.errors import BackendFailed, MissingDependency, TimedOut, Unavailable, UnsupportedMedia
from shared.media import decode, ffmpeg_filters, stretch
from shared.watch import health
from tests.functions.transform.support import RATE, job_of, noise, write

ALL: list[tuple[Engine, dict[str, Any]]] = [
    (fx.ENGINE, {"preset_id": "radio"}),
    (loudness.ENGINE, {}),
    (normalise.ENGINE, {}),
    (resample.ENGINE, {"tempo": 1.5, "quality": "draft"}),
]
engines = pytest.mark.parametrize(
    ("engine", "params"), ALL, ids=["fx", "loudness", "normalise", "resample"]
)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    ffmpeg_filters.known_filters()  # asked of the real one
    path = tmp_path / "source.aiff"  # which ffmpeg reads, where a WAV is read without it
    soundfile.write(path, noise(1), RATE, subtype="PCM_24")
    return job_of(path, tmp_path)


def make(engine: Engine, params: dict[str, Any], job: Job) -> None:
    engine.run(job, engine.params.model_validate(params), Backend("ffmpeg", "test"))


def replace_ffmpeg(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str | None) -> None:
    """An ``ffmpeg`` that runs ``script`` instead, or none at all."""
    tools = folder / "tools"
    tools.mkdir()
    for tool in ("setpriv", "unshare", "sh", "sleep"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    if script:
        (tools / "ffmpeg").write_text(f"#!/bin/sh\n{script}\n")
        (tools / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))


@engines
def test_missing_ffmpeg(
    engine: Engine,
    params: dict[str, Any],
    job: Job,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replace_ffmpeg(tmp_path, monkeypatch, None)
    health.report.cache_clear()
    try:
        with pytest.raises(MissingDependency) as caught:
            engine.backend()
    finally:
        health.report.cache_clear()
    assert caught.value.to_json()["dependency"] == "ffmpeg"
    assert "install" in caught.value.message
    stretch.late_samples.cache_clear()
    with pytest.raises(MissingDependency):
        make(engine, params, job)


@engines
def test_failing_ffmpeg_is_quoted(
    engine: Engine,
    params: dict[str, Any],
    job: Job,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replace_ffmpeg(tmp_path, monkeypatch, "echo 'the knob came off' >&2; exit 7")
    with pytest.raises(BackendFailed) as caught:
        make(engine, params, job)
    details = caught.value.to_json()["details"]
    assert details["exit_code"] == 7
    assert "the knob came off" in details["stderr_tail"]


@engines
def test_full_disk_may_be_tried_again(
    engine: Engine,
    params: dict[str, Any],
    job: Job,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replace_ffmpeg(tmp_path, monkeypatch, "echo 'av_write: No space left on device' >&2; exit 1")
    with pytest.raises(Unavailable):
        make(engine, params, job)


@engines
def test_hanging_ffmpeg_is_stopped(
    engine: Engine,
    params: dict[str, Any],
    job: Job,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stretch.late_samples.cache_clear()
    replace_ffmpeg(tmp_path, monkeypatch, "sleep 60")
    for reader in (decode, sound, stretch):
        monkeypatch.setattr(reader, "timeout_for", lambda duration_ms: 0.3)
    with pytest.raises(TimedOut):
        make(engine, params, job)


@engines
def test_ffmpeg_that_says_nothing_useful_is_no_success(
    engine: Engine,
    params: dict[str, Any],
    job: Job,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replace_ffmpeg(tmp_path, monkeypatch, "echo 'Peak level dB: oops' >&2")
    with pytest.raises(BackendFailed):
        make(engine, params, job)


def test_a_wav_that_was_heard_but_not_written_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(write(tmp_path, noise(1)), tmp_path)
    replace_ffmpeg(tmp_path, monkeypatch, "true")
    with pytest.raises(BackendFailed, match="wrote no WAV"):
        make(normalise.ENGINE, {}, job)


@engines
def test_recording_without_sound(engine: Engine, params: dict[str, Any], job: Job) -> None:
    mute = Job(job.source, job.media.model_copy(update={"audio": ()}), job.workdir, job.progress)
    with pytest.raises(UnsupportedMedia, match="no sound"):
        make(engine, params, mute)


@pytest.mark.first_is_quick
@pytest.mark.parametrize(
    ("words", "error"),
    [("No space left on device", Unavailable), ("the encoder tripped", BackendFailed)],
)
def test_an_encoder_that_fails_behind_the_limiter(
    words: str, error: type[Exception], job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.which("ffmpeg")
    fails = f"echo '{words}' >&2; exit 1"
    script = f"""case "$*" in *"-i pipe:"*) {fails};; *) exec {real} "$@";; esac"""
    replace_ffmpeg(tmp_path, monkeypatch, script)
    with pytest.raises(error):
        make(normalise.ENGINE, {"target_lufs": -6}, job)


def test_unknown_filters_are_named() -> None:
    with pytest.raises(MissingDependency, match="ffmpeg's filter amagic"):
        ffmpeg_filters.check_filters("highpass=f=3,amagic=1")
