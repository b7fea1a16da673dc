"""Refusals by name: what a file is that is no recording which can be read, and what to do about it.

refuse_unreadable(path)   before anything decodes it: what is known by its first bytes, what is
                          encrypted (it would decode to noise), pictures that ffmpeg can't take
explained(path)           after nothing could be decoded: cut off before its index, only zeros, text,
                          a WAV's chunk without its fill byte
cut_off, falls_short      of what can be read nevertheless: how much of the file is missing
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO

from shared.errors import UnsupportedMedia
from shared.media.boxes import Box, brands, sample_entries, top_boxes
from shared.media.ebml import EBML, SEGMENT, elements, what_lacks
from shared.media.encrypted import HEAD_BYTES, locked
from shared.media.not_recordings import RECORDING, Stranger, text_of, zip_of
from shared.media.not_recordings import stranger as stranger_of
from shared.media.wav_headers import unfilled_chunk

_AVIF = {b"avif", b"avis"}
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1", b"heif"}
_TO_JPEG = "convert it to JPEG or PNG and upload that"
_CAMERA_RAW = {
    b"brxq": "Blackmagic RAW",
    b"brst": "Blackmagic RAW",
    b"brvn": "Blackmagic RAW",
    b"brs2": "Blackmagic RAW",
    b"brxh": "Blackmagic RAW",
    b"aprn": "ProRes RAW",
    b"aprh": "ProRes RAW",
    b"CRAW": "Canon Cinema RAW",
    b"R3D1": "REDCODE RAW",
}
_UNKNOWN = 1 << 62
_PROMISING = {"flac", "mp3", "tta", "ape", "wv"}
"""Whose headers count the samples, or the frames."""
_SHORT_S, _SHORT_PART = 0.25, 0.01
"""More must be missing: some headers are estimates."""
_SLACK_BYTES = 8
"""Of a box or chunk whose padding is missing, nobody misses anything."""


def refuse_unreadable(path: Path) -> None:
    """Raise ``UnsupportedMedia`` for what must not be handed to a decoder, by its name."""
    with path.open("rb") as file:
        head, size = file.read(HEAD_BYTES), path.stat().st_size
        top = top_boxes(file, size)
        if what := locked(file, size, head, top):
            raise UnsupportedMedia(
                f"it is encrypted: {what}. Upload a copy without protection: export it again, or "
                "decrypt it where you hold the key"
            )
        found = _picture(file, head, top) or zip_of(file, size, head) or _gzip(head)
        found = found or stranger_of(head)
    if found:
        raise UnsupportedMedia(f"it is {found.what}: {found.remedy}")


def explained(path: Path) -> str | None:
    """Why nothing in the file could be decoded, where its bytes tell; ``None`` where they don't."""
    with path.open("rb") as file:
        head, size = file.read(HEAD_BYTES), path.stat().st_size
        if not head.strip(b"\x00") and _only_zeros(file):
            return (
                "it holds nothing but zeros: the transfer or the card failed. Copy it again from "
                "where it was recorded"
            )
        top = top_boxes(file, size)
        if top and (why := _without_index(top, size)):
            return why
        if why := what_lacks(file, size):
            return why
        raw = _camera_raw(file, top)
    if chunk := unfilled_chunk(path):
        return (
            f"it is a WAV file whose chunk {chunk!r} has an odd length and no fill byte behind it, so that "
            "the sound is not where it should be: open it in a program that reads it nevertheless "
            "(Reaper), save it as a new WAV file and upload that"
        )
    if raw:
        return (
            f"it is {raw}, which is not read: export it as ProRes, DNxHR or H.264 and upload that"
        )
    found = text_of(head)
    return f"it is {found.what}: {found.remedy}" if found else None


def cut_off(path: Path) -> str | None:
    """How much is missing of a file that says how long it is; ``None`` if nothing is."""
    with path.open("rb") as file:
        head, size = file.read(64), path.stat().st_size
        whole = _claimed_bytes(file, head, size)
    if whole is None or whole <= size + _SLACK_BYTES:
        return None
    percent = 100 * size / whole
    return (
        f"the file is cut off: {size:,} of {whole:,} bytes are there ({percent:.0f} %). What is there "
        "was read; upload it again for all of it"
    )


def falls_short(demuxer: str, promised_s: float | None, found_ms: int | None) -> str | None:
    """How much is missing where not bytes but samples are promised; ``None`` if nothing is."""
    if demuxer not in _PROMISING or promised_s is None or found_ms is None:
        return None
    found_s = found_ms / 1000
    if promised_s - found_s <= max(_SHORT_S, _SHORT_PART * promised_s):
        return None
    return (
        f"the file is cut off: {found_s:,.1f} of {promised_s:,.1f} s are there. What is there was read; "
        "upload it again for all of it"
    )


