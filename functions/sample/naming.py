"""What a pack's files are called: ``Kick 01.wav``, ``Knock 03 (G2).wav``, ``Phrase - and so.wav``.

Names hold letters, digits, spaces and ``- ' ( ) #``: whatever was said, no path, no opcode of SFZ,
and nothing that Windows or macOS refuse comes out of it. The same segments are called the same each
time.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from shared.contracts.detections import HitSegment, LoopSegment, PhraseSegment
from shared.runs.results_folder import safe_name

ORDER = ("kick", "snare", "clap", "hat", "cymbal", "tom")
"""On pads; what else there is follows by its name."""
_MOST_BYTES = 60
"""Of what was said in a phrase; it ends with a whole word."""
_MARKS = ("Mn", "Mc")
"""Unicode's categories of what stands on or beside a letter: vowel signs, accents that are coded apart."""


def place_of(sound: str) -> tuple[int, str]:
    """Sorts sounds as they lie on pads: by place in ``ORDER``, then by name."""
    return (ORDER.index(sound) if sound in ORDER else len(ORDER), sound)


def sound_name(sound: str, number: int, count: int, note: str | None) -> str:
    """Of the ``number``-th (from 1) of ``count`` sounds of one kind: ``Tom 02 (A2)``.

    As many digits as ``count`` has, two at least, so that files sort as they are counted.
    """
    digits = max(2, len(str(count)))
    return f"{sound.capitalize()} {number:0{digits}d}{f' ({note})' if note else ''}"


def take_name(sound: str, take: int) -> str:
    """The best take is called as the sound is."""
    return sound if take == 1 else f"{sound} take {take}"


def loop_name(loop: LoopSegment) -> str:
    """By tempo, in whole beats a minute, and length: ``Loop 126 BPM 1 bar``."""
    bars = f"{loop.bars} bar{'' if loop.bars == 1 else 's'}"
    return f"Loop {round(loop.bpm)} BPM {bars}"


def phrase_name(phrase: PhraseSegment) -> str:
    """By its words, or, where nobody knows them, by its time."""
    text = unicodedata.normalize("NFC", phrase.transcript or "").replace("\u2019", "'")
    said = safe_name(_spelled(text), _MOST_BYTES).strip(" -'").lower()
    if not said:
        minutes, seconds = divmod(int(phrase.start_ms / 1000), 60)
        said = f"at {minutes} min {seconds:02d} s" if minutes else f"at {seconds} s"
    return f"Phrase - {said}"


def _spelled(text: str) -> str:
    """Its letters with their marks, digits, hyphens and apostrophes; a space for whatever else there is."""
    kept = ""
    for sign in text:
        marks = unicodedata.category(sign) in _MARKS and kept[-1:] not in ("", " ", "'", "-")
        kept += sign if marks or sign.isalnum() or sign in "'-" else " "
    return kept


def common_sound(takes: Sequence[HitSegment]) -> str:
    """What most takes of a sound are heard as, the surest counting most; the first on a draw.

    A take whose kind has no probability, or 0, counts half; one without a kind is a ``hit``.
    """
    votes: dict[str, float] = {}
    for take in takes:
        name = take.hit_kind or "hit"
        votes[name] = votes.get(name, 0.0) + (take.hit_kind_probability or 0.5)
    return max(votes, key=lambda name: votes[name])


def told_apart(names: Sequence[str]) -> list[str]:
    """Every name once, upper and lower case alike: the second of a name gets a `` 2``.

    In the order given; folders of Windows and macOS don't tell case.
    """
    held: set[str] = set()
    apart = []
    for name in names:
        tried, number = name, 1
        while tried.casefold() in held:
            number += 1
            tried = f"{name} {number}"
        held.add(tried.casefold())
        apart.append(tried)
    return apart
