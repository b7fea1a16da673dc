"""The combinations of sound: which codec in which container, and what is odd about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tests.formats.truth import Samples, ffmpeg, voices, write_wav


@dataclass(frozen=True)
class Grade:
    """How near to the truth a codec can come."""

    likeness: float = 0.9999
    """Correlation of each channel with the truth."""
    loudness_lu: float = 0.1
    delay_ms: float = 0.0
    """By how much it may come late, where the container does not say how much to leave out."""
    longer_ms: float = 1.0
    """By how much it may be longer: its last frame, and what it comes late."""
    early_ms: float = 0.0
    """By how much it may come early: ffmpeg leaves out more of WMA than its own encoder puts before it."""
    envelope: bool = False
    """Is it a coder of speech, which keeps how loud it is from moment to moment, but no phase?"""


EXACT = Grade()
COARSE = Grade(likeness=0.98, loudness_lu=0.3, longer_ms=15)


def lossy(delay_ms: float, frame_ms: float, likeness: float = 0.95) -> Grade:
    """A codec with frames: late by no more than ``delay_ms``, and padded."""
    return Grade(likeness, 0.3, delay_ms, delay_ms + 2 * frame_ms)


@dataclass(frozen=True)
class Codec:
    """An encoder of ffmpeg, and what it can do."""

    words: tuple[str, ...]
    grade: Grade = EXACT
    rate_hz: int = 48_000
    channels: int = 2


def spoken(delay_ms: float, frame_ms: float) -> Grade:
    """A coder of speech."""
    return replace(lossy(delay_ms, frame_ms, 0.9), loudness_lu=1.5, envelope=True)


LAME = replace(lossy(50, 24), loudness_lu=0.6)
"""LAME makes everything quieter by 3 or 5 percent, so that decoders need not clip."""
UNSTAMPED_WMA = replace(lossy(0, 90), early_ms=44)


def _pcm(name: str, grade: Grade = EXACT) -> Codec:
    return Codec(("-c:a", f"pcm_{name}"), grade)


CODECS: Mapping[str, Codec] = {
    **{f"PCM {n}": _pcm(n) for n in ("s16le", "s16be", "s24le", "s24be", "s32le", "s32be")},
    **{f"PCM {n}": _pcm(n) for n in ("f32le", "f32be", "f64le", "f64be")},
    **{f"PCM {n}": _pcm(n, COARSE) for n in ("u8", "s8")},
    "A-law": _pcm("alaw", COARSE),
    "mu-law": _pcm("mulaw", COARSE),
    "PCM LPCM (DVD)": Codec(("-c:a", "pcm_dvd")),
    "PCM LPCM (camera)": Codec(("-c:a", "pcm_bluray"), Grade(longer_ms=6)),
    "SMPTE 302M": Codec(("-c:a", "s302m", "-strict", "-2"), Grade(longer_ms=45)),
    "FLAC": Codec(("-c:a", "flac")),
    "FLAC 24 bit": Codec(("-c:a", "flac", "-sample_fmt", "s32")),
    "ALAC": Codec(("-c:a", "alac")),
    "WavPack": Codec(("-c:a", "wavpack")),
    "TTA": Codec(("-c:a", "tta")),
    "TrueHD": Codec(("-c:a", "truehd", "-strict", "-2"), Grade(longer_ms=5)),
    "MP3": Codec(("-c:a", "libmp3lame", "-b:a", "192k"), LAME),
    "MP2": Codec(("-c:a", "mp2", "-b:a", "256k"), lossy(15, 24)),
    "AAC": Codec(("-c:a", "aac", "-b:a", "192k"), lossy(22, 22)),
    "Opus": Codec(("-c:a", "libopus", "-b:a", "160k"), lossy(7, 20)),
    "Vorbis": Codec(("-c:a", "libvorbis", "-q:a", "6"), lossy(0, 22)),
    "Speex": Codec(("-c:a", "libspeex", "-b:a", "24k"), spoken(40, 20), 16_000, 1),
    "GSM": Codec(("-c:a", "libgsm"), spoken(0, 20), 8_000, 1),
    "GSM (Microsoft)": Codec(("-c:a", "libgsm_ms"), spoken(0, 40), 8_000, 1),
    "AC-3": Codec(("-c:a", "ac3", "-b:a", "384k"), lossy(6, 32)),
    "E-AC-3": Codec(("-c:a", "eac3", "-b:a", "384k"), lossy(6, 32)),
    "DTS": Codec(("-c:a", "dca", "-strict", "-2", "-b:a", "768k"), lossy(12, 11)),
    "WMA 1": Codec(("-c:a", "wmav1", "-b:a", "192k"), lossy(44, 47)),
    "WMA 2": Codec(("-c:a", "wmav2", "-b:a", "192k"), lossy(44, 47)),
    "ADPCM Microsoft": Codec(("-c:a", "adpcm_ms"), lossy(0, 45)),
    "ADPCM IMA": Codec(("-c:a", "adpcm_ima_wav"), lossy(0, 45)),
    "ADPCM QuickTime": Codec(("-c:a", "adpcm_ima_qt"), lossy(0, 3)),
    "ADPCM Yamaha": Codec(("-c:a", "adpcm_yamaha"), lossy(0, 45)),
    "ADPCM Flash": Codec(("-c:a", "adpcm_swf"), lossy(0, 190), 44_100),
    "G.722": Codec(("-c:a", "g722"), lossy(2, 20, 0.9), 16_000, 1),
    "G.726": Codec(("-c:a", "g726", "-b:a", "32k"), spoken(0, 20), 8_000, 1),
    "Nellymoser": Codec(("-c:a", "nellymoser"), spoken(20, 12), 44_100, 1),
}

CONTAINERS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "WAV": (
        "wav", (),
        ("PCM u8", "PCM s16le", "PCM s24le", "PCM s32le", "PCM f32le", "PCM f64le", "A-law", "mu-law",
         "ADPCM Microsoft", "ADPCM IMA", "ADPCM Yamaha", "GSM (Microsoft)", "G.726", "MP3", "WMA 2",
         "AC-3", "DTS"),
    ),
    "RF64": ("wav", ("-rf64", "always"), ("PCM s16le", "PCM s24le", "PCM f32le", "PCM f64le")),
    "W64": ("w64", (), ("PCM s16le", "PCM s24le", "PCM f32le", "A-law")),
    "AIFF": (
        "aiff", (),
        ("PCM s8", "PCM s16be", "PCM s24be", "PCM s32be", "PCM f32be", "PCM f64be", "A-law", "mu-law",
         "ADPCM QuickTime"),
    ),
    "AU": (
        "au", (),
        ("PCM s8", "PCM s16be", "PCM s24be", "PCM s32be", "PCM f32be", "PCM f64be", "A-law", "mu-law"),
    ),
    "CAF": (
        "caf", (),
        ("PCM s16le", "PCM s16be", "PCM s24be", "PCM s32be", "PCM f32be", "A-law", "mu-law", "ALAC",
         "ADPCM QuickTime"),
    ),
    "FLAC": ("flac", (), ("FLAC", "FLAC 24 bit")),
    "Ogg": ("ogg", (), ("FLAC", "Vorbis", "Opus", "Speex")),
    "MP3": ("mp3", (), ("MP3",)),
    "MP2": ("mp2", (), ("MP2",)),
    "ADTS": ("aac", (), ("AAC",)),
    "AC-3": ("ac3", (), ("AC-3",)),
    "E-AC-3": ("eac3", (), ("E-AC-3",)),
    "WavPack": ("wv", (), ("WavPack",)),
    "TTA": ("tta", (), ("TTA",)),
    "M4A": ("m4a", ("-f", "mp4", "-strict", "-2"), ("AAC", "ALAC", "MP3", "AC-3", "E-AC-3", "Opus", "FLAC")),
    "MOV": (
        "mov", (),
        ("PCM s16le", "PCM s24le", "PCM s32be", "PCM f32le", "A-law", "mu-law", "AAC", "ALAC", "MP3",
         "AC-3", "ADPCM QuickTime"),
    ),
    "Matroska": (
        "mka", (),
        ("PCM s16le", "PCM s24le", "PCM f32le", "PCM f64le", "FLAC", "ALAC", "WavPack", "TTA", "TrueHD",
         "MP3", "MP2", "AAC", "Opus", "Vorbis", "AC-3", "E-AC-3", "DTS", "WMA 2", "ADPCM Microsoft"),
    ),
    "WebM": ("webm", (), ("Opus", "Vorbis")),
    "MPEG-TS": (
        "ts", (), ("MP2", "MP3", "AAC", "AC-3", "E-AC-3", "DTS", "Opus", "SMPTE 302M"),
    ),
    "M2TS": ("m2ts", ("-mpegts_m2ts_mode", "1", "-f", "mpegts"), ("PCM LPCM (camera)", "AC-3")),
    "MPEG-PS": ("mpg", ("-f", "vob"), ("MP2", "AC-3", "DTS", "PCM LPCM (DVD)")),
    "MXF": ("mxf", ("-f", "mxf_opatom"), ("PCM s16le", "PCM s24le")),
    "ASF": ("wma", (), ("WMA 1", "WMA 2", "MP3", "PCM s16le", "AC-3")),
    "AVI": (
        "avi", (),
        ("PCM s16le", "PCM s24le", "MP3", "MP2", "AAC", "AC-3", "DTS", "ADPCM Microsoft", "ADPCM IMA"),
    ),
    "FLV": ("flv", (), ("MP3", "AAC", "ADPCM Flash", "Nellymoser")),
}  # fmt: skip
"""Container -> its extension, ffmpeg's words for it, the codecs that are tried in it."""

