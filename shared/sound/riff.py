"""RIFF chunks, written: what samplers and DAWs read in a WAV beside its sound.

``smpl``, ``cue ``, ``LIST adtl`` and ``LIST INFO`` as in Microsoft's and IBM's "Multimedia Programming
Interface and Data Specifications 1.0" (1991) and its 1994 supplement; ``acid`` is Sonic Foundry's, as
libsndfile reads it. All stand behind the sound, so that a reader that knows none of them still finds it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.errors import UnsupportedMedia

_PCM, _FLOAT = 1, 3
"""``WAVE_FORMAT_PCM`` and ``WAVE_FORMAT_IEEE_FLOAT``."""
_STRETCHES = 0x04
"""Of ``acid``: the file has a tempo and may be stretched to another; not a one-shot."""
_INFO = {
    "title": b"INAM",
    "artist": b"IART",
    "album": b"IPRD",
    "date": b"ICRD",
    "genre": b"IGNR",
    "comment": b"ICMT",
}
_HEADER = 12
"""``RIFF``, the size of what follows, ``WAVE``."""


@dataclass(frozen=True)
class Cue:
    """A marker."""

    sample: int
    """Counted from the file's first."""
    label: str


def with_chunks(wav: bytes, *chunks: bytes) -> bytes:
    """A WAV with ``chunks`` behind its own; raises ``UnsupportedMedia`` if it is none."""
    if len(wav) < _HEADER or wav[:4] != b"RIFF" or wav[8:_HEADER] != b"WAVE":
        raise UnsupportedMedia("a segment is not a WAV file")
    body = b"".join([wav[8:], bytes(len(wav) % 2), *chunks])
    if len(body) >= 1 << 32:
        raise UnsupportedMedia("a segment is larger than a WAV file may be")
    return b"RIFF" + struct.pack("<I", len(body)) + body


def format_chunks(
    sample_rate_hz: int, channels: int, bits: int, frames: int, *, floats: bool
) -> bytes:
    """``fmt `` of interleaved samples, and of floats ``fact`` with their number: what is not PCM has both
    the field for more of the format (``cbSize``, 0) and that chunk (the 1994 supplement, "fact chunk").
    """
    frame_bytes = channels * bits // 8
    kind = _FLOAT if floats else _PCM
    form = struct.pack(
        "<HHIIHH", kind, channels, sample_rate_hz, sample_rate_hz * frame_bytes, frame_bytes, bits
    )
    if not floats:
        return chunk(b"fmt ", form)
    return chunk(b"fmt ", form + bytes(2)) + chunk(b"fact", struct.pack("<I", frames))


def chunk(identifier: bytes, body: bytes) -> bytes:
    """Chunks begin at even places; the fill byte is not counted."""
    return identifier + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def cue_chunks(cues: Sequence[Cue]) -> bytes:
    """Markers, in order, and their labels; nothing where there are none."""
    if not cues:
        return b""
    points = [
        struct.pack("<2I4s3I", number, cue.sample, b"data", 0, 0, cue.sample)
        for number, cue in enumerate(cues, 1)
    ]
    labels = [
        chunk(b"labl", struct.pack("<I", number) + _text(cue.label))
        for number, cue in enumerate(cues, 1)
    ]
    table = chunk(b"cue ", struct.pack("<I", len(points)) + b"".join(points))
    return table + chunk(b"LIST", b"adtl" + b"".join(labels))


def info_chunk(tags: Mapping[str, str]) -> bytes:
    """Title, artist, album, date, genre, comment; nothing where there are none."""
    if not tags:
        return b""
    rows = [chunk(_INFO[name], _text(value)) for name, value in sorted(tags.items())]
    return chunk(b"LIST", b"INFO" + b"".join(rows))


def smpl_chunk(sample_rate_hz: int, unity_note: int, loop: tuple[int, int] | None = None) -> bytes:
    """Which MIDI note plays the file as it is, and the samples ``[start, stop)`` that go round."""
    loops = [] if loop is None else [struct.pack("<6I", 0, 0, loop[0], loop[1] - 1, 0, 0)]
    period_ns = round(1e9 / sample_rate_hz)
    head = struct.pack("<9I", 0, 0, period_ns, unity_note, 0, 0, 0, len(loops), 0)
    return chunk(b"smpl", head + b"".join(loops))


def acid_chunk(bpm: float, beats: int, beats_per_bar: int) -> bytes:
    """Tempo, length in beats and metre (in quarters) of a loop."""
    return chunk(
        b"acid", struct.pack("<IHHfIHHf", _STRETCHES, 0, 0, 0, beats, 4, beats_per_bar, bpm)
    )


def _text(value: str) -> bytes:
    return value.replace("\0", " ").encode() + b"\0"
