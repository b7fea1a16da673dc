"""What a file says of where its sound begins and ends, and ffmpeg 5.1 does not heed, or not in full.

iTunSMPB     a comment of iTunes: so many samples before the sound, and so many of it. ffmpeg leaves out what
             comes before, but neither moves the rest there nor ends it (without an edit list)
pakt         the table of packets of a CAF, Apple's: the same, and nothing of it is heeded
fact         a WAV's chunk: how many samples were coded; the last block of ADPCM or GSM is filled up
zeros        before an MP3's first frame. ffmpeg looks for LAME's word on encoder delay there and nowhere else
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.media.formats import MOV
from shared.media.wav_headers import chunks

Header = Mapping[str, Any]

_IN_BLOCKS = (0x02, 0x11, 0x31)
"""ADPCM of Microsoft and IMA, GSM: whose header says how many samples a block holds."""
_LONGEST_END_S = 0.1
"""What encoders put behind the sound is shorter."""
_MOST_ZEROS = 1 << 20
_MOST_CHUNKS = 64
_MOST_AROUND = 1 << 14
"""Samples; no coder needs more of them before or behind the sound."""


@dataclass(frozen=True)
class Told:
    """It all holds of a file with one stream of sound."""

    junk_bytes: int = 0
    """So many lie before an MP3's first frame, zeros among them."""
    lead_samples: int = 0
    """So many come before the sound."""
    frames: int | None = None
    """So many samples of each channel are the sound."""


def told_lengths(path: Path, header: Header) -> Told:
    """``header``: ffprobe's, whose one stream of sound it tells of."""
    demuxer, streams = header["format"]["format_name"], header["streams"]
    sound = [stream for stream in streams if stream.get("codec_type") == "audio"]
    if demuxer == "mp3":
        return Told(junk_bytes=_bytes_before_frames(path))
    if demuxer == "wav":
        return Told(frames=_samples_of_blocks(path))
    if demuxer == "caf":
        return _by_packets(path)
    alone = len(sound) == 1 and not any(_moves(stream) for stream in streams)
    return _by_itunes(header, sound[0]) if demuxer == MOV and alone else Told()


def _moves(stream: Header) -> bool:
    attached = stream.get("disposition", {}).get("attached_pic")
    return stream.get("codec_type") == "video" and not attached


def _by_itunes(header: Header, stream: Header) -> Told:
    """Where the stream begins with just what the comment says, so that no edit list has hidden it."""
    words = str(header["format"].get("tags", {}).get("iTunSMPB", "")).split()
    rate, ticks = stream.get("sample_rate"), stream.get("duration_ts")
    if len(words) < 4 or not rate or not ticks or stream.get("time_base") != f"1/{rate}":
        return Told()
    try:
        lead, samples = int(words[1], 16), int(words[3], 16)
    except ValueError:
        return Told()
    if not 0 < lead == stream.get("start_pts"):
        return Told()
    behind = int(ticks) - lead - samples
    whole = 0 <= behind <= _LONGEST_END_S * int(rate)
    return Told(lead_samples=lead, frames=samples if whole else int(ticks) - lead)


def _by_packets(path: Path) -> Told:
    """By a CAF's table, where it says that something is to be left out."""
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 8
        for _ in range(_MOST_CHUNKS):
            file.seek(at)
            head = file.read(12)
            if len(head) < 12:
                break
            name, length = struct.unpack(">4sq", head)
            if name == b"pakt" and len(told := file.read(24)) == 24:
                _, frames, before, behind = struct.unpack(">qqii", told)
                said = frames > 0 <= min(before, behind) and max(before, behind) <= _MOST_AROUND
                return (
                    Told(lead_samples=before, frames=frames) if said and before + behind else Told()
                )
            at += 12 + length
            if not 0 <= length <= size:
                break
    return Told()


def _samples_of_blocks(path: Path) -> int | None:
    """By the ``fact`` chunk, where its end lies in the last block."""
    form, said, size = b"", 0, path.stat().st_size
    with path.open("rb") as file:
        for name, length, order in chunks(file):
            if name == b"fmt ":
                form = file.read(min(length, 20))
            elif name == b"fact" and length >= 4:
                (said,) = struct.unpack(f"{order}I", file.read(4))
            elif name == b"data" and len(form) == 20:
                tag, _, _, _, block_bytes, _, _, samples = struct.unpack(f"{order}HHIIHHHH", form)
                if tag not in _IN_BLOCKS or not block_bytes:
                    return None
                held = -(-min(length, size - file.tell()) // block_bytes) * samples
                return said if said and 0 < held - said < samples else None
    return None


def _bytes_before_frames(path: Path) -> int:
    """Tags and zeros; 0 where no zeros are among them."""
    with path.open("rb") as file:
        begins = 0
        while (head := file.read(10))[:3] == b"ID3" and len(head) == 10:
            size = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(head[:5:-1]))
            begins += 10 + size + 10 * bool(head[5] & 0x10)
            file.seek(begins)
        file.seek(begins)
        rest = file.read(_MOST_ZEROS)
    zeros = len(rest) - len(rest.lstrip(b"\0"))
    return begins + zeros if 0 < zeros < len(rest) else 0
