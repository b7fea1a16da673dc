"""What a model left of a window unheard, and is heard with what follows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from functions.transcribe.windows import Part, parted, quietest_ms
from functions.transcribe.word_times import Raw

Floats = NDArray[np.float32]

WORTH_A_LOOK_MS = 300
"""A shorter phrase, or rest of one, is no word: Whisper has words end so early. Less hears ends twice, more
loses a short yes."""
_BROKEN_OFF_MS = 2000
"""So much speech behind a window's last word was not heard, whatever the model says."""
_ENDS_EARLY_MS = 250
"""By so much a word may sound on behind its end."""


def spoken_ms(part: Part) -> tuple[int, int]:
    """Where the part's phrase lies in the window."""
    begins = part.at_ms + part.phrase.start_ms - part.start_ms
    return begins, begins + part.phrase.end_ms - part.phrase.start_ms


def until_broken_off(
    window: Sequence[Part], said: list[Raw], rest_ms: float | None
) -> tuple[list[Raw], float | None]:
    """The words, and from where on the window is yet to be heard, of a model that may have stopped too early.

    Now and then it ends its text in mid-sentence, and takes what follows for silence. The rest then begins
    behind the last word that the aligner placed: those strewn over what was not heard are heard again.
    """
    last = max((at for at, word in enumerate(said) if not word.interpolated), default=None)
    if last is None:
        return said, rest_ms
    until_ms = 1000 * said[last].until_s
    spoken = [spoken_ms(part) for part in window]
    unheard_ms = sum(max(0.0, high - max(low, until_ms)) for low, high in spoken)
    if unheard_ms < _BROKEN_OFF_MS or until_ms < spoken[0][0] + WORTH_A_LOOK_MS:
        return said, rest_ms
    return said[: last + 1], until_ms


def reached(
    voice: Floats, window: Sequence[Part], rest_ms: float | None
) -> tuple[list[Part], list[Part]]:
    """What was heard of the window, and what is left behind ``rest_ms`` (``None``: nothing).

    A phrase is parted where it is quiet near there: Whisper has words end too early, and what sounds of
    one behind its end would be heard as another.
    """
    begins_ms, _ = spoken_ms(window[0])
    if rest_ms is None or rest_ms < begins_ms + WORTH_A_LOOK_MS:
        return list(window), []  # hearing it again would bring nothing else
    heard, left = list[Part](), list[Part]()
    for part in window:
        low, high = spoken_ms(part)
        if high - rest_ms < WORTH_A_LOOK_MS:
            heard.append(part)
        elif rest_ms - low < WORTH_A_LOOK_MS:
            left.append(part)
        else:
            at_ms = part.phrase.start_ms + round(rest_ms) - low
            last_ms = min(at_ms + _ENDS_EARLY_MS, part.phrase.end_ms - WORTH_A_LOOK_MS)
            piece, rest = parted(part, quietest_ms(voice, at_ms, last_ms))
            heard.append(piece)
            left.append(rest)
    return heard, left
