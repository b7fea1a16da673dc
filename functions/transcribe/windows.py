"""Phrases put into windows of 30 s, which is what Whisper works on.

Each window costs the same however little is in it. So phrases share windows, the pauses between them
shortened (faster-whisper's ``vad_filter`` does likewise), and one for which there is too little room
is cut in its last short pause, or where it is quietest.

All is in ms: a part's ``start_ms`` and ``end_ms`` of the recording, ``at_ms`` of the window. Parts of a
window touch each other, in order. Nothing is heard here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.media.vad import RATE_HZ
from shared.sound.speech import Voiced

Floats = NDArray[np.float32]

WINDOW_MS = 28_800
"""30 s without the silence that ``recognise`` puts before and after."""
LEAD_MS, TAIL_MS = 200, 500
"""So much of a long pause is heard with the phrases before and after it."""
WHOLE_PAUSE_MS = 2000
"""A shorter pause is kept whole, as faster-whisper's ``vad_filter`` does: cut out of a sentence it
changes what is heard around it."""
_BIN_MS = 10
_SOUGHT_MS, _PAUSE_MS, _LEAST_PIECE_MS = 6000, 200, 1000
"""How far from a window's end a phrase may be cut, for how long it is quiet there, what stays of it."""
_CLOSURE_MS = 50
_QUIET = 0.01
"""A pause within a phrase is 20 dB below it, in power: more cuts in what is a soft sound."""


@dataclass(frozen=True)
class Part:
    """A piece of the recording in a window."""

    phrase: Voiced
    """Whose words it holds: all of a phrase, or what the cuts leave of it."""
    start_ms: int
    end_ms: int
    at_ms: int
    """Where it lies in the window."""


def with_pauses(phrases: Sequence[Voiced], duration_ms: int) -> Iterator[Part]:
    """Each phrase with its share of the pauses around it: half, but all of what a recording begins with."""
    for index, phrase in enumerate(phrases):
        before_ms = min(LEAD_MS, phrase.start_ms)
        after_ms = min(TAIL_MS // 2, max(0, duration_ms - phrase.end_ms))
        if index:
            _, before_ms = _shares_ms(phrase.start_ms - phrases[index - 1].end_ms)
        if index + 1 < len(phrases):
            after_ms, _ = _shares_ms(phrases[index + 1].start_ms - phrase.end_ms)
        yield Part(phrase, phrase.start_ms - before_ms, phrase.end_ms + after_ms, 0)


def fill(voice: Floats, parts: Sequence[Part]) -> tuple[list[Part], list[Part]]:
    """The next window of one voice (16 kHz): as many of ``parts``, in order, as it holds; and the others.

    The window has at least one part, for a phrase that is longer than a window is cut wherever it is
    quietest.
    """
    window = list[Part]()
    room_ms = WINDOW_MS
    for index, part in enumerate(parts):
        one = part if window else begun(part)
        if one.phrase.end_ms - one.start_ms > room_ms:
            if not (at_ms := _cut_ms(voice, one, room_ms)):
                return window, list(parts[index:])
            piece, rest = parted(one, at_ms)
            return [*window, replace(piece, at_ms=WINDOW_MS - room_ms)], [rest, *parts[index + 1 :]]
        one = replace(one, end_ms=min(one.end_ms, one.start_ms + room_ms))
        window.append(replace(one, at_ms=WINDOW_MS - room_ms))
        room_ms -= one.end_ms - one.start_ms
    return window, []


def _shares_ms(pause_ms: int) -> tuple[int, int]:
    """What the phrases before and after a pause get of it."""
    if pause_ms > WHOLE_PAUSE_MS:
        return TAIL_MS, LEAD_MS
    before_ms = max(0, pause_ms) // 2
    return max(0, pause_ms) - before_ms, before_ms


def begun(part: Part) -> Part:
    """As a window begins with it: what lies long before it is no help."""
    return replace(part, start_ms=max(part.start_ms, part.phrase.start_ms - LEAD_MS))


def _cut_ms(voice: Floats, part: Part, room_ms: int) -> int | None:
    """Where to cut what is too long, so that a window is well filled; ``None``: better not at all.

    In the last short pause that there is room for; without one where it is quietest, between words,
    mostly, but only if much room would be lost.
    """
    phrase = part.phrase
    first_ms = max(part.start_ms + room_ms - _SOUGHT_MS, phrase.start_ms + _LEAST_PIECE_MS)
    last_ms = min(part.start_ms + room_ms, phrase.end_ms - _LEAST_PIECE_MS)
    if last_ms - first_ms < _PAUSE_MS:
        return None
    power = _powers(voice, first_ms, last_ms)
    around = np.convolve(power, np.ones(_PAUSE_MS // _BIN_MS) / (_PAUSE_MS // _BIN_MS), "valid")
    quiet = np.flatnonzero(around < _QUIET * _powers(voice, phrase.start_ms, last_ms).mean())
    if not len(quiet) and room_ms < _SOUGHT_MS:
        return None
    found = int(quiet[-1]) if len(quiet) else int(around.argmin())
    return first_ms + _BIN_MS * found + _PAUSE_MS // 2


def quietest_ms(voice: Floats, first_ms: int, last_ms: int) -> int:
    """The middle of the quietest 50 ms between the two, to 10 ms; the first where there is no room."""
    if last_ms - first_ms < _CLOSURE_MS:
        return first_ms
    power = _powers(voice, first_ms, last_ms)
    bins = _CLOSURE_MS // _BIN_MS
    around = np.convolve(power, np.ones(bins) / bins, "valid")
    return first_ms + _BIN_MS * int(around.argmin()) + _CLOSURE_MS // 2


def _powers(voice: Floats, first_ms: int, last_ms: int) -> NDArray[np.float32]:
    """The mean square of each whole 10 ms from ``first_ms`` on, ``(bins,)``."""
    bins = (last_ms - first_ms) // _BIN_MS
    sought = np.asarray(voice[samples_of(first_ms) : samples_of(first_ms + _BIN_MS * bins)])
    return np.asarray(np.square(sought).reshape(bins, -1).mean(axis=1))


def parted(part: Part, at_ms: int) -> tuple[Part, Part]:
    """Both sides of ``at_ms``, where nothing is cut out."""
    phrase = part.phrase
    return (
        Part(replace(phrase, end_ms=at_ms), part.start_ms, at_ms, part.at_ms),
        Part(replace(phrase, start_ms=at_ms), at_ms, part.end_ms, 0),
    )


def samples_of(ms: int) -> int:
    """How many samples of a voice that is."""
    return ms * RATE_HZ // 1000
