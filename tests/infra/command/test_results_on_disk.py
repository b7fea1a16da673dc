"""The results folder on a disk: ours is kept up to date, and theirs is kept."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from infra.command.results_on_disk import MANIFEST, leave, leave_in
from shared.contracts.artifact import Artifact
from shared.errors import Unavailable
from shared.homes.home import Home
from shared.runs.results_folder import Contents, Entry
from tests.shared.runs.made import artifact, asset
from tests.toy import embedded_home

LARGE = b"sound" * 20_000


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return embedded_home(tmp_path / "data")


def entry(
    home: Home, path: str, content: bytes, made: Artifact, member: str | None = None
) -> Entry:
    home.objects.put(made.key, content, content_type=made.content_type)
    return Entry(path, made.key, made.sha256, made, member)


def results(*entries: Entry, texts: dict[str, bytes] | None = None, name: str = "talk") -> Contents:
    return Contents(name, asset(f"{name}.flac"), entries, texts or {"index.html": b"page"})


def sound(
    home: Home, path: str = "talk normalised.wav", content: bytes = LARGE, take: int = 1
) -> Entry:
    return entry(home, path, content, artifact("audio_normalised", "normalised", take=take))


def test_sound_takes_no_room_and_cannot_be_spoilt_in_place(home: Home, tmp_path: Path) -> None:
    one = sound(home)
    text = entry(home, "talk.srt", b"1\n" * 50_000, artifact("captions", "srt", "vtt"))
    folder = leave(home, results(one, text), tmp_path / "out").folder
    assert folder == tmp_path / "out" / "talk.rushes"
    stored = tmp_path / "data" / "objects"
    found = folder / "talk normalised.wav"
    if found.stat().st_nlink > 1:  # a link, where the disk has no clones
        assert stat.S_IMODE(found.stat().st_mode) & 0o222 == 0
        assert any(path.samefile(found) for path in stored.rglob("*.wav"))
    subtitles = folder / "talk.srt"
    assert subtitles.stat().st_nlink == 1
    assert stat.S_IMODE(subtitles.stat().st_mode) == 0o666 & ~_umask()
    subtitles.write_text("edited")
    assert b"".join(home.objects.read(text.key)) == b"1\n" * 50_000


def test_again_renews_what_is_ours_and_keeps_what_is_theirs(home: Home, tmp_path: Path) -> None:
    old, gone = sound(home), sound(home, "hits/talk hit 01.wav", b"hit", take=2)
    texts = {"index.html": b"page", "talk.txt": b"words", "data.json": b"{}"}
    folder = leave(home, results(old, gone, texts=texts), tmp_path).folder
    (folder / "talk.txt").write_text("my words")
    (folder / "notes.md").write_text("theirs")
    (folder / "new.wav").write_text("theirs, too")
    new, clash = sound(home, content=b"quieter" * 20_000, take=3), sound(home, "new.wav", take=4)
    left = leave(home, results(new, clash, texts=texts), tmp_path)
    assert left.folder == folder and left.kept == ("new.wav", "talk.txt")
    assert (folder / "talk normalised.wav").read_bytes() == b"quieter" * 20_000
    assert (folder / "talk.txt").read_text() == "my words"
    assert (folder / "new.wav").read_text() == "theirs, too"
    assert (folder / "notes.md").exists() and not (folder / "hits").exists()
    assert leave(home, results(new, clash, texts=texts), tmp_path).kept == left.kept
    assert not list(folder.rglob("*.part"))


def test_another_recording_of_the_name_gets_a_folder_of_its_own(home: Home, tmp_path: Path) -> None:
    mine = results(sound(home))
    other = replace(mine, asset=mine.asset.model_copy(update={"asset_id": "ast_2"}))
    (tmp_path / "talk (2).rushes").mkdir()
    (tmp_path / "talk (2).rushes" / "somebody's").touch()
    assert leave(home, mine, tmp_path).folder.name == "talk.rushes"
    assert leave(home, other, tmp_path).folder.name == "talk (3).rushes"
    assert leave(home, mine, tmp_path).folder.name == "talk.rushes"


@pytest.mark.parametrize(
    "told",
    [None, b"[" * 100_000, b"[]", b'{"files": {"talk.txt": 5}}', b'{"files": [1]}'],
    ids=["pipe", "deep", "list", "number", "no paths"],
)
def test_a_list_of_files_that_is_none_of_ours_is_not_waited_for_nor_believed(
    home: Home, tmp_path: Path, told: bytes | None
) -> None:
    manifest = tmp_path / "talk.rushes" / MANIFEST
    manifest.parent.mkdir()
    if told is None:
        os.mkfifo(manifest)  # reading it would wait for ever
    else:
        recording = f'"recording": ["t1", "dev", "{asset("talk.flac").asset_id}"], '.encode()
        manifest.write_bytes(told.replace(b"{", b"{" + recording, 1))
    assert leave(home, results(sound(home)), tmp_path).folder.name == "talk (2).rushes"
    assert [path.name for path in manifest.parent.iterdir()] == [MANIFEST]


def test_nothing_is_written_or_removed_outside_the_folder(home: Home, tmp_path: Path) -> None:
    folder = leave(home, results(sound(home)), tmp_path).folder
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "hits").symlink_to(outside)
    left = leave(home, results(sound(home), sound(home, "hits/a.wav", take=5)), tmp_path)
    assert left.kept == ("hits/a.wav",) and not list(outside.iterdir())


def test_a_pack_lies_unpacked(home: Home, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("pack/Hits/hit_001.wav", b"hit")
    made = artifact("audio_sample_pack", "pack", "zip")
    member = entry(
        home, "samples/Hits/hit_001.wav", packed.getvalue(), made, "pack/Hits/hit_001.wav"
    )
    folder = leave(home, results(member), tmp_path).folder
    assert (folder / "samples" / "Hits" / "hit_001.wav").read_bytes() == b"hit"


def test_a_folder_that_was_chosen_keeps_what_is_in_it(home: Home, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    left = leave_in(home, results(sound(home)), tmp_path)
    assert left.folder == tmp_path and left.kept == ("index.html",)
    assert (tmp_path / "index.html").read_text() == "mine"
    assert (tmp_path / "talk normalised.wav").read_bytes() == LARGE
    (tmp_path / "index.html").unlink()
    assert leave_in(home, results(sound(home)), tmp_path).kept == ()
    other = asset("other.flac").model_copy(update={"asset_id": "ast_2"})
    theirs = replace(results(sound(home, take=2)), asset=other)
    assert leave_in(home, theirs, tmp_path).kept == ("index.html", "talk normalised.wav")


def test_what_cannot_be_written_is_said(home: Home, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="the results folder in"):
        leave(home, results(sound(home)), tmp_path / "file" / "below")
    (tmp_path / "talk.rushes").touch()
    with pytest.raises(Unavailable, match="a file has its name"):
        leave(home, results(sound(home)), tmp_path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
