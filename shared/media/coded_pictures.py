"""Pictures as MP4 stores them: H.264 that is coded already, to be stored elsewhere as it is.

    IDR  p  B  b ... | IDR  p ...      a group: nothing in it needs what is before or behind it, and all of
    group              group           it is shown before the next one is

Slices name the parameter set that they were coded with (ITU-T H.264, 7.4.1.2.1), so pictures of two
encoders may stand in one stream, as long as the numbers of their sets differ: the sample entry holds
both (ISO/IEC 14496-15, 5.3.3.1), and nothing needs to be said between the pictures.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from shared.media.ffmpeg import input_args, run, started
from shared.media.formats import MOV

_IDR, _SEQUENCE, _PICTURE, _SEQUENCE_EXTENSION = 5, 7, 8, 13
_MOST_SETS = 32
_LENGTH_BYTES = 4
_HIGH = 100
_BASE_TIMEOUT_S = 30.0
_BYTES_PER_S = 20e6


class NotCopyable(Exception):
    """These pictures cannot be stored elsewhere as they are; says why."""


@dataclass(frozen=True)
class CodedPicture:
    """Where one lies in its file, and when it is shown."""

    ticks: int
    at: int
    size: int
    key: bool
    """An IDR picture: neither it nor what follows needs anything before it."""
    hidden: bool
    """An edit list hides it."""


@dataclass(frozen=True)
class ParameterSets:
    """What slices refer to, as a sample entry holds it (``avcC``)."""

    profile: bytes
    """Profile, compatibility and level, a byte each."""
    sequence: tuple[bytes, ...]
    picture: tuple[bytes, ...]
    extension: bytes
    """What profiles from High on say behind them."""

    @property
    def free_number(self) -> int:
        """The lowest that no set here has; raises ``NotCopyable`` where there is none."""
        taken = {_number_of(one, 4) for one in self.sequence}
        taken |= {_number_of(one, 1) for one in self.picture}
        free = [number for number in range(_MOST_SETS) if number not in taken]
        if not free:
            raise NotCopyable("all numbers of parameter sets are taken")
        return free[0]

    def written(self) -> bytes:
        """As ``avcC``."""
        head = b"\x01" + self.profile + bytes([0xFC | _LENGTH_BYTES - 1])
        counts = bytes([0xE0 | len(self.sequence)]), bytes([len(self.picture)])
        listed = [
            count + b"".join(struct.pack(">H", len(one)) + one for one in ones)
            for count, ones in zip(counts, (self.sequence, self.picture), strict=True)
        ]
        return head + b"".join(listed) + self.extension

    def beside(self, other: ParameterSets) -> ParameterSets:
        """Both together; raises ``NotCopyable`` where one could be taken for the other."""
        numbers = [
            {_number_of(one, skipped) for one in ones}
            for sets in (self, other)
            for ones, skipped in ((sets.sequence, 4), (sets.picture, 1))
        ]
        if numbers[0] & numbers[2] or numbers[1] & numbers[3]:
            raise NotCopyable("two parameter sets have one number")
        higher = max(self, other, key=lambda sets: sets.profile[0])
        level = max(self.profile[2], other.profile[2])
        if self.extension and other.extension and self.extension != other.extension:
            raise NotCopyable("the pictures have different bits or chroma")
        return replace(
            higher,
            profile=bytes([higher.profile[0], self.profile[1] & other.profile[1], level]),
            sequence=self.sequence + other.sequence,
            picture=self.picture + other.picture,
        )


def read_sets(data: bytes) -> ParameterSets:
    """Those of an ``avcC``; raises ``NotCopyable`` for what is none, or stores lengths in other bytes."""
    if len(data) < 7 or data[0] != 1 or (data[4] & 3) + 1 != _LENGTH_BYTES:
        raise NotCopyable("its parameter sets are not stored as usual")
    sequence, at = _listed(data, 6, data[5] & 31)
    if at >= len(data):
        raise NotCopyable("its parameter sets are cut off")
    picture, at = _listed(data, at + 1, data[at])
    extension = data[at:] if data[1] >= _HIGH else b""
    if not sequence or not picture:
        raise NotCopyable("it has no parameter sets in its header")
    return ParameterSets(data[1:4], sequence, picture, extension)


def _listed(data: bytes, at: int, count: int) -> tuple[tuple[bytes, ...], int]:
    found = []
    for _ in range(count):
        size = int.from_bytes(data[at : at + 2], "big")
        found.append(data[at + 2 : at + 2 + size])
        at += 2 + size
        if at > len(data) or not size:
            raise NotCopyable("its parameter sets are cut off")
    return tuple(found), at


def _number_of(parameter_set: bytes, skipped: int) -> int:
    """The set's own number: what comes first behind so many bytes (Exp-Golomb, 9.1)."""
    bits = int.from_bytes(parameter_set[skipped : skipped + 4].ljust(4, b"\0"), "big")
    zeros = 32 - bits.bit_length()
    if zeros > 8:
        raise NotCopyable("a parameter set's number cannot be read")
    return (bits >> (31 - 2 * zeros)) - 1


