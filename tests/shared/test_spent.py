"""Where the time goes is told by a step's record, and by nothing that is cached or compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from shared.homes.home import Home
from shared.media.decode import audio_blocks
from shared.media.probe import probe
from shared.spent import counted, counting, spent_s
from shared.steps.step_records import load_records
from tests.shared.media.test_encode import write
from tests.toy import CTX, Toy, embedded_home, install, run_file


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    return install(monkeypatch)


@pytest.fixture
def home(tmp_path: Path, toy: Toy) -> Home:
    return embedded_home(tmp_path / "home")


def test_a_record_says_where_its_steps_time_went(home: Home, tmp_path: Path) -> None:
    run = run_file(home, tmp_path, steps=("toy.one",))
    spent = load_records(home.documents, CTX, run["run_id"])["toy.one"].spent_s
    assert spent is not None and set(spent) == {
        "queue",
        "claim",
        "fetch",
        "engine",
        "store",
        "settle",
    }
    again = run_file(home, tmp_path, steps=("toy.one",))
    cached = load_records(home.documents, CTX, again["run_id"])["toy.one"].spent_s
    assert cached is None, "it was known as the upload was taken in, whose time is not the step's"


def test_nothing_that_is_kept_for_others_says_when(home: Home, tmp_path: Path) -> None:
    home.bus.subscribe("results", "onlooker")
    run_file(home, tmp_path, steps=("toy.one",))
    told = [one.message.data for one in home.bus.pull(["onlooker"], limit=10)]
    kept = [
        document.text.encode()
        for name in ("artifacts", "cache", "assets")
        for document in home.documents.list(f"{CTX.document_prefix}{name}")
    ]
    assert told and kept and not any(b"spent_s" in text for text in (*told, *kept))


def test_a_span_that_comes_twice_adds_up() -> None:
    assert spent_s() is None
    with counting(None):
        for _ in range(2):
            with counted("fetch"):
                pass
        assert set(spent_s() or {}) == {"fetch"}
    assert spent_s() is None


@pytest.mark.heavy
def test_tools_that_read_and_those_that_write_are_told_apart(tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, np.full(4800, 0.1), 48_000)
    with counting(None):
        list(audio_blocks(sound, probe(sound)))
        assert set(spent_s() or {}) == {"decode"}
        write(tmp_path / "film.mp4")  # its ffmpeg is started in another thread
        assert set(spent_s() or {}) == {"decode", "encode"}
