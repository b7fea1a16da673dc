"""What people take home, how they name it, and what they are told when they mistype."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.functions.console.browser import chromium
from tests.toy import wait_until

STEPS = ("--steps", "detect.hits,transform.normalise")


class Command:
    """Runs the command in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.err = ""

    def __call__(self, *words: str, code: int = 0, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "infra.command.main", *words],
            cwd=self.folder,
            env={**os.environ, "RUSHES_DATA": str(self.folder / ".rushes"), **environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == code, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        self.err = done.stderr.strip()
        return done.stdout

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code))


def clicks(path: Path, hz: float, seconds: float = 3.0) -> None:
    """A drum every half second, higher with ``hz``."""
    at = np.arange(int(44_100 * seconds)) / 44_100
    sound = 0.6 * np.sin(2 * np.pi * hz * at) * np.exp(-25 * (at % 0.5))
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, sound.astype(np.float32), 44_100)


@pytest.fixture(scope="module")
def rushes(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """A home with two recordings, which two cameras have called the same."""
    folder = tmp_path_factory.mktemp("hands")
    command = Command(folder)
    clicks(folder / "drums.wav", 200)
    clicks(folder / "a" / "take 1.wav", 300)
    clicks(folder / "b" / "take 1.wav", 400)
    command("process", "drums.wav", "a/take 1.wav", "b/take 1.wav", *STEPS)
    return command


@pytest.mark.heavy
def test_results_lie_beside_the_recording_under_its_name(rushes: Command) -> None:
    left = rushes.folder / "drums.rushes"
    assert {path.name for path in left.iterdir()} == {
        *(".rushes.json", "index.html", "drums.wav", "drums normalised.wav"),
        *("hits", "pictures", "data"),
    }
    assert (left / "hits" / "drums hit 01.wav").is_file()
    assert json.loads((left / "data" / "hits.json").read_text())["segments"]
    assert (rushes.folder / "a" / "take 1.rushes").is_dir()
    out = rushes("process", "drums.wav", *STEPS)
    assert "LUFS → " in out and out.rstrip().endswith("drums.rushes/")


@pytest.mark.heavy
def test_the_page_plays_and_seeks_without_a_server(rushes: Command) -> None:
    page_at = (rushes.folder / "drums.rushes" / "index.html").as_uri()
    with chromium() as running:
        page = running.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_at)
        wait_until(lambda: page.evaluate("document.querySelector('audio').readyState > 0"))
        box = page.locator(".lane svg").first.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 5)
        wait_until(lambda: page.evaluate("document.querySelector('audio').currentTime >= 1.4"))
        page.get_by_role("button", name="the recording").click()
        wait_until(
            lambda: page.evaluate("document.querySelector('audio').src.endsWith('drums.wav')")
        )
        wait_until(lambda: page.evaluate("document.querySelector('audio').currentTime >= 1.4"))
    assert all(url.startswith("file:") for url in asked)
    assert "drums%20normalised.wav" in " ".join(asked)


@pytest.mark.heavy
def test_steps_done_apart_add_up_in_one_folder(rushes: Command) -> None:
    rushes("process", "drums.wav", "--steps", "detect.loops")
    left = rushes.folder / "drums.rushes"
    assert (left / "data" / "loops.json").is_file()
    assert (left / "drums normalised.wav").is_file(), "what an earlier run made still stands"


@pytest.mark.heavy
def test_export_by_name_gives_the_same_folder(rushes: Command) -> None:
    folder = Path(rushes.json("export", "drums", "elsewhere")["folder"])
    here, there = rushes.folder / "drums.rushes", rushes.folder / folder
    names = [sorted(str(path.relative_to(at)) for path in at.rglob("*")) for at in (here, there)]
    assert names[0] == names[1]
    again = rushes.json("export", "drums", "elsewhere/drums.rushes")["folder"]
    assert again == str(folder), "no folder in a folder"


@pytest.mark.heavy
def test_a_name_of_several_recordings_lists_them(rushes: Command) -> None:
    rushes("export", "take 1", "out", code=1)
    assert rushes.err.count("ast_") == 2 and "take 1.wav" in rushes.err
    rushes("artifacts", "drum", code=1)
    assert rushes.err == "error: no recording 'drum' (did you mean drums.wav?)"


