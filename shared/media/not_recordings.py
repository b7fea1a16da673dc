"""Files that people upload by mistake: documents, archives, projects, programs, and what they are called.

Told by their first bytes alone, before a decoder may find a sound in them that nobody recorded (an
archive of MP3 files is one to ffmpeg).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

RECORDING = "export the sound or film from it (WAV, FLAC, MP4, ...) and upload that"
_UPLOAD = "upload the recording itself"
_UNPACK = "unpack it and upload the recordings in it"
_PICTURE = "convert it to JPEG or PNG and upload that"
_TAIL_BYTES = 1 << 16
_TEXT_BYTES = 4096
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


@dataclass(frozen=True)
class Stranger:
    """What a file is, and what to do."""

    what: str
    remedy: str


_MARKS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"%PDF-", "a PDF document", _UPLOAD),
    (0, b"%!PS", "a PostScript document", _UPLOAD),
    (0, b"{\\rtf", "an RTF document", _UPLOAD),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (0, b"\xfd7zXZ\x00", "a file packed by xz", _UNPACK),
    (0, b"BZh", "a file packed by bzip2", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a file packed by zstd", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"xar!", "an archive of macOS (pkg, xar)", _UNPACK),
    (0, b"StuffIt", "a StuffIt archive", _UNPACK),
    (0, b"MSCF", "a cabinet archive", _UNPACK),
    (32769, b"CD001", "a disk image (ISO)", _UNPACK),
    (0, b"\x00\x05\x16\x07", "a companion file of macOS (its name begins with ._)", _UPLOAD),
    (0, b"\x00\x05\x16\x00", "a companion file of macOS (AppleSingle)", _UPLOAD),
    (0, b"\x00\x00\x00\x01Bud1", "a folder's settings (.DS_Store)", _UPLOAD),
    (0, b"\x7fELF", "a program", _UPLOAD),
    (0, b"\xcf\xfa\xed\xfe", "a program", _UPLOAD),
    (0, b"\xca\xfe\xba\xbe", "a program", _UPLOAD),
    (0, b"8BPS", "a Photoshop picture (PSD)", _PICTURE),
    (0, b"\xff\x0a", "a JPEG XL picture", _PICTURE),
    (4, b"JXL ", "a JPEG XL picture", _PICTURE),
    (4, b"jP  \r\n", "a JPEG 2000 picture", _PICTURE),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture", _PICTURE),
    (0, b"SDPX", "a DPX picture", "render the sequence to a film and upload that"),
    (0, b"XPDS", "a DPX picture", "render the sequence to a film and upload that"),
    (0, b"FUJIFILMCCD-RAW", "a camera's raw picture (Fuji RAF)", _PICTURE),
    (8, b"CR\x02\x00", "a camera's raw picture (Canon CR2)", _PICTURE),
    (0, b"IIRO", "a camera's raw picture (Olympus ORF)", _PICTURE),
    (0, b"IIRS", "a camera's raw picture (Olympus ORF)", _PICTURE),
    (0, b"IIU\x00", "a camera's raw picture (Panasonic RW2)", _PICTURE),
    (0, b"FOVb", "a camera's raw picture (Sigma X3F)", _PICTURE),
    (4, b"RED1", "REDCODE RAW", RECORDING),
    (4, b"RED2", "REDCODE RAW", RECORDING),
    (0, b"FLhd", "an FL Studio project", RECORDING),
    (0, b"\x030010111100101011", "a Pro Tools session", RECORDING),
    (0, b"<REAPER_PROJECT", "a REAPER project", RECORDING),
    (8, b"NUND", "a Cubase or Nuendo project", RECORDING),
    (8, b"sfbk", "a SoundFont: instruments, and no recording", _UPLOAD),
    (8, b"DLS ", "a DLS bank: instruments, and no recording", _UPLOAD),
    (0, b"FWS", "a Flash film (SWF)", "convert it to MP4 and upload that"),
    (0, b"CWS", "a Flash film (SWF)", "convert it to MP4 and upload that"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SQLITE = b"SQLite format 3\x00"

_IN_ZIP: tuple[tuple[bytes, str, str], ...] = (
    (b"word/document", "a Word document (DOCX)", _UPLOAD),
    (b"xl/workbook", "an Excel workbook (XLSX)", _UPLOAD),
    (b"ppt/presentation", "a PowerPoint presentation (PPTX)", RECORDING),
    (b"application/vnd.oasis.opendocument", "an OpenDocument file", _UPLOAD),
    (b"application/epub+zip", "an e-book (EPUB)", _UPLOAD),
    (b"Index/Document.iwa", "a Pages, Numbers or Keynote document", RECORDING),
    (b"ProjectInformation.plist", "a Logic or GarageBand project", RECORDING),
    (b"Song/song.xml", "a Studio One song", RECORDING),
    (b"project.xml", "a project (DAWproject or alike)", RECORDING),
    (b".mscx", "a MuseScore score", RECORDING),
    (b"META-INF/MANIFEST.MF", "a Java or Android program", _UPLOAD),
)

_TEXTS: tuple[tuple[str, str, str], ...] = (
    (r"(<!doctype html|<html)", "a web page (of a login, or an error)", "download the recording again"),
    (r"<\?xml.*<Error>.*<Code>", "a bucket's error message", "download the recording again"),
    (r"<\?xml.*(<fcpxml|<xmeml)", "an editor's project (XML)", RECORDING),
    (r"<\?xml.*<(score-partwise|score-timewise)", "a score (MusicXML)", RECORDING),
    (r"<\?xml.*<project[^>]*audacity", "an Audacity project", RECORDING),
    (r"(<\?xml.*)?<mlt", "a Kdenlive or Shotcut project", RECORDING),
    (r"(<\?xml.*)?<svg", "a drawing (SVG)", _PICTURE),
    (r"version https://git-lfs", "a pointer of Git LFS", "fetch the file that it stands for (git lfs pull)"),
    (r"#EXTM3U", "a playlist (hls)", "upload the recordings that it names"),
    (r"\[playlist\]", "a playlist", "upload the recordings that it names"),
    (r"WEBVTT|\d+\r?\n\d\d:\d\d:\d\d[,.]\d{3} -->|\[Script Info\]", "subtitles", _UPLOAD),
    (r"TITLE:.*\n(FCM:|\s*\n|\d{3})", "an edit list (EDL)", _UPLOAD),
    (r"\s*\{.*OTIO_SCHEMA", "an OpenTimelineIO timeline", _UPLOAD),
    (r"\s*[\[{]", "a text file (JSON)", _UPLOAD),
    (r"<\?xml", "a text file (XML)", _UPLOAD),
)  # fmt: skip


def stranger(head: bytes) -> Stranger | None:
    """What its first bytes say that it is."""
    for place, mark, what, remedy in _MARKS:
        if head.startswith(mark, place):
            return Stranger(what, remedy)
    if head.startswith(_OLE):
        guarded = "EncryptedPackage".encode("utf-16-le") in head
        what = "an Office document under a password" if guarded else "an old Office document"
        return Stranger(what, _UPLOAD)
    if head.startswith(_SQLITE):
        if head[68:72] == b"AUDY":
            return Stranger("an Audacity project (AUP3)", RECORDING)
        return Stranger("a database (SQLite)", _UPLOAD)
    return None


def zip_of(file: BinaryIO, size: int, head: bytes) -> Stranger | None:
    """What kind of ZIP archive it is, and whether a password guards it."""
    if head[:4] not in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"):
        return None
    file.seek(max(0, size - _TAIL_BYTES))
    seen = head[:_TAIL_BYTES] + file.read(_TAIL_BYTES)
    for mark, what, remedy in _IN_ZIP:
        if mark in seen:
            return Stranger(what, remedy)
    guarded = _flags(seen, b"PK\x03\x04", 6) or _flags(seen, b"PK\x01\x02", 8)
    if guarded:
        return Stranger(
            "a ZIP archive under a password",
            "unpack it with the password and upload the recordings",
        )
    return Stranger("a ZIP archive", _UNPACK)


def _flags(data: bytes, mark: bytes, place: int) -> bool:
    """Does any entry's header say that it is encrypted?"""
    return any(
        data[found.start() + place : found.start() + place + 1] and data[found.start() + place] & 1
        for found in re.finditer(re.escape(mark), data)
    )


def text_of(head: bytes) -> Stranger | None:
    """What kind of text it is, if it is text; ``MZ`` and others too short to be sure of count here."""
    if head.startswith(b"MZ"):
        return Stranger("a program of Windows", _UPLOAD)
    text = _text(head[:_TEXT_BYTES])
    if text is None:
        return None
    for pattern, what, remedy in _TEXTS:
        if re.match(pattern, text.lstrip("\ufeff \r\n\t"), re.IGNORECASE | re.DOTALL):
            return Stranger(what, remedy)
    return Stranger("a text file", _UPLOAD)


def _text(data: bytes) -> str | None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data[: len(data) // 2 * 2].decode("utf-16", errors="replace")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:  # otherwise a character that is cut in two
            return None
        text = data[: error.start].decode()
    return text if text and not _CONTROLS.search(text) else None
