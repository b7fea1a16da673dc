"""TTML (IMSC 1.1 Text Profile) and SCC (CEA-608), written by ``ttconv``."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterator, Sequence
from fractions import Fraction
from io import BytesIO
from math import ceil
from typing import TYPE_CHECKING

from shared.captions.library_logs import told_by
from shared.captions.rewrapping import rewrapped
from shared.captions.text_width import cleaned, runs_right_to_left
from shared.contracts.asr_transcript import ShownCue
from shared.errors import ValidationError

if TYPE_CHECKING:
    from ttconv.model import ContentDocument

_SCC_COLUMNS, _SCC_ROWS = 32, 4
_SCC_LEAST_MS = 300
"""A caption that would be shown for less, since it takes so long to be sent, is an error."""
_SCC_GAP_MS = 67
_SCC_FPS = Fraction(30_000, 1001)
_CONTROL_PACKETS, _ROW_PACKETS = 9, 4
"""Codes around a caption's text and each of its rows (each code is sent twice), and a margin."""


def captions_to_ttml(cues: Sequence[ShownCue], language: str = "und") -> bytes:
    """IMSC 1.1 text: one region in the lower part, each line's direction by its text. UTF-8 XML."""
    from ttconv.imsc.config import ContentProfilesSignaling, IMSCWriterConfiguration
    from ttconv.imsc.writer import from_model

    config = IMSCWriterConfiguration(profile_signaling=ContentProfilesSignaling.CONTENT_PROFILES)
    body = BytesIO()
    from_model(_document(cues, language), config).write(body, "utf-8", xml_declaration=True)
    return body.getvalue() + b"\n"


def captions_to_scc(cues: Sequence[ShownCue], language: str = "und") -> bytes:
    """Pop-on captions of channel 1, 29.97 frames a second (drop frame), rows of 32 characters.

    A caption that could not be sent in time comes later, by less than the time that it takes to send
    it. Raises ``ValidationError`` for letters that CEA-608 does not have, and for what does not fit.
    """
    from ttconv.scc.config import SccWriterConfiguration
    from ttconv.scc.writer import from_model

    fitted = list(_sendable([_in_608(index, cue) for index, cue in enumerate(cues, 1)]))
    if not fitted:
        return b"Scenarist_SCC V1.0\n\n"
    config = SccWriterConfiguration(allow_reflow=False, force_popon=True)
    with told_by("ttconv.scc.writer", logging.WARNING) as heard:
        text = from_model(_document(fitted, language), config)
    if heard:
        raise ValidationError("formats", f"scc cannot hold these captions: {heard[0]}")
    return f"{text.rstrip()}\n\n".encode("ascii")


def _document(cues: Sequence[ShownCue], language: str) -> ContentDocument:
    from ttconv import model
    from ttconv import style_properties as style
    from ttconv.imsc.designators import IMSC_11_TEXT_PROFILE_DESIGNATOR

    percent = style.LengthType.Units.pct
    made = model.ContentDocument()
    made.set_content_profiles({IMSC_11_TEXT_PROFILE_DESIGNATOR})
    made.set_lang("" if language == "und" else language)
    region = model.Region("bottom", made)
    ten, eighty = style.LengthType(10, percent), style.LengthType(80, percent)
    for name, value in (
        (style.StyleProperties.Origin, style.CoordinateType(ten, ten)),
        (style.StyleProperties.Extent, style.ExtentType(eighty, eighty)),
        (style.StyleProperties.DisplayAlign, style.DisplayAlignType.after),
        (style.StyleProperties.TextAlign, style.TextAlignType.center),
    ):
        region.set_style(name, value)
    made.put_region(region)
    body, division = model.Body(made), model.Div(made)
    made.set_body(body)
    body.push_child(division)
    body.set_region(region)
    for cue in cues:
        paragraph = model.P(made)
        paragraph.set_begin(Fraction(cue.start_ms, 1000))
        paragraph.set_end(Fraction(cue.end_ms, 1000))
        if runs_right_to_left(cue.text):
            paragraph.set_style(style.StyleProperties.Direction, style.DirectionType.rtl)
        division.push_child(paragraph)
        for number, line in enumerate(cleaned(cue.text).split("\n")):
            if number:
                paragraph.push_child(model.Br(made))
            span = model.Span(made)
            paragraph.push_child(span)
            span.push_child(model.Text(made, line))
    return made


_NEAR_608 = {"‘": "'", "’": "'", "“": '"', "”": '"', "…": "...", "–": "-", "—": "-", "\xa0": " "}


def _in_608(index: int, cue: ShownCue) -> ShownCue:
    """The cue on rows of 32, in letters that ttconv can send."""
    text = "".join(_sent(sign, index) for sign in cleaned(cue.text))
    rows = rewrapped(text, _SCC_COLUMNS, _SCC_ROWS)
    if len(rows) > _SCC_ROWS:
        raise ValidationError("formats", f"scc holds four rows of 32: cue {index} is longer")
    return cue.model_copy(update={"text": "\n".join(rows)})


def _sent(sign: str, index: int) -> str:
    """The letter, its near equivalent, or the letter without its accent."""
    from ttconv.scc.codes.characters import unicode_to_scc

    if sign in "\n " or unicode_to_scc(sign) != b" ":
        return sign
    if sign in _NEAR_608:
        return _NEAR_608[sign]
    base = unicodedata.normalize("NFKD", sign)[0]
    if base.isascii() and base.isprintable():
        return base
    raise ValidationError("formats", f"scc has no {sign!r} (U+{ord(sign):04X}), as in cue {index}")


def _sendable(cues: Sequence[ShownCue]) -> Iterator[ShownCue]:
    """Each begins when it can have been sent, two bytes a frame, after the one before.

    What comes later stays longer, where the next one leaves the time.
    """
    ready_ms = 0
    for index, cue in enumerate(cues):
        letters = len(cue.text) + sum(not sign.isascii() for sign in cue.text)
        packets = _CONTROL_PACKETS + _ROW_PACKETS * (1 + cue.text.count("\n")) + ceil(letters / 2)
        start_ms = max(cue.start_ms, ready_ms + ceil(1000 * packets / _SCC_FPS))
        end_ms = cue.end_ms + start_ms - cue.start_ms
        if index + 1 < len(cues):
            end_ms = max(cue.end_ms, min(end_ms, cues[index + 1].start_ms - _SCC_GAP_MS))
        if end_ms - start_ms < _SCC_LEAST_MS:
            told = f"scc sends two letters a frame: cue {index + 1} comes too soon"
            raise ValidationError("formats", told)
        yield cue.model_copy(update={"start_ms": start_ms, "end_ms": end_ms})
        ready_ms = start_ms
