"""Hostile files, generated: the same ones every time.

Real recordings with flipped, missing, repeated and lying bytes; lists that name other files and
addresses; little files that claim or unpack to a lot; containers in containers; names that mean
something elsewhere.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.test_media import LISTS
from tests.shared.media.recordings import ffmpeg

PICTURE = ("-f", "lavfi", "-i", "testsrc=s=96x64:r=10:d=0.6")
SOUND = ("-f", "lavfi", "-i", "anoisesrc=d=0.6:a=0.3:r=16000:s=1")
SEEDS: dict[str, tuple[str, ...]] = {
    "wav": SOUND,
    "flac": SOUND,
    "mp3": SOUND,
    "m4a": SOUND,
    "ogg": SOUND,
    "aiff": SOUND,
    "wv": SOUND,
    "mp4": (*PICTURE, *SOUND, "-pix_fmt", "yuv420p"),
    "mov": (*PICTURE, *SOUND, "-c:v", "mpeg4"),
    "mkv": (*PICTURE, *SOUND, "-c:v", "mpeg4", "-c:a", "flac"),
    "avi": (*PICTURE, *SOUND, "-c:v", "mpeg4"),
    "ts": (*PICTURE, *SOUND, "-c:v", "mpeg2video"),
    "flv": (*PICTURE, *SOUND, "-ar", "22050"),
    "gif": PICTURE,
    "png": (*PICTURE, "-frames:v", "1", "-update", "1"),
    "jpg": (*PICTURE, "-frames:v", "1", "-update", "1"),
}
NAMES = (
    "-y.wav",
    "file:a.wav",
    "http:x.wav",
    "a%03d.png",
    "pipe:0",
    "$(touch x).wav",
    "a;b|c&d.wav",
    "..wav",
    "a\nb.wav",
    "a\x1b[31mred.wav",
    "\u202egnp.wav",
    "☔ 日本語 ünïcödé.wav",
    "a'b\"c.wav",
    "x" * 250 + ".wav",
    "concat:a|b.wav",
    "[0:v]scale.wav",
    "a?b#c.wav",
    "wav",
)


@dataclass(frozen=True)
class Hostile:
    """One file of the corpus."""

    kind: str
    path: Path


def corpus(folder: Path, *, outside: str, port: int) -> Iterator[Hostile]:
    """Write the files into ``folder``; ``outside`` and ``port``: what they try to reach."""
    seeds = _seeds(folder / "seeds")
    parts: tuple[tuple[str, Iterator[tuple[str, bytes]]], ...] = (
        ("mutant", _mutants(seeds)),
        ("list", _lists(outside, port)),
        ("claim", _claims(seeds)),
        ("bomb", _bombs(folder / "seeds")),
        ("nest", _nests(seeds)),
        ("score", _scores()),
        ("name", ((name, seeds["wav"]) for name in NAMES)),
    )
    for kind, files in parts:
        for number, (name, data) in enumerate(files):
            path = folder / f"{kind}-{number:03d}" / name
            path.parent.mkdir()
            path.write_bytes(data)
            yield Hostile(kind, path)


def _seeds(folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    made = {}
    for extension, args in SEEDS.items():
        path = folder / f"seed.{extension}"
        ffmpeg(*args, path)
        made[extension] = path.read_bytes()
    return made


# -- recordings that are damaged, or lie ---------------------------------------------------------


def _mutants(seeds: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for extension, whole in seeds.items():
        for number, mutate in enumerate(_MUTATIONS):
            dice = random.Random(f"{extension} {number}")
            yield f"{number}.{extension}", mutate(whole, dice)


def _flipped(span: int, count: int) -> Callable[[bytes, random.Random], bytes]:
    """Other bits, in the first ``span`` bytes."""

    def mutate(whole: bytes, dice: random.Random) -> bytes:
        data = bytearray(whole)
        for _ in range(count):
            data[dice.randrange(min(span, len(data)))] ^= 1 << dice.randrange(8)
        return bytes(data)

    return mutate


def _lying(value: int) -> Callable[[bytes, random.Random], bytes]:
    """A size somewhere in the header says something else."""

    def mutate(whole: bytes, dice: random.Random) -> bytes:
        at = dice.randrange(4, min(200, len(whole) - 4))
        order = dice.choice((">I", "<I"))
        return whole[:at] + struct.pack(order, value) + whole[at + 4 :]

    return mutate


_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_flipped(64, 3), _flipped(64, 12), _flipped(512, 20), _flipped(1 << 30, 40)),
    *(_lying(0), _lying(1), _lying(0x7FFFFFFF), _lying(0xFFFFFFFF)),
    lambda whole, dice: whole[: dice.randrange(8, 64)],
    lambda whole, dice: whole[: dice.randrange(len(whole) // 3, len(whole))],
    lambda whole, dice: whole[dice.randrange(1, 64) :],
    lambda whole, dice: whole + dice.randbytes(5000),
    lambda whole, dice: whole + whole,
    lambda whole, dice: whole[:100] + bytes(len(whole) // 2) + whole[100:],
    lambda whole, dice: whole[: len(whole) // 2] + dice.randbytes(len(whole) // 2),
)


def _claims(seeds: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Headers that promise the impossible."""
    for number, (channels, rate_hz, bits, size) in enumerate(
        [
            (65535, 48000, 16, 1000),
            (0, 48000, 16, 1000),
            (2, 0, 16, 1000),
            (2, 0xFFFFFFFF, 16, 1000),
            (2, 48000, 0, 1000),
            (1, 48000, 16, 0xFFFFFFFF),
            (1, 1, 8, 0x7FFFFFFF),
            (64, 768_000, 32, 0xFFFFFFF0),
        ]
    ):
        frame = channels * bits // 8
        head = struct.pack(
            "<4sI4s4sIHHIIHH",
            *(b"RIFF", 36 + min(size, 0xFFFFFFDB), b"WAVE", b"fmt ", 16, 1),
            *(channels, rate_hz, min(rate_hz * frame, 0xFFFFFFFF), frame & 0xFFFF, bits),
        )
        data = random.Random(number).randbytes(20_000)
        yield f"claim{number}.wav", head + struct.pack("<4sI", b"data", size) + data
    for width, height in ((65536, 32768), (1, 2_000_000), (0, 0), (2**31 - 1, 1)):
        yield f"{width}x{height}.png", _png(width, height, zlib.compress(bytes(1000)))
    yield "streams.mp4", seeds["mp4"].replace(b"moov", b"free", 1)


