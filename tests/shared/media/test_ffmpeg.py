from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared import processes
from shared.errors import (
    BackendFailed,
    MissingDependency,
    TimedOut,
    Unavailable,
    UnsupportedMedia,
)
from shared.media.ffmpeg import input_args, run, started, timeout_for
from shared.processes import STDERR_TAIL_BYTES
from tests.shared.media.recordings import write_noise

ENDLESS = ["-re", "-f", "lavfi", "-i", "sine=440"]


def running(mark: str) -> list[int]:
    """Processes, of any parent, that have ``mark`` among their words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words, state = (folder / "cmdline").read_bytes(), (folder / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if mark.encode() in words and state.rsplit(")", 1)[1].split()[0] != "Z":
            found.append(int(folder.name))
    return [pid for pid in found if pid != os.getpid()]


def eventually(condition: Callable[[], bool], limit_s: float = 120) -> bool:
    ends = time.monotonic() + limit_s
    while not condition() and time.monotonic() < ends:
        time.sleep(0.02)
    return condition()


def test_a_result_is_written_and_standard_error_kept(tmp_path: Path) -> None:
    source = write_noise(tmp_path / "a.wav")
    done = run([*input_args(source, "wav"), "-v", "info", "-y", tmp_path / "b.flac"], timeout_s=120)
    assert (tmp_path / "b.flac").stat().st_size
    assert "Output #0, flac" in done.stderr_tail


@pytest.mark.parametrize("name", ["-y.wav", "http:x.wav", "a b'ü%03d[0].wav", "pipe:0"])
def test_a_file_s_name_is_no_instruction(name: str, tmp_path: Path) -> None:
    source = write_noise(tmp_path / "plain.wav").rename(tmp_path / name)
    raw = run([*input_args(source, "wav"), "-f", "s16le", "pipe:1"], timeout_s=120).stdout
    assert len(raw) == 4800 * 2 * 2


def test_a_failure_tells_the_tool_s_last_words_but_no_paths(tmp_path: Path) -> None:
    source = tmp_path / "secret-name.wav"
    source.write_bytes(b"no recording" * 100)
    with pytest.raises(BackendFailed) as caught:
        run([*input_args(source, "wav"), "-f", "null", "-"], timeout_s=120)
    details = caught.value.to_json()["details"]
    assert details["exit_code"] == 1
    assert "Invalid data" in details["stderr_tail"] and "input" in details["reason"]
    assert "secret-name" not in str(details) and "0x" not in str(details)


def test_standard_error_is_kept_up_to_its_limit() -> None:
    silence = ["-f", "lavfi", "-i", "anullsrc", "-t", "2", "-af", "ashowinfo", "-f", "null", "-"]
    done = run(["-v", "info", *silence], timeout_s=120)
    assert 0.5 * STDERR_TAIL_BYTES < len(done.stderr_tail) <= STDERR_TAIL_BYTES


@pytest.mark.parametrize("demuxer", ["hls", "concat", "image2", "lavfi", "sdp", "svg_pipe", "srt"])
def test_only_listed_demuxers_open_files(demuxer: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia, match=demuxer):
        input_args(tmp_path / "a.wav", demuxer)


def test_a_missing_tool_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    which = {"setpriv": "/usr/bin/setpriv"}
    monkeypatch.setattr("shared.processes.shutil.which", which.get)
    with pytest.raises(MissingDependency) as caught:
        run(["-version"], timeout_s=60)
    told = caught.value.to_json()
    assert (told["dependency"], told["required_version"]) == ("ffmpeg", "5.1")
    assert "apt install ffmpeg" in told["message"]


def test_a_full_disk_is_no_fault_of_the_recording(tmp_path: Path) -> None:
    source = write_noise(tmp_path / "a.wav", frames=48000)
    with pytest.raises(Unavailable, match="disk"):
        run([*input_args(source, "wav"), "-y", "-f", "wav", "file:/dev/full"], timeout_s=120)


@pytest.mark.heavy
def test_a_timeout_ends_the_tool(tmp_path: Path) -> None:
    target = tmp_path / "endless.wav"
    with pytest.raises(TimedOut, match="ffmpeg"):
        run([*ENDLESS, "-y", target], timeout_s=1)
    assert target.exists()
    assert not running(str(target))


def test_whatever_progress_raises_ends_the_tool(tmp_path: Path) -> None:
    target = tmp_path / "endless.wav"

    def lost(_fraction: float) -> None:
        raise RuntimeError("the lease is lost")

    with pytest.raises(RuntimeError, match="lease"):
        run([*ENDLESS, "-y", target], timeout_s=120, duration_ms=60_000, progress=lost)
    assert not running(str(target))


def test_progress_never_falls_and_ends_at_one(tmp_path: Path) -> None:
    told: list[float] = []
    source = ["-stats_period", "0.05", "-readrate", "4", "-f", "lavfi", "-i", "sine=440:d=2"]
    run([*source, "-y", tmp_path / "a.wav"], timeout_s=120, duration_ms=2000, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0 and any(0 < fraction < 1 for fraction in told)


def test_a_reader_that_stops_early_ends_the_tool(tmp_path: Path) -> None:
    mark = str(tmp_path / "report.txt")
    args = ["-f", "lavfi", "-i", "sine=440", "-metadata", f"title={mark}", "-f", "wav", "pipe:1"]
    with started(args, timeout_s=120) as child:
        assert next(child.chunks())
        assert running(mark)
    assert not running(mark)


def test_time_that_the_reader_takes_is_not_the_tool_s(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(late_s=0.0)
    monkeypatch.setattr(
        processes, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + clock.late_s)
    )
    args = ["-f", "lavfi", "-i", "sine=440:d=20", "-f", "wav", "pipe:1"]
    with started(args, timeout_s=120) as child:
        chunks = child.chunks()
        size = len(next(chunks))
        clock.late_s = 3600  # a slow reader
        size += sum(len(chunk) for chunk in chunks)
        child.check()
    assert size > 20 * 44100 * 2


def test_no_child_survives_a_killed_caller(tmp_path: Path) -> None:
    target = str(tmp_path / "orphan.wav")
    code = (
        "import sys; from shared.media.ffmpeg import run;"
        f"run({[*ENDLESS, '-y']!r} + [sys.argv[1]], timeout_s=60)"
    )
    caller = subprocess.Popen([sys.executable, "-c", code, target])
    assert eventually(Path(target).exists)
    assert len(running(target)) == 2
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    assert eventually(lambda: not running(target))


def test_children_see_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.processes import collect
    from shared.processes import started as start_child

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    with start_child(["env"], timeout_s=60) as child:
        seen = collect(child).decode()
    assert "PATH=" in seen and "hush" not in seen


def test_the_timeout_follows_from_the_duration() -> None:
    assert timeout_for(0) < timeout_for(60_000) < timeout_for(600_000) < timeout_for(None)
    assert timeout_for(10**12) == timeout_for(None)
