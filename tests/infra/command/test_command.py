"""The command, as its users type it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from shared.runs.uploading import object_name, shown

CLIP = Path(__file__).parents[3] / "infra" / "demo" / "demo.mp4"
STEPS = ("--steps", "detect.hits")


class Rushes:
    """Runs the command on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "home"
        self.demo = folder / "demo.mp4"

    def __call__(self, *words: str | Path, code: int = 0) -> str:
        command = [sys.executable, "-m", "infra.command.main", words[0], "--data", self.data]
        command += words[1:]
        done = subprocess.run(command, capture_output=True, timeout=240, check=False)
        assert done.returncode == code, done.stderr.decode() + done.stdout.decode()
        self.stderr = done.stderr.decode()
        return done.stdout.decode()

    def json(self, *words: str | Path, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self(words[0], "--json", *words[1:], code=code))
        return found


@pytest.fixture(scope="module")
def rushes(tmp_path_factory: pytest.TempPathFactory) -> Rushes:
    """A home in which the demo's clip has been processed."""
    command = Rushes(tmp_path_factory.mktemp("rushes"))
    shutil.copyfile(CLIP, command.demo)
    command("process", command.demo, *STEPS)
    return command


@pytest.mark.heavy
def test_a_recording_is_measured_once(tmp_path: Path) -> None:
    rushes, source = Rushes(tmp_path / "home"), tmp_path / "take.wav"
    tone = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    soundfile.write(source, tone, 16_000)
    states: list[str] = []
    started: list[bool] = []
    for _ in range(2):
        (run,) = rushes.json("process", source, "--steps", "transform.loudness")["runs"]
        (step,) = [one for one in run["steps"] if one["step"] == "transform.loudness"]
        states.append(step["state"])
        assert all(Path(artifact["path"]).is_file() for artifact in step["artifacts"])
        workers = rushes.data / "worker.log"
        started.append(workers.exists())
        workers.unlink(missing_ok=True)
    assert states == ["done", "cached"]
    assert started == [True, False], "nothing is left for a worker when all is known"


@pytest.mark.heavy
def test_processing_again_says_cached_and_names_the_same_files(rushes: Rushes) -> None:
    (run,) = rushes.json("process", rushes.demo, *STEPS)["runs"]
    (step,) = [step for step in run["steps"] if step["step"] == "detect.hits"]
    assert step["state"] == "cached" and step["error"] is None
    for artifact in step["artifacts"]:
        path = Path(artifact["path"])
        assert path.is_file() and path.stat().st_size == artifact["bytes"]
    assert run["folder"] == str(rushes.demo.with_suffix(".rushes"))
    table = rushes("process", rushes.demo, *STEPS)
    assert re.search(r"detect.hits +Hits +cached +\d+ hits", table)
    assert table.rstrip().endswith(f"{run['folder']}/")


@pytest.mark.heavy
def test_one_bad_file_does_not_stop_the_others(rushes: Rushes, tmp_path: Path) -> None:
    empty, words = tmp_path / "empty.wav", tmp_path / "words.wav"
    empty.touch()
    words.write_text("not a recording at all")
    large = tmp_path / "large.wav"
    with large.open("wb") as file:
        file.truncate(210_000_000)
    missing, folder = tmp_path / "missing.wav", tmp_path
    files = (empty, words, large, missing, folder, rushes.demo)
    runs = rushes.json("process", *files, *STEPS, code=1)["runs"]
    codes = [run.get("error", {}).get("code") for run in runs]
    assert codes == [
        *("unsupported_media", "unsupported_media", "input_too_large"),
        *("not_found", "validation_error", None),
    ]
    assert runs[2]["error"]["max_bytes"] == 209_715_200
    assert runs[2]["error"]["received_bytes"] == 210_000_000
    assert runs[-1]["steps"][-1]["state"] == "cached"


@pytest.mark.heavy
@pytest.mark.parametrize(
    "playlist", ["#EXTM3U\n#EXTINF:1,\n{}\n", "ffconcat version 1.0\nfile '{}'\n"]
)
def test_a_list_that_names_another_file_is_refused(
    rushes: Rushes, tmp_path: Path, playlist: str
) -> None:
    for number, suffix in enumerate((".m3u8", ".mp4", ".wav")):
        path = tmp_path / f"{number}{suffix}"
        path.write_text(playlist.format("/etc/passwd"))
        (run,) = rushes.json("process", path, code=1)["runs"]
        assert run["error"]["code"] == "unsupported_media"


@pytest.mark.heavy
def test_odd_names_are_names_like_any_other(rushes: Rushes, tmp_path: Path) -> None:
    names = [
        "-dash.wav",
        "new\nline.wav",
        "emoji ☔🎧.wav",
        "\u202eright.wav",
        "x" * 251 + ".wav",
        "a..b.wav",
    ]
    samples = np.zeros(4000, np.float32)
    for number, name in enumerate(names):
        soundfile.write(tmp_path / name, samples + number / 10, 8000)
    runs = rushes.json("process", *STEPS, "--", *[tmp_path / name for name in names])["runs"]
    assert [run["source"] for run in runs] == [shown(name) for name in names]
    assert {run["state"] for run in runs} == {"done"}


