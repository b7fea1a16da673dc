"""Advanced SubStation Alpha, written by ``pysubs2``: a format of its own, and what is burnt in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.captions.text_width import cleaned
from shared.contracts.asr_transcript import ShownCue
from shared.errors import ValidationError

if TYPE_CHECKING:
    from pysubs2 import SSAFile, SSAStyle

_BASE_BY_TEXT = -1
"""A style's Encoding by which libass takes each line's base direction from its first letter."""
_SIZE = (1920, 1080)
_TEN_HOURS_MS = 36_000_000


def captions_to_ass(cues: Sequence[ShownCue], language: str = "und") -> bytes:
    """For a picture of 1920 by 1080, centred at the bottom, white with a dark outline."""
    import pysubs2

    style = pysubs2.SSAStyle(
        fontname="DejaVu Sans",
        fontsize=59,
        outline=4,
        shadow=0,
        marginl=192,
        marginr=192,
        marginv=76,
    )
    events = [(cue.start_ms, cue.end_ms, plain(cue.text)) for cue in cues]
    return substation(events, style, _SIZE).encode()


def substation(
    events: Sequence[tuple[float, float, str]], style: SSAStyle, size: tuple[int, int]
) -> str:
    """The file of ``(start_ms, end_ms, text)``, for a picture of this width and height.

    A text is in the format's own words: what is shown comes from ``plain``. Raises ``ValidationError`` for
    what ends later than its times can say.
    """
    import pysubs2

    if any(end_ms >= _TEN_HOURS_MS for _, end_ms, _ in events):
        raise ValidationError("formats", "ass holds times below 10 hours")
    style.encoding = _BASE_BY_TEXT
    file: SSAFile = pysubs2.SSAFile()
    file.info.update(
        PlayResX=str(size[0]), PlayResY=str(size[1]), WrapStyle="0", ScaledBorderAndShadow="yes"
    )
    file.styles = {"Default": style}
    file.events = [
        pysubs2.SSAEvent(round(start_ms), round(end_ms), text=text)
        for start_ms, end_ms, text in events
    ]
    return file.to_string("ass", header_notice="")


def plain(text: str) -> str:
    """Text as it is shown: nothing in it is a command, and its lines are parted as the format does it."""
    return harmless(cleaned(text)).replace("\n", "\\N")


def harmless(text: str) -> str:
    """Text in which nothing is a command."""
    for sign, other in (("\\", "⧵"), ("{", "｛"), ("}", "｝")):
        text = text.replace(sign, other)
    return text
