"""What is odd about sound: channels, rates, offsets, streams, beginnings, ends and joins."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.formats.sounds import (
    ALL_TOOLS,
    COARSE,
    CODECS,
    CONTAINERS,
    EXACT,
    MISREAD,
    Grade,
    Made,
    SoundCase,
    encoded,
)
from tests.formats.truth import SECONDS, Samples, ffmpeg, voices, write_wav
from tests.shared.media.odd_sound import write_raw_wav, write_riff

LATE_S = 0.8
SHORT_S = 0.3
Make = Callable[[Path], Made]


def oddities() -> Iterator[SoundCase]:
    """All of them."""
    yield from _channels()
    yield from _rates()
    yield from _levels()
    yield from _streams()
    yield from _ends()
    yield from _joins()
    yield from _headers()


def _with(container: str, codec: str, samples: Samples, rate: int = 48_000, *words: str) -> Make:
    """The samples, in a file; what is measured is compared with them."""

    def make(folder: Path) -> Made:
        path = encoded(folder, container, codec, samples, rate, *words)
        tools = MISREAD.get((container, codec), ALL_TOOLS)
        return Made(path, samples, rate, CODECS[codec].grade, tools)

    return make


def _in_surround(container: str, codec: str) -> Make:
    def make(folder: Path) -> Made:
        made = _with(container, codec, _surround())(folder)
        tools = MISREAD.get((container, f"{codec}, 5.1"), made.tools)
        return replace(made, tools=tools)

    return make


def _surround() -> Samples:
    """5.1, whose fourth channel holds what an LFE can."""
    samples = voices(channels=6)
    at = np.arange(len(samples)) / 48_000
    samples[:, 3] = 0.1 * np.sin(2 * np.pi * 60 * at) * (1 + 0.5 * np.sin(4 * at))
    return samples


def _equals(channels: int) -> Samples:
    """One voice in all channels, louder from channel to channel: their sum is known."""
    return voices(channels=1) * np.linspace(0.3, 1, channels)


def _channels() -> Iterator[SoundCase]:
    for container, codec in (
        ("WAV", "PCM s16le"), ("FLAC", "FLAC"), ("MP3", "MP3"), ("M4A", "AAC"), ("Ogg", "Opus"),
        ("Ogg", "Vorbis"), ("ASF", "WMA 2"), ("Matroska", "DTS"), ("MPEG-TS", "MP2"),
    ):  # fmt: skip
        yield SoundCase(container, codec, "mono", _with(container, codec, voices(channels=1)))
    for container, codec in (
        ("WAV", "PCM s24le"), ("FLAC", "FLAC"), ("MOV", "PCM s24le"), ("CAF", "PCM s24be"),
        ("M4A", "AAC"), ("M4A", "ALAC"), ("Ogg", "Vorbis"), ("Ogg", "Opus"), ("Matroska", "Opus"),
        ("MPEG-TS", "AC-3"), ("MPEG-TS", "E-AC-3"), ("Matroska", "DTS"), ("WavPack", "WavPack"),
    ):  # fmt: skip
        yield SoundCase(container, codec, "5.1", _in_surround(container, codec))
    for container, codec in (("WAV", "PCM s24le"), ("W64", "PCM s24le"), ("Matroska", "PCM s24le")):
        for channels in (3, 6, 8):
            make = _without_layout(container, codec, channels)
            yield SoundCase(container, codec, f"{channels} channels, no layout", make)


def _without_layout(container: str, codec: str, channels: int) -> Make:
    def make(folder: Path) -> Made:
        samples = _equals(channels)
        plain = write_raw_wav(folder / "plain.wav", samples, 48_000)
        path = folder / f"made.{CONTAINERS[container][0]}"
        if container == "WAV":
            plain.rename(path)
        else:
            ffmpeg("-guess_layout_max", 0, "-i", plain, *CODECS[codec].words, path)
        return Made(path, samples, 48_000, layout=None)

    return make


def _rates() -> Iterator[SoundCase]:
    for container, codec, rates in (
        ("WAV", "PCM s16le", (8_000, 22_050, 44_100, 96_000, 192_000)),
        ("FLAC", "FLAC", (8_000, 22_050, 44_100, 96_000)),
        ("M4A", "AAC", (8_000, 22_050, 44_100, 96_000)),
        ("M4A", "ALAC", (44_100, 96_000)),
        ("MP3", "MP3", (8_000, 22_050, 44_100)),
        ("Ogg", "Vorbis", (8_000, 22_050, 44_100, 96_000)),
        ("AIFF", "PCM s16be", (11_025, 44_100)),
        ("Matroska", "AC-3", (32_000, 44_100)),
    ):
        for rate in rates:
            make = _slower(container, codec, rate)
            yield SoundCase(container, codec, f"{rate / 1000:g} kHz", make)


def _slower(container: str, codec: str, rate: int) -> Make:
    def make(folder: Path) -> Made:
        samples, grade = voices(rate=rate), CODECS[codec].grade
        made = _with(container, codec, samples, rate)(folder)
        slower = max(1.0, 48_000 / rate)  # a frame of so many samples lasts longer
        if grade is EXACT:
            return made
        longer = Grade(0.9, grade.loudness_lu, grade.delay_ms * slower, grade.longer_ms * slower)
        return replace(made, grade=longer)

    return make


def _levels() -> Iterator[SoundCase]:
    plain = voices()
    mono = voices(channels=1)
    for container, codec in (("WAV", "PCM s16le"), ("FLAC", "FLAC"), ("AIFF", "PCM s24be")):
        yield SoundCase(container, codec, "a constant offset", _with(container, codec, plain + 0.2))
    upside_down = np.hstack([mono, -mono])
    for container, codec in (("WAV", "PCM s16le"), ("FLAC", "FLAC"), ("M4A", "AAC")):
        make = _with(container, codec, upside_down)
        yield SoundCase(container, codec, "antiphase", make, notice="upside down")
    for container, codec in (("WAV", "PCM f32le"), ("AIFF", "PCM f32be"), ("CAF", "PCM f32be")):
        make = _with(container, codec, plain * 3000)
        yield SoundCase(container, codec, "far above full scale", make)
    nothing = np.zeros_like(plain)
    for container, codec in (("WAV", "PCM s16le"), ("FLAC", "FLAC"), ("M4A", "AAC")):
        make = _with(container, codec, nothing)
        yield SoundCase(container, codec, "digital silence", make, silent=True)
    broken = plain.copy()
    broken[1000] = np.nan
    make = _with("WAV", "PCM f32le", broken)
    yield SoundCase("WAV", "PCM f32le", "not numbers", make, refused="unsupported_media")


def _streams() -> Iterator[SoundCase]:
    for container, codec in (
        ("Matroska", "Opus"), ("Matroska", "FLAC"), ("MOV", "PCM s16le"), ("M4A", "AAC"),
        ("MPEG-TS", "AC-3"),
    ):  # fmt: skip
        make = _silent_first(container, codec)
        yield SoundCase(container, codec, "silent first stream", make, notice="silent")
    for container, codec in (("MOV", "PCM s16le"), ("M4A", "AAC"), ("Matroska", "FLAC")):
        yield SoundCase(container, codec, "starts late", _late(container, codec, kept=True))
    yield SoundCase("MPEG-TS", "MP2", "starts late", _late("MPEG-TS", "MP2", kept=False))
    for container, codec in (("MP3", "MP3"), ("FLAC", "FLAC"), ("M4A", "AAC")):
        yield SoundCase(container, codec, "cover picture and tags", _with_cover(container, codec))


def _silent_first(container: str, codec: str) -> Make:
    def make(folder: Path) -> Made:
        samples = voices()
        source = write_wav(folder / "truth.wav", samples, 48_000)
        silence = write_wav(folder / "silence.wav", np.zeros_like(samples), 48_000)
        extension, muxing, _ = CONTAINERS[container]
        path = folder / f"made.{extension}"
        both = ["-i", silence, "-i", source, "-map", "0:a", "-map", "1:a"]
        ffmpeg(*both, *CODECS[codec].words, *muxing, path)
        return Made(path, samples, 48_000, CODECS[codec].grade)

    return make


def _late(container: str, codec: str, *, kept: bool) -> Make:
    """``kept``: the container's time 0 means something, and the wait belongs to the recording."""

    def make(folder: Path) -> Made:
        samples = voices()
        source = write_wav(folder / "truth.wav", samples, 48_000)
        extension, muxing, _ = CONTAINERS[container]
        path = folder / f"made.{extension}"
        ffmpeg("-itsoffset", LATE_S, "-i", source, *CODECS[codec].words, *muxing, path)
        wait = np.zeros((round(LATE_S * 48_000), 2))
        heard = np.vstack([wait, samples]) if kept else samples
        # An empty edit is told in milliseconds.
        grade = replace(CODECS[codec].grade, early_ms=1.0)
        return Made(path, heard, 48_000, grade, tools=() if kept else ALL_TOOLS)

    return make