REFUSED: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "IRCAM": ("PCM s16le", "sf", ()),
    "Creative VOC": ("PCM u8", "voc", ()),
    "raw G.722": ("G.722", "g722", ()),
    "raw GSM": ("GSM", "gsm", ()),
    "raw DTS": ("DTS", "dts", ()),
    "raw TrueHD": ("TrueHD", "thd", ()),
    "NUT": ("PCM s16le", "nut", ()),
    "Core Audio SBC": ("SBC", "sbc", ()),
    "RealMedia": ("AC-3", "rm", ()),
    "SOX": ("PCM s32le", "sox", ()),
    "Shockwave": ("MP3", "swf", ("-ar", "44100")),
}
"""Formats that are not read -> codec, extension, ffmpeg's words."""


ALL_TOOLS = ("ffprobe", "mutagen", "libsndfile")
MISREAD: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("W64", "PCM f32le"): ("ffprobe", "mutagen"),
    ("AIFF", "ADPCM QuickTime"): ("ffprobe", "libsndfile"),
    ("ADTS", "AAC"): ("libsndfile",),
    ("MPEG-PS", "PCM LPCM (DVD)"): ("ffprobe",),
    ("Ogg", "Vorbis, 5.1"): ("ffprobe", "mutagen"),
    ("Ogg", "Opus, 5.1"): ("ffprobe", "mutagen"),
    ("AVI", "ADPCM Microsoft"): (),
    ("AVI", "ADPCM IMA"): (),
}
"""Files that a tool reads wrongly, and the tools that are left: libsndfile takes ffmpeg's floats in W64 for
integers and leaves Vorbis' order of channels,
mutagen counts packets for samples, lengths of ADTS are estimates, AVI's header counts blocks."""
PADDED = {
    **{("CAF", "ALAC"): 70.0, ("AVI", "PCM s16le"): 45.0, ("AVI", "PCM s24le"): 45.0},
    **{("MXF", "PCM s16le"): 40.0, ("MXF", "PCM s24le"): 40.0},
}
"""By how many milliseconds ffmpeg's own muxer makes it longer: the file says nothing of the end."""