@pytest.mark.heavy
def test_reading_commands_agree(rushes: Rushes, tmp_path: Path) -> None:
    assets = rushes.json("assets")["assets"]
    asset_id = next(asset["asset_id"] for asset in assets if asset["media"]["video"])
    artifacts = rushes.json("artifacts", asset_id)["artifacts"]
    artifact = next(one for one in artifacts if one["kind"] == "audio_hits")
    assert rushes.json("show", artifact["artifact_id"]) == artifact
    got = rushes.json("get", artifact["artifact_id"], "--out", tmp_path)
    assert Path(got["path"]).read_bytes() == Path(artifact["path"]).read_bytes()
    lineage = rushes.json("explain", artifact["artifact_id"])
    assert lineage["parents"][0]["id"] == asset_id
    run_id = rushes.json("runs", "--asset", asset_id)["runs"][0]["run_id"]
    assert rushes.json("show", run_id)["asset_id"] == asset_id
    for words in (("assets",), ("artifacts", asset_id), ("runs",), ("health",)):
        assert rushes(*words).strip()


@pytest.mark.heavy
def test_reprocessing_with_another_param(rushes: Rushes) -> None:
    asset_id = next(a["asset_id"] for a in rushes.json("assets")["assets"] if a["media"]["video"])
    again = ("reprocess", asset_id, "--step", "detect.hits", "--param", "max_hits=2")
    (run,) = rushes.json(*again)["runs"]
    step = next(step for step in run["steps"] if step["step"] == "detect.hits")
    assert step["state"] in ("done", "cached")
    assert sum(artifact["kind"] == "audio_hit" for artifact in step["artifacts"]) == 2


@pytest.mark.heavy
def test_another_tenant_sees_nothing(rushes: Rushes) -> None:
    asset_id = rushes.json("assets")["assets"][0]["asset_id"]
    assert rushes.json("assets", "--tenant", "other")["assets"] == []
    error = rushes.json("artifacts", asset_id, "--tenant", "other", code=1)["error"]
    assert error["code"] == "not_found"


@pytest.mark.heavy
def test_errors_are_one_line_and_an_exit_code(rushes: Rushes) -> None:
    rushes("show", "ast_none", code=1)
    assert rushes.stderr.strip() == "error: no asset 'ast_none'"
    rushes("process", rushes.demo, "--steps", "detect.hit", code=1)
    assert "did you mean detect.hits" in rushes.stderr and "known: " in rushes.stderr
    rushes("process", code=2)
    rushes("process", rushes.demo, "--param", "nonsense", code=2)


@pytest.mark.heavy
def test_erasing(rushes: Rushes, tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, np.zeros(8000, np.float32), 8000)
    asset_id = rushes.json("process", path, *STEPS)["runs"][0]["asset_id"]
    assert rushes.json("erase", asset_id)["removed"]["uploads"] == 1
    assert asset_id not in json.dumps(rushes.json("assets"))
    assert not list(rushes.data.rglob(f"*{asset_id}*/**/*.wav"))


@pytest.mark.heavy
def test_up_takes_in_what_lands_in_the_inbox(rushes: Rushes, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "infra.command.main", "up", "--data", rushes.data]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline().startswith("console and HTTP API: http://127.0.0.1:")
        inbox = Path(serving.stdout.readline().split(" into ")[1].split("/ -")[0])
        soundfile.write(inbox / "dropped.wav", np.zeros(8000, np.float32), 8000)
        told = [serving.stdout.readline() for _ in range(2)]
        serving.send_signal(signal.SIGINT)
        assert serving.wait(20) == 0
    assert told[0] == "dropped.wav: taken in\n"
    assert told[1].startswith("dropped.wav: done: detect.activity")
    assert (inbox / "dropped.wav").exists(), "the original stays"


@pytest.mark.heavy
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_up_may_be_interrupted_before_it_is_ready(rushes: Rushes, sign: signal.Signals) -> None:
    deaf = ["sh", "-c", 'trap "" INT TERM; exec "$@"', "a script's job"]
    command = [*deaf, sys.executable, "-m", "infra.command.main", "up", "--data", rushes.data]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        serving.stdout.readline()  # its address; the inbox is not watched yet
        serving.send_signal(sign)
        assert serving.wait(20) == 0
        assert serving.stdout.read().endswith("stopped\n")


def test_object_names_stay_short_and_printable() -> None:
    from hypothesis import given
    from hypothesis import strategies as st

    @given(st.text(min_size=1))
    def holds(name: str) -> None:
        assert len(object_name(name).encode()) <= 255
        assert object_name(name).isprintable() and shown(name).isprintable()

    holds()