def _with_cover(container: str, codec: str) -> Make:
    def make(folder: Path) -> Made:
        samples = voices()
        source = write_wav(folder / "truth.wav", samples, 48_000)
        cover = folder / "cover.png"
        ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:d=0.04", "-frames:v", 1, cover)
        path = folder / f"made.{CONTAINERS[container][0]}"
        words = ["-map", "0:a", "-map", "1:v", "-c:v", "copy", "-disposition:v:0", "attached_pic"]
        ffmpeg(
            "-i", source, "-i", cover, *words, *CODECS[codec].words, "-metadata", "title=A", path
        )
        return Made(path, samples, 48_000, CODECS[codec].grade)

    return make


def _ends() -> Iterator[SoundCase]:
    for container, codec in (
        ("WAV", "PCM s16le"), ("RF64", "PCM s24le"), ("AIFF", "PCM s16be"), ("FLAC", "FLAC"),
        ("MP3", "MP3"), ("MOV", "PCM s16le"), ("M4A", "AAC"), ("Ogg", "Vorbis"), ("Ogg", "Opus"),
        ("WavPack", "WavPack"), ("TTA", "TTA"), ("AC-3", "AC-3"), ("Matroska", "Opus"),
    ):  # fmt: skip
        make = _short(container, codec)
        yield SoundCase(container, codec, f"{SHORT_S} s", make, silent=True)
    for container, codec in (
        ("WAV", "PCM s16le"), ("RF64", "PCM s16le"), ("AIFF", "PCM s16be"), ("FLAC", "FLAC"),
        ("MP3", "MP3"), ("Matroska", "FLAC"), ("WavPack", "WavPack"),
    ):  # fmt: skip
        yield SoundCase(container, codec, "cut off", _cut(container, codec), notice="cut off")
    for container, codec in (
        ("Ogg", "Vorbis"), ("MPEG-TS", "MP2"), ("ADTS", "AAC"), ("AC-3", "AC-3"), ("AU", "PCM s16be"),
        ("CAF", "PCM s16be"), ("W64", "PCM s16le"),
    ):  # fmt: skip
        yield SoundCase(container, codec, "cut off", _cut(container, codec))
    for container, codec in (("M4A", "AAC"), ("M4A", "ALAC"), ("MOV", "PCM s16le")):
        make = _cut(container, codec)
        yield SoundCase(container, codec, "cut off", make, refused="unsupported_media")


