"""Recordings that are encrypted: whoever decodes them without the key gets noise, and calls it sound.

Told by what the containers say of themselves: ISO boxes, ASF objects, Matroska's elements, the
scrambling bits of MPEG streams, and the marks of shops that have formats of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import BinaryIO

from shared.media.boxes import Box, inside, sample_entries
from shared.media.ebml import EBML, SEGMENT, elements

HEAD_BYTES = 1 << 20
_MOST_OBJECTS = 4096
_MOST_ALIKE = 100
"""Of elements inside one: a recording has one list of tracks, and 32 streams at most."""

_AUDIBLE = "an Audible book (AAX)"
_SAMPLES = {
    b"encv": "encrypted video",
    b"enca": "encrypted sound",
    b"enct": "encrypted text",
    b"drms": "an iTunes purchase, protected by FairPlay",
    b"drmi": "an iTunes purchase, protected by FairPlay",
    b"aavd": _AUDIBLE,
}
_SYSTEMS = {
    "edef8ba979d64acea3c827dcd51d21ed": "Widevine",
    "9a04f07998404286ab92e65be0885f95": "PlayReady",
    "94ce86fb07ff4f43adb893d2fa968ca2": "FairPlay",
    "5e629af538da4063897797ffbd9902d4": "Marlin",
    "1077efecc0b24d02ace33c1e52e2fb4b": "Common Encryption",
}
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_LOCKED = {
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"): "Windows Media DRM",
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"): "Windows Media DRM",
    bytes.fromhex("338505438169e6499b74ad12cb86d58c"): "PlayReady",
}
_TO_ENCRYPTION = (SEGMENT, 0x1654AE6B, 0xAE, 0x6D80, 0x6240, 0x5035)
"""Segment, Tracks, TrackEntry, ContentEncodings, ContentEncoding, ContentEncryption."""
_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (4, b"\x57\x90\x75\x36", "an Audible book (AA)"),
    (0, b"CTENFDAM", "a NetEase download (NCM), protected"),
    (0, b"yeelion-kuwo", "a Kuwo download (KWM), protected"),
    (0, b"Salted__", "a file encrypted by OpenSSL"),
    (0, b"age-encryption.org/", "a file encrypted by age"),
    (0, b"-----BEGIN PGP MESSAGE", "a file encrypted by PGP"),
    (0, b"LUKS\xba\xbe", "an encrypted disk (LUKS)"),
    (0, b"-FVE-FS-", "an encrypted disk (BitLocker)"),
    (0, b"AES\x02", "a file encrypted by AES Crypt"),
)


def locked(file: BinaryIO, size: int, head: bytes, top: list[Box]) -> str | None:
    """What protects it, in words, or ``None``; ``head``: its first ``HEAD_BYTES``, ``top``: its boxes."""
    for place, mark, what in _MARKS:
        if head.startswith(mark, place):
            return what
    if top:
        return _locked_boxes(file, top)
    if head.startswith(_ASF):
        return _locked_asf(head)
    if head.startswith(EBML):
        return _locked_matroska(file, size)
    return _scrambled_transport(head) or _scrambled_programme(head)


def _locked_boxes(file: BinaryIO, top: list[Box]) -> str | None:
    for moov in (box for box in top if box.kind == b"moov"):
        for entry in sample_entries(file, moov):
            if what := _SAMPLES.get(entry.kind):
                systems = _systems(file, top)
                return f"{what} ({', '.join(systems)})" if systems else what
    return None


def _systems(file: BinaryIO, top: list[Box]) -> list[str]:
    """The names of those who hold keys, as the file lists them."""
    found = []
    for outer in (box for box in top if box.kind in (b"moov", b"moof")):
        for box in inside(file, outer):
            if box.kind == b"pssh":
                file.seek(box.start + 4)
                found.append(_SYSTEMS.get(file.read(16).hex(), "an unknown system"))
    return sorted(set(found))


def _locked_asf(head: bytes) -> str | None:
    end = min(int.from_bytes(head[16:24], "little"), len(head))
    place = 30
    for _ in range(_MOST_OBJECTS):
        if place + 24 > end:
            return None
        if what := _ASF_LOCKED.get(head[place : place + 16]):
            return f"a Windows Media file protected by {what}"
        place += max(int.from_bytes(head[place + 16 : place + 24], "little"), 24)
    return None


def _locked_matroska(file: BinaryIO, size: int) -> str | None:
    return "encrypted WebM or Matroska" if _leads_to(file, 0, size, _TO_ENCRYPTION) else None


def _leads_to(file: BinaryIO, start: int, end: int, way: Sequence[int]) -> bool:
    """Do elements there lead this way? Each is followed at once, so that a million take no memory."""
    first, *rest = way
    alike = (element for element in elements(file, start, end) if element[0] == first)
    return any(
        not rest or _leads_to(file, begins, stops, rest)
        for _, begins, stops in islice(alike, _MOST_ALIKE)
    )


def _scrambled_transport(head: bytes) -> str | None:
    """Most packets of a transport stream say that they are scrambled: pay television, recorded."""
    for packet_bytes, first in ((188, 0), (192, 4), (204, 0)):
        starts = range(first, len(head) - 188, packet_bytes)
        if len(starts) < 3 or any(head[place] != 0x47 for place in list(starts)[:5]):
            continue
        media = [place for place in starts if head[place] == 0x47 and head[place + 3] & 0x10]
        scrambled = sum(head[place + 3] >> 6 > 1 for place in media)
        if scrambled > len(media) / 2:
            return "scrambled television (a transport stream without its key)"
    return None


def _scrambled_programme(head: bytes) -> str | None:
    """Most packets of an MPEG programme stream say so: a DVD, copied without its key."""
    if not head.startswith(b"\x00\x00\x01\xba"):
        return None
    media = scrambled = 0
    place = head.find(b"\x00\x00\x01", 4)
    while 0 <= place < len(head) - 7:
        stream = head[place + 3]
        if stream == 0xBD or 0xC0 <= stream <= 0xEF:
            media += 1
            scrambled += head[place + 6] & 0xF0 in (0x90, 0xA0, 0xB0)
        length = int.from_bytes(head[place + 4 : place + 6], "big") if stream >= 0xBB else 0
        place = head.find(b"\x00\x00\x01", place + 4 + length)
    return "a DVD's video under its copy protection (CSS)" if scrambled > media / 2 else None