def coded_pictures(path: Path, stream: int) -> tuple[ParameterSets, list[CodedPicture]]:
    """The parameter sets of an MP4's stream of this index, and its pictures, as they are decoded.

    Raises ``NotCopyable`` for what is no H.264, or changes on its way, and as ``run`` does.
    """
    chosen = ["-select_streams", f"{stream}", *input_args(path, MOV)]
    entries = "stream=codec_name,codec_tag_string,extradata"
    args = ["-show_data", "-show_entries", entries, "-of", "json", *chosen]
    found = json.loads(run(args, tool="ffprobe", timeout_s=_BASE_TIMEOUT_S).stdout)["streams"]
    if not found or found[0].get("codec_name") != "h264":
        raise NotCopyable("it is no H.264")
    sets = read_sets(_of_dump(found[0].get("extradata", "")))
    with path.open("rb") as file:
        # Containers also mark pictures that others before them in the showing order still need.
        pictures = [
            replace(picture, key=picture.key and _IDR in _kinds(file, picture))
            for picture in map(_picture, _packets(path, chosen))
        ]
    return sets, pictures


def _of_dump(text: str) -> bytes:
    """What ffprobe prints in rows of ``00000000: 0164 001f ...  .d..``."""
    rows = (line.split(": ", 1)[1][:40] for line in text.splitlines() if ": " in line)
    return bytes.fromhex("".join(rows))


def _packets(path: Path, chosen: Sequence[str]) -> Iterator[bytes]:
    entries = "packet=pts,size,pos,flags:packet_side_data=side_data_type"
    timeout_s = _BASE_TIMEOUT_S + path.stat().st_size / _BYTES_PER_S
    rest = b""
    with started(
        ["-show_entries", entries, "-of", "csv=p=0", *chosen], tool="ffprobe", timeout_s=timeout_s
    ) as child:
        for chunk in child.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from filter(None, lines)
        child.check()


def _picture(line: bytes) -> CodedPicture:
    """Of ``1001,237,24421,K_``; more than that: something changes there."""
    fields = line.split(b",")
    if len(fields) != 4 or not all(field.lstrip(b"-").isdigit() for field in fields[:3]):
        raise NotCopyable("its pictures change on the way, or have no times")
    ticks, size, at = map(int, fields[:3])
    return CodedPicture(ticks, at, size, b"K" in fields[3], b"D" in fields[3])


@dataclass(frozen=True)
class Group:
    """Pictures ``[first, stop)`` in the order of decoding, and ``[shown, shown + stop - first)`` as shown."""

    first: int
    stop: int
    shown: int


def groups_of(pictures: Sequence[CodedPicture]) -> list[Group]:
    """Those of which nothing is hidden; raises ``NotCopyable`` where times cannot tell."""
    shown = sorted(picture.ticks for picture in pictures if not picture.hidden)
    places = {ticks: place for place, ticks in enumerate(shown)}
    if len(places) < len(shown):
        raise NotCopyable("two pictures are shown at the same time")
    keys = [number for number, picture in enumerate(pictures) if picture.key]
    found = []
    for first, stop in zip(keys, [*keys[1:], len(pictures)], strict=True):
        if any(picture.hidden for picture in pictures[first:stop]):
            continue
        own = [places[picture.ticks] for picture in pictures[first:stop]]
        if min(own) == own[0] and max(own) - own[0] == stop - first - 1:
            found.append(Group(first, stop, own[0]))
    return found


def _kinds(file: BinaryIO, picture: CodedPicture) -> set[int]:
    """Of the picture's units; only their headers are read."""
    kinds, at = set(), picture.at
    while at + _LENGTH_BYTES < picture.at + picture.size:
        file.seek(at)
        head = file.read(_LENGTH_BYTES + 1)
        if len(head) <= _LENGTH_BYTES:
            break
        kinds.add(head[-1] & 31)
        at += _LENGTH_BYTES + int.from_bytes(head[:-1], "big")
    return kinds


def unit_bytes(file: BinaryIO, picture: CodedPicture, sets: ParameterSets) -> bytes:
    """The picture as it is stored in ``file``.

    Raises ``NotCopyable`` where it is cut off, or brings other parameter sets than ``sets``.
    """
    file.seek(picture.at)
    data = file.read(picture.size)
    at = 0
    while at + _LENGTH_BYTES < len(data):
        size = int.from_bytes(data[at : at + _LENGTH_BYTES], "big")
        unit = data[at + _LENGTH_BYTES : at + _LENGTH_BYTES + size]
        at += _LENGTH_BYTES + size
        if not size or at > len(data):
            break
        kind = unit[0] & 31
        known = {_SEQUENCE: sets.sequence, _PICTURE: sets.picture}.get(kind, (unit,))
        if kind == _SEQUENCE_EXTENSION or unit not in known:
            raise NotCopyable("its parameter sets change on the way")
    if not data or at != picture.size:
        raise NotCopyable("a picture is cut off")
    return data
