"""The master's file: tags and chapters, and the encoder where it is not WAV.

    wav      written by ``functions.render.audio.wav``, chapters as cue points
    flac     exact; chapters as Vorbis comments
    mp3      LAME, 192 kbit/s; ID3v2.3, ffmpeg's own chapters
    aac      ffmpeg's encoder, 192 kbit/s, in M4A; ffmpeg's own chapters
    opus     libopus, 128 kbit/s, in Ogg; chapters as Vorbis comments

One thread, and nothing of ffmpeg's version or the time in the file: the same master gives the same
bytes with the same ffmpeg. What an encoder makes of loudness and peaks is measured, not assumed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from functions.render.audio.export_presets import Format
from functions.render.audio.mix_plan import Plan
from shared.contracts.asset import AudioStream, MediaInfo
from shared.contracts.audio_loudness import Loudness
from shared.media.decode import audio_blocks
from shared.media.ffmpeg import input_args, run, timeout_for
from shared.media.formats import MOV
from shared.sound.loudness_meter import FullMeter

_BITEXACT = ("-fflags", "+bitexact", "-flags:a", "+bitexact", "-threads", "1")
_COMMENTED = ("flac", "opus")
"""Their chapters are Vorbis comments."""
_MOST_COMMENTED = 1000
"""Chapters have three digits."""


@dataclass(frozen=True)
class Encoder:
    """How ffmpeg writes a format."""

    args: tuple[str, ...]
    extension: str
    content_type: str
    demuxer: str
    """ffmpeg's name of what reads it."""


ENCODERS: Mapping[Format, Encoder] = {
    "wav": Encoder((), "wav", "audio/wav", "wav"),
    "flac": Encoder(("-c:a", "flac", "-f", "flac"), "flac", "audio/flac", "flac"),
    "mp3": Encoder(
        ("-c:a", "libmp3lame", "-b:a", "192k", "-id3v2_version", "3", "-f", "mp3"),
        "mp3",
        "audio/mpeg",
        "mp3",
    ),
    "aac": Encoder(("-c:a", "aac", "-b:a", "192k", "-f", "ipod"), "m4a", "audio/mp4", MOV),
    "opus": Encoder(("-c:a", "libopus", "-b:a", "128k", "-f", "opus"), "opus", "audio/ogg", "ogg"),
}


def encode(wav: Path, plan: Plan, tags: Mapping[str, str]) -> Path:
    """Encode the master beside it, with its tags and chapters; returns the file.

    ``wav``: float, or for FLAC whole numbers of as many bits as the plan says. Raises
    ``BackendFailed``, ``TimedOut``, ``MissingDependency``.
    """
    encoder = ENCODERS[plan.export.format]
    path = wav.with_suffix(f".{encoder.extension}")
    about = wav.with_suffix(".ffmetadata")
    about.write_text(ffmetadata(plan, tags), encoding="utf-8")
    inputs: list[str | Path] = [*input_args(wav, "wav"), "-f", "ffmetadata", "-i", about]
    kept = ["-map", "0:a", "-map_metadata", "1", "-map_chapters", "1"]
    depth = ["-bits_per_raw_sample", str(plan.export.bit_depth)] if path.suffix == ".flac" else []
    run(
        ["-y", *inputs, *kept, *_BITEXACT, *depth, *encoder.args, path],
        timeout_s=timeout_for(round(1000 * plan.frames / plan.sample_rate_hz)),
    )
    about.unlink()
    return path


def heard_loudness(path: Path, plan: Plan) -> Loudness:
    """What a player makes of the file: lossy encoders lift peaks by a decibel or so, and take away
    what they think nobody hears. It is decoded once, whole, at the plan's rate; raises as
    ``audio_blocks`` does."""
    channels = plan.export.channels
    stream = AudioStream(
        index=0, codec="encoded", sample_rate_hz=plan.sample_rate_hz, channels=channels
    )
    media = MediaInfo(
        container=ENCODERS[plan.export.format].demuxer, duration_ms=None, audio=(stream,)
    )
    meter = FullMeter(plan.sample_rate_hz, channels)
    with audio_blocks(path, media) as blocks:
        for block in blocks:
            meter.add(block)
    return meter.result()


def markers_left_out(plan: Plan) -> int:
    """How many markers the master's file cannot hold: in FLAC and Opus those behind the thousandth."""
    return max(0, len(plan.markers) - _MOST_COMMENTED) if plan.export.format in _COMMENTED else 0


def ffmetadata(plan: Plan, tags: Mapping[str, str]) -> str:
    """ffmpeg's own format for tags and chapters: https://ffmpeg.org/ffmpeg-formats.html#Metadata-1

    Tags by their names; chapters in a time base of one frame, so that none is rounded.
    """
    commented = plan.export.format in _COMMENTED
    if commented:
        tags = {**tags, **_chapter_comments(plan)}
    lines = [";FFMETADATA1", *(f"{name}={_escaped(value)}" for name, value in sorted(tags.items()))]
    for start, stop, name in () if commented else chapters(plan.markers, plan.frames):
        lines += ["[CHAPTER]", f"TIMEBASE=1/{plan.sample_rate_hz}", f"START={start}", f"END={stop}"]
        lines += [f"title={_escaped(name)}"]
    return "\n".join(lines) + "\n"


def _chapter_comments(plan: Plan) -> dict[str, str]:
    """Chapters as Vorbis comments: ffmpeg writes none into FLAC, and into Ogg some a second late.

    ``CHAPTER000`` and ``CHAPTER000NAME``, times to the millisecond (Xiph's wiki, "Chapter Extension");
    there is no ``CHAPTER1000``.
    """
    comments: dict[str, str] = {}
    for number, (frame, name) in enumerate(plan.markers[:_MOST_COMMENTED]):
        seconds, ms = divmod(round(1000 * frame / plan.sample_rate_hz), 1000)
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"
        comments |= {f"CHAPTER{number:03d}": clock, f"CHAPTER{number:03d}NAME": name}
    return comments


def chapters(markers: Sequence[tuple[int, str]], frames: int) -> list[tuple[int, int, str]]:
    """From each marker to the next: first frame, the frame behind the last, name.

    ``markers``: frame and name, by their frames; of several on one frame the last counts. What is
    before the first one belongs to no chapter.
    """
    ends = [*(frame for frame, _ in markers[1:]), frames]
    return [
        (frame, end, name) for (frame, name), end in zip(markers, ends, strict=False) if end > frame
    ]


def _escaped(value: str) -> str:
    """As a value of that format: its signs behind a backslash, control characters as one space."""
    printable = re.sub(r"[\x00-\x1f\x7f]+", " ", value)
    return re.sub(r"([=;#\\])", r"\\\1", printable)
