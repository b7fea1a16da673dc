"""What is no recording is called by its name, with what to do; what is half there is read and told."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from shared.errors import UnsupportedMedia
from shared.media.boxes import boxes
from shared.media.ebml import SEGMENT, elements
from shared.media.probe import probe
from shared.media.refusals import cut_off, explained, refuse_unreadable
from tests.shared.media.recordings import clip, ffmpeg, write_noise

KEY = "76a6c65c5ea762046bd749a2e632ccbb"
ENCRYPTED = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", KEY, "-encryption_kid", KEY)
TONE = ("-f", "lavfi", "-i", "sine=440:r=48000:d=2")


def why_refused(path: Path) -> str:
    with pytest.raises(UnsupportedMedia) as refused:
        probe(path)
    assert str(path.parent) not in refused.value.message
    return refused.value.message


def picture(path: Path, name: str, **options: object) -> Path:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "green", "blue")]
    animated = {"save_all": True, "append_images": frames[1:]} if options.pop("all", 0) else {}
    frames[0].save(path, name, **animated, **options)
    return path


# -- pictures --------------------------------------------------------------------------------


def test_an_avif_picture_is_named(tmp_path: Path) -> None:
    told = why_refused(picture(tmp_path / "a.jpg", "AVIF"))
    assert "AVIF" in told and "JPEG" in told


@pytest.mark.first_is_quick
@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"heim"])
def test_a_heic_picture_is_named(brand: bytes, tmp_path: Path) -> None:
    """An AVIF picture's boxes are those of HEIC, but for what they are called."""
    path = picture(tmp_path / "IMG_0001.jpg", "AVIF")
    renamed = path.read_bytes().replace(b"avif", brand).replace(b"miaf", b"mif1")
    path.write_bytes(renamed.replace(b"av01", b"hvc1"))
    told = why_refused(path)
    assert "HEIC" in told and "JPEG" in told and "iPhone" in told


@pytest.mark.parametrize(
    "options", [{}, {"lossless": True}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}]
)
def test_an_animated_webp_is_named_and_a_still_one_is_read(
    options: dict[str, object], tmp_path: Path
) -> None:
    told = why_refused(picture(tmp_path / "a.webp", "WEBP", all=True, **options))
    assert "animated WebP" in told and "GIF or MP4" in told
    assert probe(picture(tmp_path / "b.webp", "WEBP", **options)).video[0].width == 64