@pytest.mark.heavy
def test_get_never_replaces_unasked(rushes: Command) -> None:
    first, second = (
        one["asset_id"] for one in rushes.json("assets")["assets"] if "take" in str(one["sources"])
    )
    got = Path(rushes.json("get", first, "--out", "got/")["path"])
    before = (rushes.folder / got).read_bytes()
    assert got == Path("got/take 1.wav")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((rushes.folder / got).stat().st_mode) == 0o666 & ~mask
    rushes("get", second, "--out", "got/", code=1)
    assert rushes.err == "error: got/take 1.wav is there already; --force replaces it"
    assert (rushes.folder / got).read_bytes() == before
    rushes("get", second, "--out", "got/", "--force")
    assert (rushes.folder / got).read_bytes() != before
    (artifact,) = (
        one
        for one in rushes.json("artifacts", "drums")["artifacts"]
        if one["kind"] == "audio_normalised"
    )
    assert rushes("get", artifact["artifact_id"]).strip() == "drums normalised.wav"


@pytest.mark.heavy
def test_lists_are_in_order_and_whole_in_a_pipe(rushes: Command) -> None:
    head, *rows = rushes("artifacts", "drums").splitlines()
    assert head.split("\t") == ["artifact", "kind", "from", "name", "bytes"]
    cells = [row.split("\t") for row in rows]
    assert [cell[1] for cell in cells] == sorted(cell[1] for cell in cells)
    hits = [float(cell[2].removesuffix(" s")) for cell in cells if cell[1] == "audio_hit"]
    assert hits == sorted(hits) and len(hits) > 2
    assert all(len(cell[0]) == 36 for cell in cells)
    again = rushes("reprocess", "drums", "--step", "detect.hits", "--param", "max_hits=2")
    assert again.split()[0] == "drums.wav", "and not what was asked for"
    assert rushes("runs").splitlines()[1].split("\t")[1] == "drums.wav"


MISTYPED: Sequence[tuple[tuple[str, ...], str]] = (
    (("proces",), "Did you mean process"),
    (("process", "drums.wav", "--steps", "detect.hit"), "did you mean detect.hits"),
    (("process", "drums.wav", "--param", "detect.hits.max_hit=2"), "did you mean max_hits"),
    (("process", "drums.wav", "--param", "detect.hits.max_hits=0"), "detect.hits.max_hits"),
    (
        ("process", "drums.wav", "--param", "transform.fx.preset_id=tape_eco"),
        "did you mean tape_echo",
    ),
    (("process", "drums.wav", "--steps", ""), "'' is unknown"),
    (("presets", "tape_eco"), "did you mean tape_echo"),
    (("steps", "hits"), "did you mean detect.hits"),
)


@pytest.mark.heavy
def test_a_mistyped_word_is_told_the_nearest(rushes: Command) -> None:
    before = rushes.json("runs")["runs"]
    for words, told in MISTYPED:
        rushes(*words, code=2 if words == ("proces",) else 1)
        assert told in rushes.err, words
    assert rushes.json("runs")["runs"] == before, "nothing was uploaded"


@pytest.mark.heavy
def test_every_step_tells_its_params(rushes: Command) -> None:
    names = [step["name"] for step in rushes.json("steps")["steps"]]
    assert "detect.hits" in names
    params = {one["name"]: one for one in rushes.json("steps", "detect.hits")["params"]}
    assert params["max_hits"]["default"] == 512 and params["max_hits"]["type"] == "integer"
    assert "1 to 4,096" in params["max_hits"]["about"]


@pytest.mark.heavy
def test_a_tenants_settings_are_changed_and_obeyed(rushes: Command) -> None:
    of = ("settings", "--tenant", "other")
    assert rushes.json(*of)["steps"] is None
    rushes(*of, "--steps", "detect.hit", code=1)
    rushes(*of, "--steps", "detect.hits", "--param", "detect.hits.max_hits=2")
    rushes(*of, "--max-input-bytes", "300000")
    shown = rushes.json(*of)
    assert shown["steps"] == ["detect.hits"] and shown["max_input_bytes"] == 300_000
    out = ("process", "drums.wav", "--tenant", "other", "--out", "other")
    (run,) = rushes.json(*out)["runs"]
    assert [step["step"] for step in run["steps"]] == ["probe", "detect.activity", "detect.hits"]
    assert len(list((rushes.folder / "other" / "drums.rushes" / "hits").iterdir())) == 2
    rushes(*of, "--unset", "detect.hits.max_hits", "--steps", "default", "--max-input-bytes", "100")
    assert rushes.json(*of)["params"] == {} and rushes.json(*of)["steps"] is None
    assert rushes.json(*out, code=1)["runs"][0]["error"]["code"] == "input_too_large"