def _picture(file: BinaryIO, head: bytes, top: list[Box]) -> Stranger | None:
    """A picture of a kind that is not read."""
    named = set(brands(file, top))
    moving = any(box.kind == b"moov" for box in top)
    if b"crx " in named:
        return Stranger("a camera's raw picture (Canon CR3)", _TO_JPEG)
    if named & _AVIF and not moving:
        return Stranger("an AVIF picture", _TO_JPEG)
    if named & _HEIF and not moving:
        return Stranger(
            "a HEIC (HEIF) picture",
            f"{_TO_JPEG} (iPhone: Settings, Camera, Formats, Most Compatible)",
        )
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and b"ANIM" in head[12:256]:
        return Stranger("an animated WebP picture", "convert it to GIF or MP4 and upload that")
    return None


def _gzip(head: bytes) -> Stranger | None:
    """What is packed in a gzip file, as far as its first bytes tell."""
    if not head.startswith(b"\x1f\x8b\x08"):
        return None
    try:
        inside = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, 4096)
    except zlib.error:
        inside = b""
    for mark, what in (
        (b"<Ableton", "an Ableton Live set"),
        (b"<PremiereData", "a Premiere project"),
    ):
        if mark in inside:
            return Stranger(what, RECORDING)
    packed = "a tar archive (gzip)" if inside[257:262] == b"ustar" else "a file packed by gzip"
    return Stranger(packed, "unpack it and upload the recordings in it")


def _without_index(top: list[Box], size: int) -> str | None:
    kinds = {box.kind for box in top}
    index = next((box for box in top if box.kind == b"moov"), None)
    if index is None and b"moof" in kinds:
        return (
            "it is a fragment of a stream, without the beginning that says what is in it: join it "
            "with its initialisation segment and upload the whole"
        )
    if (index is None and kinds & {b"mdat", b"ftyp", b"wide"}) or (index and index.end > size):
        return (
            "it is cut off before its index (the moov box of an MP4 or MOV), without which nothing in "
            "it can be found: upload it again from where it was recorded. If the camera itself stopped "
            "too early, a repair tool can rebuild the index by another recording of that camera"
        )
    return None


def _camera_raw(file: BinaryIO, top: list[Box]) -> str | None:
    for moov in (box for box in top if box.kind == b"moov"):
        for entry in sample_entries(file, moov):
            if entry.kind in _CAMERA_RAW:
                return _CAMERA_RAW[entry.kind]
    return None


def _only_zeros(file: BinaryIO) -> bool:
    file.seek(0)
    while block := file.read(HEAD_BYTES):
        if block.strip(b"\x00"):
            return False
    return True


def _claimed_bytes(file: BinaryIO, head: bytes, size: int) -> int | None:
    """How long the file says that it is; ``None`` where it does not, or did not know."""
    if head[:4] in (b"RIFF", b"RIFX") and head[8:12] in (b"WAVE", b"AVI "):
        return _riff_bytes(file, head)
    if head[:4] == b"RF64":
        claimed = int.from_bytes(head[20:28], "little")
        return claimed + 8 if 0 < claimed < _UNKNOWN else None
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        claimed = int.from_bytes(head[4:8], "big") + 8
        return None if claimed >= 0xFFFFFF00 else claimed
    if head[:4] == EBML:
        return _matroska_bytes(file)
    if top := top_boxes(file, size):
        media = [box for box in top if box.kind == b"mdat"]
        return max((box.end for box in media), default=None)
    return None


def _riff_bytes(file: BinaryIO, head: bytes) -> int | None:
    """Of a WAV, by its data chunk: recorders that were switched off leave 0 or the most there is."""
    order = "little" if head[:4] == b"RIFF" else "big"
    claimed = int.from_bytes(head[4:8], order) + 8  # type: ignore[arg-type]
    if head[8:12] != b"WAVE":
        return None if claimed >= 0xFFFFFF00 else claimed
    place = 12
    for _ in range(1000):
        file.seek(place)
        header = file.read(8)
        if len(header) < 8:
            return None
        length = int.from_bytes(header[4:], order)  # type: ignore[arg-type]
        if header[:4] == b"data":
            unknown = length == 0 or length >= 0x7FFFF000
            return None if unknown else place + 8 + length
        place += 8 + length + length % 2
    return None


def _matroska_bytes(file: BinaryIO) -> int | None:
    """By the size of its segment, which a live recording leaves open."""
    for identifier, _, end in elements(file, 0, _UNKNOWN):
        if identifier == SEGMENT:
            return None if end == _UNKNOWN else end
    return None
