"""The pack as instruments: SFZ (opcodes of sfzformat.com), one key a sample; tuned hits as one more.

Every region is one line that ends with its sample, whose path is relative to the SFZ file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from functions.sample.members import Member

FIRST_KEY = 36
"""Where drum pads begin."""
KEYS = 64
"""Sixteen pads in four banks; more samples than that go on in a further file."""
_REACH = 12
"""A tuned sample is transposed by an octave at most."""

_PLAYED: Mapping[str, str] = {
    "hit": "loop_mode=one_shot pitch_keytrack=0",
    "loop": "loop_mode=loop_continuous pitch_keytrack=0 ampeg_release=0.02",
    "phrase": "loop_mode=one_shot pitch_keytrack=0",
}


def mappings(members: Sequence[Member]) -> dict[str, str]:
    """File name -> text: ``hits.sfz``, ``hits_02.sfz``... and ``hits_tuned.sfz`` for those with a pitch."""
    texts: dict[str, str] = {}
    for thing in _PLAYED:
        own = [member for member in members if member.sort.thing == thing]
        for bank, first in enumerate(range(0, len(own), KEYS), 1):
            name = f"{thing}s.sfz" if bank == 1 else f"{thing}s_{bank:02d}.sfz"
            texts[name] = _by_key(thing, own[first : first + KEYS])
    tuned = [member for member in members if member.pitch is not None]
    if tuned:
        texts["hits_tuned.sfz"] = _by_pitch(tuned)
    return texts


def _by_key(thing: str, members: Sequence[Member]) -> str:
    regions = []
    for key, member in enumerate(members, FIRST_KEY):
        loop = f" loop_start=0 loop_end={member.samples - 1}" if thing == "loop" else ""
        regions.append(f"<region> key={key}{loop} sample={member.file}")
    return _text(f"{thing}s, one a key from MIDI note {FIRST_KEY} up", _PLAYED[thing], regions)


def _by_pitch(members: Sequence[Member]) -> str:
    """Each note from halfway to its neighbours; hits of the same note take turns."""
    by_note: dict[int, list[Member]] = {}
    for note, same in groupby(sorted(members, key=_note), key=_note):
        by_note[note] = list(same)
    regions = [
        region
        for note, (low, high) in zip(by_note, _key_ranges(list(by_note)), strict=True)
        for region in _turns(by_note[note], low, high)
    ]
    return _text("hits at their pitch", "loop_mode=one_shot", regions)


def _note(member: Member) -> int:
    assert member.pitch is not None
    return min(max(member.pitch.note, 0), 127)


def _key_ranges(notes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Lowest and highest key of each of the notes, which rise."""
    for index, note in enumerate(notes):
        below = (notes[index - 1] + note) // 2 + 1 if index else 0
        above = (note + notes[index + 1]) // 2 if index + 1 < len(notes) else 127
        yield max(below, note - _REACH, 0), min(above, note + _REACH, 127)


def _turns(members: Sequence[Member], low: int, high: int) -> Iterator[str]:
    for turn, member in enumerate(members, 1):
        assert member.pitch is not None
        robin = f" seq_length={len(members)} seq_position={turn}" if len(members) > 1 else ""
        yield (
            f"<region> lokey={low} hikey={high} pitch_keycenter={_note(member)}"
            f" tune={round(-member.pitch.cents)}{robin} sample={member.file}"
        )


def _text(title: str, common: str, regions: Sequence[str]) -> str:
    return "\n".join([f"// {title}", f"<global> {common}", *regions, ""])