@pytest.mark.heavy
def test_where_nothing_can_be_written_results_stay_in_the_home(rushes: Command) -> None:
    (rushes.folder / "card").mkdir()
    clicks(rushes.folder / "card" / "take 9.wav", 500)
    (rushes.folder / "card" / "take 9.rushes").touch()  # not even root makes a folder of it
    told = rushes("process", "card/take 9.wav", "--steps", "detect.hits", code=1)
    assert "no folder" in told and "rushes export ast_" in told
    rushes("process", "card/take 9.wav", "--out", "drums.wav/below", code=1)
    assert rushes.err.startswith("error: --out drums.wav/below is not available")


@pytest.mark.heavy
def test_a_home_that_is_none_ends_in_a_line(rushes: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "documents.sqlite3").write_text("no database at all, but words" * 9)
    rushes("assets", "--data", str(tmp_path / "index"))
    for left in (tmp_path / "index" / "objects" / ".index").glob("index.sqlite3*"):
        left.write_text("no database at all, but words" * 9)
    for data in ("file", "file/below", "torn", "index"):
        for command in ("assets", "up") if data == "torn" else ("assets",):
            rushes(command, "--data", str(tmp_path / data), code=1)
            assert rushes.err.startswith("error: ") and rushes.err.count("\n") == 0
    begun_at = time.monotonic()
    rushes("process", "drums.wav", "--data", str(tmp_path / "torn"), code=1)
    assert time.monotonic() - begun_at < 30


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
@pytest.mark.heavy
def test_a_full_disk_ends_in_a_line(rushes: Command, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine mounts no small disk")
    try:
        clicks(tmp_path / "long.wav", 250, seconds=50)
        rushes("process", str(tmp_path / "long.wav"), "--data", str(small / "home"), code=1)
        assert "full" in rushes.err or "no space left" in rushes.err.lower()
        assert rushes.err.count("\n") == 0
        with suppress(OSError), (small / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096))
        for home in ("home", "new"):
            rushes("up", "--data", str(small / home), code=1)
            assert rushes.err.startswith("error: ") and rushes.err.endswith("its disk is full")
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a disk")
@pytest.mark.heavy
def test_a_read_only_home_ends_in_a_line(rushes: Command, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "tmpfs", disk]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine mounts no disk")
    try:
        rushes("assets", "--data", str(disk / "home"))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        words = (("assets",), ("process", "drums.wav"), ("upload", "drums.wav"), ("up",))
        for (name, *more), home in zip(words, ("home", "none") * 2, strict=True):
            rushes(name, *more, "--data", str(disk / home), code=1)
            assert rushes.err.startswith("error: ") and rushes.err.count("\n") == 0
            assert "read-only" in rushes.err
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.heavy
def test_up_outlives_what_vanishes_from_its_inbox(rushes: Command, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "infra.command.main", "up", "--data", str(tmp_path / "home")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        serving.stdout.readline()
        inbox = Path(serving.stdout.readline().split(" into ")[1].split("/ -")[0])
        (inbox / "dangling.wav").symlink_to("nowhere.wav")
        for number in range(40):
            (inbox / "day").mkdir(exist_ok=True)
            passing = inbox / "day" / f"{number}.wav"
            passing.write_bytes(b"RIFF")
            os.utime(passing, (0, 0))  # settled at once
            time.sleep(0.03)
            passing.unlink(missing_ok=True)
            (inbox / "day").rmdir()
        clicks(inbox / "kept.wav", 300, seconds=1)
        told = ""
        while "kept.wav: taken in" not in told:
            told += serving.stdout.readline()
        serving.terminate()
        assert serving.wait(20) == 0
