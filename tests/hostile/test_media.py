"""Files that are something else than their name says, or that want ffmpeg to open something else."""

from __future__ import annotations

import os
import random
import socket
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import RushesError, UnsupportedMedia
from shared.media.decode import audio_blocks
from shared.media.probe import probe
from tests.shared.media.recordings import REAL, clip, ffmpeg, real, write_noise

NAMES = ("a.mp4", "a.wav", "a.mkv", "a.mov", "a.aac", "a.mp3", "a.png", "a.m3u8")

LISTS = {
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
    "hls master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{}\n",
    "ffconcat": "ffconcat version 1.0\nfile '{}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>'
    "<AdaptationSet><Representation><BaseURL>{}</BaseURL></Representation></AdaptationSet>"
    "</Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns={}\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" '
    'width="9" height="9"><image x:href="{}" width="9" height="9"/></svg>',
    "srt": "1\n00:00:00,000 --> 00:00:01,000\n{}\n",
    "vtt": "WEBVTT\n\n00:00.000 --> 00:01.000\n{}\n",
    "ass": "[Script Info]\nScriptType: v4.00+\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,,,,,,,{}\n",
    "pls": "[playlist]\nFile1={}\nNumberOfEntries=1\n",
    "edl": "TITLE: {}\n001 AX V C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n",
    "vobsub": "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\n# {}\n",
    "ffmetadata": ";FFMETADATA1\ntitle={}\n",
}


@pytest.fixture(autouse=True)
def network_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds here must hold without the network taken away, too."""
    monkeypatch.setattr("shared.processes.without_network", lambda: ())


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """Another tenant's recording; that nobody reads it shows in its access time."""
    folder = tmp_path / "other-tenant"
    folder.mkdir()
    path = write_noise(folder / "secret.wav")
    long_ago = path.stat().st_mtime - 10 * 86400  # so that relatime would note any reading
    os.utime(path, (long_ago, path.stat().st_mtime))
    return path


def test_the_planted_file_would_show_that_it_was_read(planted: Path, tmp_path: Path) -> None:
    before = planted.stat().st_atime_ns
    probe(planted)
    if planted.stat().st_atime_ns == before:
        pytest.skip("this file system keeps no access times")