def _png(width: int, height: int, packed: bytes, depth: int = 8) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


# -- lists, bombs, nests, scores -----------------------------------------------------------------


def _lists(outside: str, port: int) -> Iterator[tuple[str, bytes]]:
    targets = (outside, f"file:{outside}", f"http://127.0.0.1:{port}/a.wav")
    for number, text in enumerate(LISTS.values()):
        for turn, target in enumerate(targets):
            name = ("a.mp4", "a.wav", "a.mkv")[(number + turn) % 3]
            yield name, text.format(target, port=port).encode()


def _bombs(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Little files that unpack to a lot."""
    silence = folder / "silence.flac"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo:d=1800", silence)
    yield "half an hour of nothing.flac", silence.read_bytes()
    black = folder / "black.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=s=4096x4096:r=5:d=2", "-pix_fmt", "yuv420p", black)
    yield "large and black.mp4", black.read_bytes()
    rows = zlib.compressobj(9)
    packed = b"".join(rows.compress(bytes(1 + 11_000 // 8)) for _ in range(12_000)) + rows.flush()
    yield "large picture.png", _png(11_000, 12_000, packed, depth=1)
    yield "unpacks.png", _png(64, 64, zlib.compress(bytes(200 << 20), 9))
    yield "unpacks.wav", gzip.compress(bytes(200 << 20))
    many = folder / "many.gif"
    ffmpeg("-f", "lavfi", "-i", "color=s=2000x2000:r=50:d=4", many)
    yield "many.gif", many.read_bytes()


def _nests(seeds: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Containers in containers."""
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        for extension, data in seeds.items():
            archive.writestr(f"../../a.{extension}", data)
    with tarfile.open(fileobj=tarred, mode="w") as tar:
        info = tarfile.TarInfo("../a.wav")
        info.size = len(seeds["wav"])
        tar.addfile(info, io.BytesIO(seeds["wav"]))
    yield "a.zip", zipped.getvalue()
    yield "a.wav", zipped.getvalue()
    yield "a.mp4", tarred.getvalue()
    yield "b.wav", gzip.compress(seeds["wav"])
    for outer, inner in (("mkv", "mp4"), ("mp4", "mkv"), ("wav", "mp3"), ("ts", "ts")):
        half = len(seeds[outer]) // 2
        yield f"c.{outer}", seeds[outer][:half] + seeds[inner] + seeds[outer][half:]
    box = struct.pack(">I4s", 8, b"moov")
    for _ in range(3000):
        box = struct.pack(">I4s", 8 + len(box), b"moov") + box
    yield "deep.mp4", seeds["mp4"][:32] + box
    picture = b"\0image/png\0\3\0" + seeds["png"] * 200
    frame = b"APIC" + struct.pack(">I", len(picture)) + b"\0\0" + picture
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    yield "cover.mp3", b"ID3\3\0\0" + size + frame + seeds["mp3"]


def _scores() -> Iterator[tuple[str, bytes]]:
    """Patterns and MIDI files, which are parsed rather than decoded."""
    head = {"format": "rushes.pattern"}
    yield "deep.json", b"[" * 200_000
    yield "deeper.json", b'{"format": "rushes.pattern", "tracks": ' + b"[" * 100_000
    yield "empty.json", json.dumps(head).encode()
    values: tuple[object, ...] = (1e308, -1, 10**30, "x" * 100_000, None, [[]] * 1000, {"a": {}})
    for value in values:
        for name in ("tempo_bpm", "tracks", "version", "beats"):
            yield "odd.json", json.dumps({**head, name: value}).encode()
    yield "infinite.json", b'{"format": "rushes.pattern", "tempo_bpm": Infinity}'
    track = b"MTrk" + struct.pack(">I", 0x7FFFFFFF) + b"\0\x90\x3c\x40"
    for division in (0, 1, 96, 0x7FFF, 0xE728, 0xFFFF):
        yield "a.mid", b"MThd" + struct.pack(">IHHH", 6, 1, 0xFFFF, division) + track
    notes = b"".join(b"\x83\xff\xff\x7f\x90\x3c\x40" for _ in range(2000)) + b"\0\xff\x2f\0"
    long = b"MTrk" + struct.pack(">I", len(notes)) + notes
    yield "years.mid", b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1) + long
    yield "b.mid", b"MThd" + random.Random(1).randbytes(3000)
