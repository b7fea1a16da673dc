"""Cutting words out from between their neighbours.

Words are cut by their times in ``audio_words``, as far as these are right (docs/cut.md, what is
guaranteed); where exactly, the sound between them decides (``cut_points``). The neighbours are those in
time, not in the list: where people speak at once, words of several overlap.
"""

from __future__ import annotations

from collections.abc import Sequence

from functions.edit.cut_points import Gone, Sound, cut_between
from shared.contracts.edit_list import Edit, EditReason
from shared.contracts.spoken_word import SpokenWord, text_of
from shared.editing.edit_lists import new_edit

_UNHEARD = 0.5
"""Of a word whose place nobody heard: so much less sure is where it is cut."""
_FAR = 50
"""Words of others that speak at the same time lie no farther off in the list."""


def cut_words(
    sound: Sound,
    words: Sequence[SpokenWord],
    first: int,
    last: int,
    reason: EditReason,
    confidence: float = 1.0,
) -> Edit | None:
    """The cut of words ``[first, last)``; ``None`` where another word lies over all of them.

    ``confidence`` (0 to 1) is halved where it is below 1 and the time of one of the words is only
    interpolated: what somebody chose (1) stays sure. The edit's text is what the words say.
    """
    said = words[first:last]
    until_ms = max((word.end_ms for word in words[max(first - _FAR, 0) : first]), default=0)
    end_ms = sound.ms(sound.length)
    from_ms = min((word.start_ms for word in words[last : last + _FAR]), default=end_ms)
    gone = Gone(until_ms, said[0].start_ms, max(word.end_ms for word in said), from_ms)
    if max(gone.first_ms, until_ms) >= min(gone.last_ms, from_ms):
        return None
    start_ms, cut_ms = cut_between(sound, gone)
    if start_ms >= cut_ms:
        return None
    if confidence < 1 and any(word.timing == "interpolated" for word in said):
        confidence *= _UNHEARD
    return new_edit("cut", reason, (start_ms, cut_ms), confidence, text=text_of(said))