@dataclass(frozen=True)
class Made:
    """A file, and what is in it."""

    path: Path
    samples: Samples
    rate_hz: int
    grade: Grade = EXACT
    tools: tuple[str, ...] = ALL_TOOLS
    """Which of them read it rightly."""
    layout: str | None = "named"
    """``None``: the channels are equals, and hold one voice."""
    until_s: float | None = None
    """So far the samples are compared one by one; ``None``: to the end."""


@dataclass(frozen=True)
class SoundCase:
    """One combination."""

    container: str
    codec: str
    oddity: str
    make: Callable[[Path], Made] = field(compare=False)
    refused: str | None = None
    """The code of the refusal that is right."""
    notice: str | None = None
    """What one of the notices must say."""
    silent: bool = False
    """Is a loudness that is undefined the right answer?"""

    @property
    def name(self) -> str:
        """As the page and the tests call it."""
        return ", ".join(filter(None, (self.container, self.codec, self.oddity)))


def cases() -> Iterator[SoundCase]:
    """All of them, in the page's order."""
    from tests.formats.odd_sounds import oddities

    for container, (_, _, codecs) in CONTAINERS.items():
        for codec in codecs:
            yield SoundCase(container, codec, "", _plain(container, codec))
    for container, (codec, extension, words) in REFUSED.items():
        make = _stranger(codec, extension, words)
        yield SoundCase(container, codec, "", make, refused="unsupported_media")
    yield from oddities()


def encoded(
    folder: Path, container: str, codec: str, samples: Samples, rate_hz: int, *words: str
) -> Path:
    """The samples in a file of that container and codec."""
    extension, muxing, _ = CONTAINERS[container]
    source = write_wav(folder / "truth.wav", samples, rate_hz)
    path = folder / f"made.{extension}"
    ffmpeg("-i", source, *CODECS[codec].words, *words, *muxing, path)
    return path


def _plain(container: str, codec: str) -> Callable[[Path], Made]:
    def make(folder: Path) -> Made:
        known = CODECS[codec]
        # One track is what a file of the MXF pattern OP-Atom holds.
        channels = 1 if container == "MXF" else known.channels
        samples = voices(rate=known.rate_hz, channels=channels)
        path = encoded(folder, container, codec, samples, known.rate_hz)
        longer_ms = PADDED.get((container, codec), known.grade.longer_ms)
        grade = replace(known.grade, longer_ms=longer_ms)
        if (container, codec) == ("WAV", "WMA 2"):
            grade = UNSTAMPED_WMA
        tools = MISREAD.get((container, codec), ALL_TOOLS)
        return Made(path, samples, known.rate_hz, grade, tools)

    return make


def _stranger(codec: str, extension: str, words: tuple[str, ...]) -> Callable[[Path], Made]:
    def make(folder: Path) -> Made:
        known = CODECS.get(codec, Codec(("-c:a", codec.lower())))
        samples = voices(rate=known.rate_hz, channels=known.channels)
        source = write_wav(folder / "truth.wav", samples, known.rate_hz)
        path = folder / f"made.{extension}"
        ffmpeg("-i", source, *known.words, *words, path)
        return Made(path, np.asarray(samples), known.rate_hz, known.grade)

    return make