def _short(container: str, codec: str) -> Make:
    def make(folder: Path) -> Made:
        made = _with(container, codec, voices(SHORT_S))(folder)
        return replace(made, tools=())

    return make


def _cut(container: str, codec: str) -> Make:
    """So much of the bytes that about two thirds of the sound are there; its end is coarse."""

    def make(folder: Path) -> Made:
        samples = voices()
        made = _with(container, codec, samples)(folder)
        data = made.path.read_bytes()
        made.path.write_bytes(data[: 2 * len(data) // 3])
        # Ogg's pages hold up to a second.
        grade = replace(made.grade, longer_ms=900 if container == "Ogg" else 300)
        kept = samples[: 2 * len(samples) // 3]
        return Made(made.path, kept, 48_000, grade, tools=(), until_s=1.2)

    return make


def _joins() -> Iterator[SoundCase]:
    for container, codec in (
        ("MP3", "MP3"), ("ADTS", "AAC"), ("AC-3", "AC-3"), ("Ogg", "Opus"), ("Ogg", "Vorbis"),
        ("Ogg", "FLAC"), ("MPEG-TS", "MP2"), ("MPEG-TS", "AC-3"), ("MPEG-PS", "MP2"),
    ):  # fmt: skip
        yield SoundCase(container, codec, "joined", _joined(container, codec, 2))
    for container, codec in (("MP3", "MP3"), ("ADTS", "AAC"), ("AC-3", "AC-3"), ("Ogg", "Opus")):
        oddity = "joined, mono then stereo"
        yield SoundCase(container, codec, oddity, _joined(container, codec, 1))
    for container, codec in (
        ("WAV", "PCM s16le"), ("AIFF", "PCM s16be"), ("FLV", "MP3"), ("M4A", "AAC"),
        ("WavPack", "WavPack"),
    ):  # fmt: skip
        make = _one_behind(container, codec)
        yield SoundCase(container, codec, "joined end to end", make, notice="lies behind the first")


def _one_behind(container: str, codec: str) -> Make:
    """Of these formats the first part alone is read, by everybody."""

    def make(folder: Path) -> Made:
        made = _with(container, codec, voices(rate=CODECS[codec].rate_hz))(folder)
        path = folder / f"joined.{CONTAINERS[container][0]}"
        path.write_bytes(2 * made.path.read_bytes())
        return replace(made, path=path, tools=())

    return make


def _joined(container: str, codec: str, first_channels: int) -> Make:
    def make(folder: Path) -> Made:
        parts = [voices(channels=first_channels), voices(2.0)]
        data = b""
        for samples in parts:
            data += encoded(folder, container, codec, samples, 48_000).read_bytes()
        path = folder / f"joined.{CONTAINERS[container][0]}"
        path.write_bytes(data)
        mixed = parts[1] if first_channels == 2 else parts[1].mean(axis=1, keepdims=True)
        whole = np.vstack([parts[0], mixed])
        grade = CODECS[codec].grade
        longer = Grade(grade.likeness, 0.5, grade.delay_ms, 2 * grade.longer_ms + 10)
        return Made(path, whole, 48_000, longer, tools=(), until_s=SECONDS)

    return make


def _headers() -> Iterator[SoundCase]:
    yield SoundCase("WAV", "PCM s16be", "RIFX", _rifx)
    yield SoundCase("WAV", "PCM s32le", "24 bits in 32", _wide)
    yield SoundCase("WAV", "PCM s16le", "written by a recorder that was switched off", _unended)
    yield SoundCase("WAV", "PCM s16le", "named .mp3", _misnamed)


def _rifx(folder: Path) -> Made:
    samples = voices()
    data = np.rint(samples * 32767).astype(">i2").tobytes()
    form = struct.pack(">HHIIHH", 1, 2, 48_000, 192_000, 4, 16)
    path = write_riff(folder / "made.wav", form, data, order=">")
    return Made(path, samples, 48_000, replace(COARSE, longer_ms=1), tools=())


def _wide(folder: Path) -> Made:
    samples = voices()
    data = (256 * np.rint(samples * (2**23 - 1))).astype("<i4").tobytes()
    pcm = bytes.fromhex("0100000000001000800000aa00389b71")
    form = struct.pack("<HHIIHHHHI", 0xFFFE, 2, 48_000, 384_000, 8, 32, 22, 24, 3) + pcm
    path = write_riff(folder / "made.wav", form, data)
    return Made(path, samples, 48_000, replace(EXACT, longer_ms=1), tools=())


def _unended(folder: Path) -> Made:
    made = _with("WAV", "PCM s16le", voices())(folder)
    data = bytearray(made.path.read_bytes())
    at = data.index(b"data") + 4
    data[4:8] = data[at : at + 4] = b"\0\0\0\0"
    made.path.write_bytes(data)
    return replace(made, tools=())


def _misnamed(folder: Path) -> Made:
    made = _with("WAV", "PCM s16le", voices())(folder)
    return replace(made, path=made.path.rename(folder / "made.mp3"))
