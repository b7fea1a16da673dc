"""Files that are no recordings at all: archives, projects, papers, called by their names."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.shared.media.recordings import ffmpeg
from tests.shared.media.test_refusals import TONE, why_refused


def zipped(*names: str, guarded: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, b"content " * 50)
    data = bytearray(buffer.getvalue())
    if guarded:  # the flag is what tools look at
        data[6] |= 1
        data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.wav"), io.BytesIO())
    return buffer.getvalue()


STRANGERS: dict[str, tuple[bytes, str]] = {
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "PDF"),
    "zip": (zipped("a.wav", "b.wav"), "ZIP archive: unpack"),
    "zip under a password": (zipped("a.wav", guarded=True), "ZIP archive under a password"),
    "docx": (zipped("[Content_Types].xml", "word/document.xml"), "Word"),
    "xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "Excel"),
    "pptx": (zipped("[Content_Types].xml", "ppt/presentation.xml"), "PowerPoint"),
    "7z": (b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(24), "7z"),
    "rar": (b"Rar!\x1a\x07\x01\x00" + bytes(24), "RAR"),
    "tar": (tarred(), "tar"),
    "tar.gz": (gzip.compress(tarred()), "tar archive"),
    "wav.gz": (gzip.compress(b"RIFF\x00\x00\x00\x00WAVE" + bytes(99)), "gzip: unpack"),
    "als": (gzip.compress(b'<?xml version="1.0"?>\n<Ableton MajorVersion="5">'), "Ableton"),
    "prproj": (gzip.compress(b'<?xml version="1.0"?>\n<PremiereData Version="3">'), "Premiere"),
    "rpp": (b"<REAPER_PROJECT 0.1 6.0\n  RIPPLE 0\n>", "REAPER"),
    "ptx": (b"\x030010111100101011\x00\x05" + bytes(40), "Pro Tools"),
    "flp": (b"FLhd\x06\x00\x00\x00" + bytes(40), "FL Studio"),
    "cpr": (b"RIFF\x00\x00\x10\x00NUND" + bytes(40), "Cubase"),
    "sf2": (b"RIFF\x00\x00\x10\x00sfbkLIST" + bytes(40), "SoundFont"),
    "psd": (b"8BPS\x00\x01" + bytes(40), "Photoshop"),
    "cr2": (b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(40), "Canon CR2"),
    "r3d": (b"\x00\x00\x01\x00RED2" + bytes(40), "REDCODE"),
    "doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Office"),
    "._take.wav": (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(60), "._"),
    ".DS_Store": (b"\x00\x00\x00\x01Bud1\x00\x00" + bytes(60), "DS_Store"),
    "exe": (b"MZ\x90\x00\x03" + bytes(60), "Windows"),
    "html": (b"\n<!DOCTYPE html>\n<html><title>Sign in</title>", "web page"),
    "bucket error": (
        b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        "error message",
    ),
    "fcpxml": (b'<?xml version="1.0"?>\n<!DOCTYPE fcpxml>\n<fcpxml version="1.9">', "editor"),
    "edl": (b"TITLE: x\nFCM: NON-DROP FRAME\n001 AX V C", "EDL"),
    "srt": (b"1\r\n00:00:01,000 --> 00:00:02,000\r\nHello", "subtitles"),
    "otio": (json.dumps({"OTIO_SCHEMA": "Timeline.1"}).encode(), "OpenTimelineIO"),
    "m3u8": (b"#EXTM3U\n#EXT-X-VERSION:3\n", "playlist"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab", "Git LFS"),
    "txt": ("Notizen für Dienstag\n".encode() * 300, "text"),
    "utf-16": ("Notizen\r\n".encode("utf-16"), "text"),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_stranger_is_called_by_its_name(kind: str, tmp_path: Path) -> None:
    data, told = STRANGERS[kind]
    (tmp_path / "take.wav").write_bytes(data)
    why = why_refused(tmp_path / "take.wav")
    assert told in why and ": " in why


def test_an_audacity_project_is_no_mere_database(tmp_path: Path) -> None:
    path = tmp_path / "a.aup3"
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA application_id = {int.from_bytes(b'AUDY', 'big')}")
        db.execute("CREATE TABLE project (id INTEGER)")
    assert "Audacity" in why_refused(path)


def test_an_archive_of_mp3_files_is_no_song(tmp_path: Path) -> None:
    """To ffmpeg it is one."""
    song = tmp_path / "a.mp3"
    ffmpeg(*TONE, song)
    with zipfile.ZipFile(tmp_path / "songs.mp3", "w", zipfile.ZIP_STORED) as archive:
        archive.write(song, "a.mp3")
        archive.write(song, "b.mp3")
    assert "ZIP archive" in why_refused(tmp_path / "songs.mp3")