@pytest.mark.first_is_quick
@pytest.mark.parametrize("kind", LISTS)
def test_no_list_opens_another_file_or_address(
    kind: str, planted: Path, listener: socket.socket, tmp_path: Path
) -> None:
    port = listener.getsockname()[1]
    before = planted.stat().st_atime_ns
    for target in (str(planted), f"file:{planted}", f"http://127.0.0.1:{port}/a.wav"):
        path = tmp_path / random.Random(kind + target).choice(NAMES)
        path.write_text(LISTS[kind].format(target, port=port))
        with pytest.raises(UnsupportedMedia):
            probe(path)
    assert planted.stat().st_atime_ns == before
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.first_is_quick
@pytest.mark.parametrize("name", NAMES)
def test_an_hls_list_is_refused_under_every_name(name: str, planted: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(LISTS["hls"].format(planted))
    with pytest.raises(UnsupportedMedia, match="hls"):
        probe(path)


@pytest.mark.heavy
def test_decoding_does_not_look_again_what_a_file_is(planted: Path, tmp_path: Path) -> None:
    path = write_noise(tmp_path / "a.wav")
    media = probe(path)
    path.write_text(LISTS["hls"].format(planted))
    before = planted.stat().st_atime_ns
    with pytest.raises(UnsupportedMedia):
        list(audio_blocks(path, media))
    assert planted.stat().st_atime_ns == before


@pytest.mark.heavy
def test_a_reference_inside_a_quicktime_file_is_not_followed(planted: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    ffmpeg("-i", planted, "-c:a", "copy", path)
    os.utime(planted, (0, 0))
    data = path.read_bytes()
    inside = b"\0\0\0\x0curl \0\0\0\x01"
    assert inside in data
    name = str(planted).encode()
    outside = struct.pack(">I4sI", 12 + len(name) + 1, b"url ", 0) + name + b"\0"
    grown = len(outside) - len(inside)
    at = data.index(inside)
    for box in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        data, at = _grow(data, box, at, grown)
    path.write_bytes(data[:at] + outside + data[at + len(inside) :])
    before = planted.stat().st_atime_ns
    _accepted_or_refused(path)
    assert planted.stat().st_atime_ns == before


def _grow(data: bytes, box: bytes, inner: int, by: int) -> tuple[bytes, int]:
    """Enlarge the last ``box`` that begins before ``inner``."""
    at = data.rindex(box, 0, inner) - 4
    size = struct.unpack_from(">I", data, at)[0] + by
    return data[:at] + struct.pack(">I", size) + data[at + 4 :], inner


@pytest.mark.heavy
def test_a_numbered_name_does_not_open_its_siblings(tmp_path: Path) -> None:
    for number in range(1, 4):
        ffmpeg(
            "-f", "lavfi", "-i", "testsrc=s=64x48", "-frames:v", "1", tmp_path / f"a{number}.png"
        )
    path = tmp_path / "a%d.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(UnsupportedMedia):
        probe(path)


@pytest.mark.heavy
def test_a_picture_that_claims_two_to_the_31_pixels(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 65536, 32768, 8, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(UnsupportedMedia):
        probe(path)


@pytest.mark.first_is_quick
@pytest.mark.parametrize("name", ["a.wav", "a.jpg", "a.png", "a.flac", "a.mp3", "a.mp4", "a.aac"])
def test_random_bytes_and_text_are_no_recording(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for content in (
        random.Random(name).randbytes(50_000),
        b"dear diary\n" * 2000,
        b"\0" * 50_000,
        b"x",
    ):
        path.write_bytes(content)
        with pytest.raises(UnsupportedMedia):
            probe(path)


def test_an_empty_file_and_a_folder_are_no_recordings(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    with pytest.raises(UnsupportedMedia, match="empty"):
        probe(tmp_path / "a.wav")
    with pytest.raises(UnsupportedMedia, match="not a file"):
        probe(tmp_path)


@pytest.mark.first_is_quick
@pytest.mark.parametrize("head", ["ID3", "OggS", "fLaC", "wav", "mp4", "mkv"])
def test_a_header_alone_is_no_recording(head: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    if head in ("wav", "mp4", "mkv"):
        start = (
            clip(tmp_path / f"a.{head}", seconds=1)
            if head != "wav"
            else write_noise(tmp_path / "a.wav")
        )
        path.write_bytes(start.read_bytes()[:40])
    else:
        path.write_bytes(head.encode() + random.Random(head).randbytes(5000))
    with pytest.raises(UnsupportedMedia):
        probe(path)


BAD = sorted(p for p in (REAL / "bad").rglob("*") if p.is_file()) or [Path("no recordings")]


@pytest.mark.first_is_quick
@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_known_bad_files_are_refused_or_decoded(path: Path) -> None:
    _accepted_or_refused(
        real(str(path.relative_to(REAL))) if path.is_absolute() else real(str(path))
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    "extension", ["wav", "flac", "mp3", "m4a", "ogg", "mkv", "mp4", "ts", "avi"]
)
def test_flipped_and_missing_bytes_are_refused_or_decoded(extension: str, tmp_path: Path) -> None:
    dice = random.Random(extension)
    if extension in ("mkv", "mp4", "ts", "avi"):
        whole = clip(tmp_path / f"whole.{extension}", seconds=1).read_bytes()
    else:
        ffmpeg("-i", write_noise(tmp_path / "n.wav", 24000), tmp_path / f"whole.{extension}")
        whole = (tmp_path / f"whole.{extension}").read_bytes()
    for trial in range(6):
        data = bytearray(whole)
        for _ in range(30):
            data[dice.randrange(len(data) if trial % 2 else 600)] = dice.randrange(256)
        path = tmp_path / f"{trial}.{extension}"
        path.write_bytes(data[: dice.randrange(len(data) // 3, len(data))])
        _accepted_or_refused(path)


def _accepted_or_refused(path: Path) -> None:
    """A probe and a decode that end; what is wrong is told by an error of ours."""
    try:
        media = probe(path)
        if media.has_audio:
            assert sum(len(block) for block in audio_blocks(path, media)) < 48000 * 600
    except RushesError as error:
        assert error.code == "unsupported_media", error