@pytest.mark.heavy
def test_an_animated_avif_is_a_film_and_is_read(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.avif", "AVIF", all=True)
    assert probe(path).video[0].codec == "av1"


# -- encrypted -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.m4a", "a.mp4"])
def test_common_encryption_is_no_noise(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    film = ("-f", "lavfi", "-i", "testsrc=s=64x48:d=2") if name == "a.mp4" else ()
    ffmpeg(*TONE, *film, "-f", "mp4", *ENCRYPTED, path)
    told = why_refused(path)
    assert "encrypted" in told and "without protection" in told


@pytest.mark.parametrize(
    ("system", "name"),
    [
        ("edef8ba979d64acea3c827dcd51d21ed", "Widevine"),
        ("9a04f07998404286ab92e65be0885f95", "PlayReady"),
        ("94ce86fb07ff4f43adb893d2fa968ca2", "FairPlay"),
        ("00" * 16, "unknown"),
    ],
)
def test_who_holds_the_key_is_named(system: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    ffmpeg(*TONE, "-f", "mp4", *ENCRYPTED, path)
    pssh = struct.pack(">I4sI16sI", 32, b"pssh", 0, bytes.fromhex(system), 0)
    put_into_moov(path, pssh)
    assert name in why_refused(path)


def put_into_moov(path: Path, box: bytes) -> None:
    """At its end, which is the file's."""
    data = path.read_bytes()
    with path.open("rb") as file:
        moov = next(b for b in boxes(file, 0, len(data)) if b.kind == b"moov")
    assert moov.end == len(data)
    size = struct.pack(">I", moov.end - moov.start + 8 + len(box))
    path.write_bytes(data[: moov.start - 8] + size + data[moov.start - 4 :] + box)


@pytest.mark.heavy
def test_a_key_server_s_name_alone_encrypts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    ffmpeg(*TONE, "-f", "mp4", path)
    put_into_moov(path, struct.pack(">I4sI16sI", 32, b"pssh", 0, bytes(16), 0))
    assert probe(path).has_audio


@pytest.mark.parametrize(
    ("entry", "told"), [(b"drms", "iTunes"), (b"aavd", "Audible"), (b"enca", "encrypted")]
)
def test_what_shops_lock_is_named(entry: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    ffmpeg(*TONE, path)
    path.write_bytes(path.read_bytes().replace(b"mp4a", entry, 1))
    assert told in why_refused(path)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("guid", "told"),
    [
        ("fbb3112223bdd211b4b700a0c955fc6e", "Windows Media DRM"),
        ("14e68a292226174cb935dae07ee9289c", "Windows Media DRM"),
        ("338505438169e6499b74ad12cb86d58c", "PlayReady"),
    ],
)
def test_a_windows_media_file_under_drm_is_named(guid: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wma"
    ffmpeg(*TONE, path)
    assert probe(path).has_audio
    data = path.read_bytes()
    locked = bytes.fromhex(guid) + struct.pack("<Q", 24 + 16) + bytes(16)
    size, count = struct.unpack("<QI", data[16:28])
    end = size
    header = data[:16] + struct.pack("<QI", size + len(locked), count + 1) + data[28:end]
    path.write_bytes(header + locked + data[end:])
    assert told in why_refused(path)


@pytest.mark.heavy
def test_encrypted_webm_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"
    ffmpeg(*TONE, "-c:a", "libopus", "-live", "1", path)
    assert probe(path).has_audio
    data = path.read_bytes()
    locked = element(0x6D80, element(0x6240, element(0x5033, b"\x01") + element(0x5035, b"")))
    with path.open("rb") as file:
        _, segment, end = next(e for e in elements(file, 0, len(data)) if e[0] == SEGMENT)
        inside = list(elements(file, segment, end))
        at, (_, start, stop) = next((i, e) for i, e in enumerate(inside) if e[0] == 0x1654AE6B)
        _, body, last = next(e for e in elements(file, start, stop) if e[0] == 0xAE)
    outer = element(0x1654AE6B, element(0xAE, data[body:last] + locked))
    path.write_bytes(data[: inside[at - 1][2]] + outer + data[stop:])
    assert "encrypted WebM" in why_refused(path)


def element(identifier: int, content: bytes) -> bytes:
    name = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return name + struct.pack(">Q", len(content) | 1 << 56) + content


@pytest.mark.heavy
def test_scrambled_television_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    ffmpeg("-i", clip(tmp_path / "a.mkv"), "-c:v", "copy", "-c:a", "mp2", path)
    assert probe(path).has_video
    data = bytearray(path.read_bytes())
    for place in range(0, len(data), 188):
        if (data[place + 1] & 0x1F, data[place + 2]) >= (1, 0):
            data[place + 3] |= 0x80
    path.write_bytes(data)
    assert "scrambled" in why_refused(path)


@pytest.mark.heavy
def test_a_dvd_under_its_copy_protection_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.vob"
    ffmpeg(*TONE, "-c:a", "mp2", "-f", "vob", path)
    assert probe(path).has_audio
    data = bytearray(path.read_bytes())
    place = data.find(b"\0\0\1\xc0")
    while place >= 0:
        data[place + 6] |= 0x10
        place = data.find(b"\0\0\1\xc0", place + 4)
    path.write_bytes(data)
    assert "CSS" in why_refused(path)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\0\0\0\0\x57\x90\x75\x36" + os.urandom(99), "Audible"),
        (b"Salted__" + os.urandom(99), "OpenSSL"),
        (b"age-encryption.org/v1\n-> X25519", "age"),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQEM", "PGP"),
        (b"CTENFDAM" + os.urandom(99), "NetEase"),
    ],
)
def test_other_locks_are_named(data: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(data)
    why = why_refused(tmp_path / "a.mp3")
    assert told in why and "encrypted" in why


# -- cut off ---------------------------------------------------------------------------------


def without_index(data: bytes) -> bytes:
    return data[: data.rindex(b"moov") - 4]


@pytest.mark.first_is_quick
@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("a.mp4", lambda data: data[: len(data) * 6 // 10]),
        ("a.mov", without_index),
        ("a.m4a", lambda data: data[:-300]),
        (
            "a.3gp",
            lambda data: data[: data.index(b"mdat") - 4] + b"\0\0\0\0mdat" + bytes(500),
        ),
        ("a.mp4", lambda data: data[:36]),
    ],
    ids=["at 60 %", "never finished", "inside its index", "size never written", "hardly begun"],
)
def test_what_is_cut_off_before_its_index_says_so(
    name: str, broken: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / name
    ffmpeg(*TONE, "-c:a", "aac", path)
    path.write_bytes(broken(path.read_bytes()))
    told = why_refused(path)
    assert "cut off before its index" in told and "upload it again" in told


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda data, cluster, block: data[cluster:], "join all parts from the first on"),
        (lambda data, cluster, block: data[block:], "join all parts from the first on"),
        (lambda data, cluster, block: data[block:] + data, "in another order"),
        (lambda data, cluster, block: data[:cluster], "Record it again"),
    ],
    ids=["from a cluster on", "from a block on", "joined wrongly", "nothing but its beginning"],
)
def test_parts_of_webm_are_named(
    broken: Callable[[bytes, int, int], bytes], said: str, tmp_path: Path
) -> None:
    """As browsers' recorders hand them out: the first alone says what is in the others."""
    path = tmp_path / "a.webm"
    ffmpeg(*TONE, "-c:a", "libopus", "-live", "1", path)
    data = path.read_bytes()
    cluster = data.index(b"\x1f\x43\xb6\x75")
    path.write_bytes(broken(data, cluster, data.index(b"\xa3", cluster)))
    assert said in why_refused(path)


@pytest.mark.heavy
def test_a_fragment_without_its_beginning_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    ffmpeg(*TONE, "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov", path)
    assert probe(path).has_audio
    data = path.read_bytes()
    path.write_bytes(data[data.index(b"moof") - 4 :])
    assert "fragment" in why_refused(path)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", ()),
        ("a.wav", ("-c:a", "pcm_s24le", "-rf64", "always")),
        ("a.aiff", ()),
        ("a.mkv", ("-c:a", "flac")),
        ("a.webm", ("-c:a", "libopus")),
        ("a.avi", ("-c:a", "pcm_s16le")),
        ("a.mp4", ("-c:a", "aac", "-movflags", "faststart")),
        ("a.flac", ()),
        ("a.mp3", ()),
        ("a.wv", ()),
    ],
)
def test_what_is_cut_off_and_can_be_read_is_read_and_told(
    name: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / name
    ffmpeg(*TONE, *options, path)
    whole = probe(path)
    assert whole.notices == ()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    half = probe(path)
    assert half.duration_ms is not None
    assert 300 < half.duration_ms < 1200  # a header may take a part of the half
    (told,) = half.notices
    assert "cut off" in told
    assert f"{len(data) // 2:,} of" in told or "of 2.0 s" in told


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("container", "codec"), [("wav", "pcm_s16le"), ("matroska", "flac"), ("webm", "libopus")]
)
def test_what_never_knew_its_length_is_whole(container: str, codec: str, tmp_path: Path) -> None:
    piped = subprocess.run(
        ["ffmpeg", "-v", "error", *TONE, "-c:a", codec, "-f", container, "pipe:1"],
        check=True,
        capture_output=True,
    )
    (tmp_path / "a").write_bytes(piped.stdout)
    assert probe(tmp_path / "a").notices == ()
    assert cut_off(tmp_path / "a") is None


