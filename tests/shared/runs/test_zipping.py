"""A results folder as a zip that is written while it is read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from infra.command.results_on_disk import MANIFEST, leave
from shared.homes.home import Home
from shared.runs.gathering import Results, gather
from shared.runs.results_folder import Entry
from shared.runs.zipping import zipped
from tests.toy import CTX, Toy, embedded_home, install, run_file


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    return install(monkeypatch)


@pytest.fixture
def gathered(tmp_path: Path, toy: Toy) -> Callable[..., tuple[Home, Results]]:
    def make(text: str = "sound") -> tuple[Home, Results]:
        home = embedded_home(tmp_path / "data")
        run = run_file(home, tmp_path, text=text, steps=("probe",))
        return home, gather(home, CTX, run["asset_id"])

    return make


def test_it_is_the_folder_that_export_leaves(
    gathered: Callable[..., tuple[Home, Results]], tmp_path: Path
) -> None:
    home, results = gathered()
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped(home, results)))) as archive:
        assert archive.testzip() is None
        packed = {name: archive.read(name) for name in archive.namelist()}
        modes = {one.external_attr >> 16 for one in archive.infolist()}
        days = {one.date_time for one in archive.infolist()}
        squeezed = {one.filename for one in archive.infolist() if one.compress_type}
    assert modes == {0o644} and days == {(1980, 1, 1, 0, 0, 0)}, "the same whoever asks, and when"
    assert squeezed == {"take.rushes/index.html"}, "sound does not get smaller"
    folder = leave(home, results, tmp_path / "out").folder
    on_disk = {
        f"take.rushes/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }
    assert packed == on_disk
    assert packed["take.rushes/take.wav"] == b"sound"
    assert b"take" in packed["take.rushes/index.html"]


def test_the_same_results_give_the_same_bytes(
    gathered: Callable[..., tuple[Home, Results]],
) -> None:
    home, results = gathered()
    assert b"".join(zipped(home, results)) == b"".join(zipped(home, results))


def test_a_large_recording_passes_by_in_blocks(
    gathered: Callable[..., tuple[Home, Results]],
) -> None:
    home, results = gathered("loud " * 2_000_000)
    blocks = list(zipped(home, results))
    assert max(map(len, blocks)) < 3 << 20 < sum(map(len, blocks))


def test_what_is_beyond_the_old_limit_is_written_as_zip64(
    gathered: Callable[..., tuple[Home, Results]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)  # in place of 2 GiB
    home, results = gathered("loud " * 1000)
    whole = b"".join(zipped(home, results))
    monkeypatch.undo()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.read("take.rushes/take.wav") == b"loud " * 1000


def test_files_of_a_pack_lie_beside_the_others(tmp_path: Path, toy: Toy) -> None:
    home = embedded_home(tmp_path / "data")
    run = run_file(home, tmp_path, steps=("probe",))
    pack = tmp_path / "pack.zip"
    with zipfile.ZipFile(pack, "w") as archive:
        archive.writestr("take/kick.wav", b"kick")
        archive.writestr("take/snare.wav", b"snare")
    key = f"{CTX.object_prefix}media_v2/{run['asset_id']}/pack.zip"
    home.objects.put(key, pack, content_type="application/zip")
    results = gather(home, CTX, run["asset_id"])
    inside = [
        Entry(f"samples/{name}", key, f"x/{name}", None, f"take/{name}")
        for name in ("kick.wav", "snare.wav")
    ]
    results = replace(results, entries=(*results.entries, *inside))
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped(home, results)))) as archive:
        assert archive.read("take.rushes/samples/snare.wav") == b"snare"
