"""What ``process`` says while it waits, and of what it waited for."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.command.cutting_room import _lines
from infra.command.delivered import counted
from infra.command.main import rushes


class _Nobody:
    """Workers that never begin."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __enter__(self) -> _Nobody:
        return self

    def __exit__(self, *_: object) -> None: ...

    def replace_dead(self) -> int:
        return 0


def test_who_stops_waiting_is_told_that_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_seconds: float) -> None:
        raise KeyboardInterrupt

    (tmp_path / "take.wav").write_bytes(b"sound")
    monkeypatch.setattr("infra.command.process.WorkerPool", _Nobody)
    monkeypatch.setattr(time, "sleep", stopped)
    told = CliRunner().invoke(
        rushes, ["process", str(tmp_path / "take.wav"), "--data", str(tmp_path / "home")]
    )
    assert told.exit_code == 1 and "the same command goes on from there" in told.output


def test_a_step_that_found_nothing_says_so() -> None:
    listed = {"kind": "audio_loops", "meta": {"segment_count": 0}}
    assert counted([listed]) == "no loops"
    found = [{"kind": "audio_loop", "meta": {}}] * 2
    assert counted([*found, {**listed, "meta": {"segment_count": 2}}]) == "2 loops"
    assert counted([{"kind": "audio_words", "meta": {"word_count": 0}}]) == "no words"


def test_a_folder_is_refused_by_its_name(tmp_path: Path) -> None:
    told = CliRunner().invoke(rushes, ["process", ".", "--data", str(tmp_path / "home")])
    assert told.exit_code == 1 and told.output.split()[0] == "."
    assert "is a folder: name the files in it" in told.output


def test_a_cut_that_takes_out_nothing_says_so() -> None:
    content = {"source": "take.wav", "duration_ms": 5900, "new_duration_ms": 5900, "edits": {}}
    told = _lines({**content, "removed_ms": {}, "proposals": 0, "notices": [], "written": []})
    assert "nothing was found" in told[1]


def test_an_upload_says_who_takes_it_in(tmp_path: Path) -> None:
    (tmp_path / "take.wav").write_bytes(b"sound")
    words = ["upload", str(tmp_path / "take.wav"), "--data", str(tmp_path / "home")]
    assert "rushes up" in CliRunner().invoke(rushes, words).stderr
    assert not CliRunner().invoke(rushes, [*words, "--json"]).stderr