def test_a_wav_whose_writer_was_switched_off_is_whole(tmp_path: Path) -> None:
    path = write_noise(tmp_path / "a.wav")
    data = bytearray(path.read_bytes())
    data[data.index(b"data") + 4 :][:4] = bytes(4)
    at = data.index(b"data") + 4
    data[at : at + 4] = bytes(4)
    path.write_bytes(data)
    assert cut_off(path) is None


@pytest.mark.parametrize(("fill", "told"), [(b"", "'LIST' has an odd length"), (b"\0", None)])
def test_a_wav_chunk_without_its_fill_byte_is_named(
    fill: bytes, told: str | None, tmp_path: Path
) -> None:
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8_000, 16_000, 2, 16)
    odd = b"LIST" + struct.pack("<I", 5) + b"INFO." + fill
    body = b"WAVE" + form + odd + b"data" + struct.pack("<I", 1_600) + bytes(1_600)
    path = tmp_path / "odd.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    said = explained(path)
    assert said is None if told is None else (said and told in said and "save it as a new" in said)


def test_a_file_of_zeros_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(bytes(3_000_000))
    assert "nothing but zeros" in why_refused(tmp_path / "a.wav")


@given(st.binary(max_size=400))
@example(b"\x00\x00\x00\x01ftyp" + b"\xff" * 8)
@example(b"\x00\x00\x00\x00moov" + b"\x00\x00\x00\x00trak" * 40)
@example(b"\x1a\x45\xdf\xa3" + b"\x01" * 40)
@example(b"\x00\x00\x01\xba" + b"\x00\x00\x01" * 40)
@example(bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + b"\xff" * 60)
def test_no_bytes_break_the_naming(data: bytes) -> None:
    path = Path(f"/proc/self/fd/{os.memfd_create('hostile')}")
    try:
        path.write_bytes(data)
        for look in (refuse_unreadable, explained, cut_off):
            try:
                look(path)
            except UnsupportedMedia:
                continue
    finally:
        os.close(int(path.name))
