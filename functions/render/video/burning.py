"""Captions in a rendering: moved with the cuts, laid out for its shape, and drawn inside the safe area.

    track     the transcript's cues as they are, shifted into the windows, as SubRip for ffmpeg's mov_text
    burnt     its words, laid out anew for as many columns as the picture holds, as Advanced SubStation
              Alpha for libass; what no installed font draws is left out

A word belongs to the window in which its middle lies, and no cue goes on over a cut. Times of both are ms
of the rendering, sizes pixels. ASS measures a font by ascent and descent together, not by its em, so
sizes are brought to DejaVu's: letters of every font come out about as large. Where a line is
wider than the safe area all the same, all letters shrink. An edit list's captions are laid out anew
before that (``left_by``), and then have one window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from functions.render.video.caption_styles import Style
from functions.render.video.fonts_at_hand import Face, face_for, height_of, lacking, widest
from functions.render.video.rendered_windows import Window
from shared.captions.cues import Cue, Layout, make_cues
from shared.captions.profiles import profile_named
from shared.captions.rewrapping import words_of
from shared.captions.substation import harmless, plain, substation
from shared.captions.subtitles import FORMATS
from shared.contracts.asr_transcript import ShownCue, Transcript, TranscriptCue
from shared.contracts.edit_list import EditList
from shared.contracts.spoken_word import SpokenWord
from shared.editing.retimed import moved_transcript

if TYPE_CHECKING:
    from pysubs2 import SSAStyle

SHORTEST_MS = 200.0
"""Less of a cue than this is not shown."""
_FEWEST_COLUMNS, _MOST_COLUMNS = 20, 42
"""What a line holds: on an upright picture some 20 characters, on no picture more than broadcasters ask."""
_COLUMN_SIZES = {False: 0.46, True: 0.52}
"""A letter's width in parts of the font's size: DejaVu Sans, plain and bold. It only guesses how many fit:
lines are measured afterwards."""

_STYLES_HEIGHT = 1.164
"""DejaVu's ascent and descent together, in parts of its em."""

Spoken = tuple[Cue, Sequence[SpokenWord]]
"""A cue in the rendering's time, and its words."""


def moved(cues: Sequence[TranscriptCue], windows: Sequence[Window]) -> list[ShownCue]:
    """The cues as they fall into the windows, in the rendering's time; by their starts.

    A window that is shown twice has its cues twice. Of a cue that a cut shortens at least 200 ms are
    shown, or nothing. Windows are played at their own speed here.
    """
    found = []
    for window in windows:
        for cue in cues:
            start_ms = max(cue.start_ms, window.source_start_ms)
            end_ms = min(cue.end_ms, window.source_end_ms)
            if end_ms - start_ms >= min(SHORTEST_MS, cue.end_ms - cue.start_ms) > 0:
                shift_ms = window.start_ms - window.source_start_ms
                found.append(
                    ShownCue(
                        start_ms=round(start_ms + shift_ms),
                        end_ms=round(end_ms + shift_ms),
                        text=cue.text,
                        speaker_id=cue.speaker_id,
                    )
                )
    return sorted(found, key=lambda cue: (cue.start_ms, cue.end_ms, cue.text))


def write_track(path: Path, cues: Sequence[ShownCue]) -> None:
    """As SubRip, for a track of the rendering: ffmpeg reads ASS's commands in it, too, so none is left."""
    told = [cue.model_copy(update={"text": harmless(cue.text)}) for cue in cues]
    path.write_bytes(FORMATS["srt"].write(told, "und"))


def burnt_in(
    transcript: Transcript, windows: Sequence[Window], style: Style, size: tuple[int, int]
) -> str:
    """The captions of a rendering as ASS, for a picture of this width and height; empty: none fall into it.

    Raises ``MissingDependency`` without fonts.
    """
    spoken = list(_laid_out(transcript, windows, columns_of(style, size)))
    if not spoken:
        return ""
    text = "".join("".join(cue.lines) for cue, _ in spoken)
    face = face_for(text, style.font, transcript.language, bold=style.bold)
    lines = [line for cue, _ in spoken for line in cue.lines]
    # Styles say sizes of DejaVu's: letters of another font are as large.
    size_px = _size_px(style, size) * height_of(face) / _STYLES_HEIGHT
    room_px = (1 - 2 * style.safe_x) * size[0]
    size_px *= min(1.0, room_px / max(1.0, widest(lines, face, size_px)))
    events = [event for cue, words in spoken for event in _events(cue, words, style)]
    return substation(events, _drawn_as(style, face, size_px, size), size)


def columns_of(style: Style, size: tuple[int, int]) -> int:
    """How many columns a line of this style has on a picture of this width and height, 20 to 42.

    A column is a letter's width; full-width characters take two.
    """
    room_px = (1 - 2 * style.safe_x) * size[0]
    fitting = int(room_px / (_COLUMN_SIZES[style.bold] * _size_px(style, size)))
    return min(max(fitting, _FEWEST_COLUMNS), _MOST_COLUMNS)


def _size_px(style: Style, size: tuple[int, int]) -> float:
    """Of the font, at least 1: by the picture's height, or what it is at 9:16 where it is higher still."""
    return max(1.0, style.size * min(size[1], 1.78 * size[0]))


def _laid_out(
    transcript: Transcript, windows: Sequence[Window], line_columns: int
) -> Iterator[Spoken]:
    """Cues of each window by itself: none goes on over a cut. In the windows' order, in the rendering's time.

    Lines are broken by the transcript's own profile (``shared.captions``), with this many columns.
    """
    profile = profile_named(transcript.profile).to_read(transcript.language)
    reading = replace(profile.reading, line_columns=line_columns)
    layout = Layout(replace(profile, reading=reading), transcript.language)
    said = drawable(_words(transcript))
    for window in windows:
        words = [_moved(word, window) for word in said if _is_in(word, window)]
        length_ms = int(window.source_end_ms - window.source_start_ms)
        for cue in make_cues(words, length_ms, layout):
            begin_ms = round(window.start_ms)
            end_ms = min(cue.end_ms, length_ms) + begin_ms
            timed = replace(cue, start_ms=cue.start_ms + begin_ms, end_ms=end_ms)
            spoken = words[cue.first_word : cue.first_word + cue.word_count]
            shifted = [
                word.model_copy(update={"start_ms": word.start_ms + begin_ms}) for word in spoken
            ]
            if timed.end_ms > timed.start_ms:
                yield timed, shifted


def left_by(edits: EditList, transcript: Transcript) -> Transcript:
    """The transcript of what an edit list leaves, with what people wrote into cues without words."""
    said = tuple(_words(transcript))
    return moved_transcript(edits, transcript.model_copy(update={"words": said}))


def _words(transcript: Transcript) -> list[SpokenWord]:
    """Its words; of a cue that names none, its text's."""
    words: list[SpokenWord] = []
    for cue in transcript.cues:
        own = transcript.words[cue.first_word : cue.first_word + cue.word_count]
        words += own or words_of(cue.text, cue.start_ms, cue.end_ms)
    return words


def drawable(words: Sequence[SpokenWord]) -> list[SpokenWord]:
    """The words without what no installed font draws: better nothing than a box. Words of which nothing is
    left go. Raises ``MissingDependency`` without fontconfig."""
    absent = str.maketrans(dict.fromkeys(lacking("".join(word.text for word in words))))
    kept = (word.model_copy(update={"text": word.text.translate(absent)}) for word in words)
    return [word for word in kept if any(sign.isprintable() for sign in word.text)]


def _is_in(word: SpokenWord, window: Window) -> bool:
    """By its middle: so a word that a cut goes through is shown on one side."""
    middle_ms = (word.start_ms + word.end_ms) / 2
    return window.source_start_ms <= middle_ms < window.source_end_ms


def _moved(word: SpokenWord, window: Window) -> SpokenWord:
    """In the window's own time."""
    start_ms = max(word.start_ms, window.source_start_ms) - window.source_start_ms
    end_ms = min(word.end_ms, window.source_end_ms) - window.source_start_ms
    return word.model_copy(update={"start_ms": round(start_ms), "end_ms": round(end_ms)})


def _events(
    cue: Cue, words: Sequence[SpokenWord], style: Style
) -> Iterator[tuple[float, float, str]]:
    """One event, or one a word where the word that is heard is lit: start and end in ms, and ASS's text.

    A word is lit until the next one begins, the first from the cue's start and the last to its end; so the
    whole cue stands all the time. Words are found in its lines in order. What people said or wrote is
    made harmless: no command of theirs gets through.
    """
    text = "\n".join(cue.lines)
    if style.lit is None:
        yield cue.start_ms, cue.end_ms, plain(text)
        return
    starts = [cue.start_ms, *(word.start_ms for word in words[1:]), cue.end_ms]
    at = 0
    for number, word in enumerate(words):
        start_ms, end_ms = starts[number], min(starts[number + 1], cue.end_ms)
        found = text.find(word.text, at)
        if found >= 0:
            at = found + len(word.text)
            parts = text[:found], word.text, text[at:]
            before, heard, after = (harmless(part).replace("\n", "\\N") for part in parts)
            shown = f"{before}{{\\1c{style.lit}}}{heard}{{\\1c{_WHITE}}}{after}"
        else:  # a word that was cut between lines
            shown = plain(text)
        if end_ms > start_ms:
            yield start_ms, end_ms, shown


def _drawn_as(style: Style, face: Face, size_px: float, size: tuple[int, int]) -> SSAStyle:
    """The style in pixels of a picture of this width and height: libass draws on one of that size."""
    import pysubs2

    wide, high = size
    return pysubs2.SSAStyle(
        fontname=face.family,
        fontsize=round(size_px, 1),
        primarycolor=pysubs2.Color(255, 255, 255),
        outlinecolor=pysubs2.Color(0, 0, 0),
        backcolor=pysubs2.Color(0, 0, 0, 128),
        bold=style.bold,
        borderstyle=3 if style.boxed else 1,
        outline=round(style.outline * high * (3 if style.boxed else 1), 2),
        shadow=0,
        marginl=round(style.safe_x * wide),
        marginr=round(style.safe_x * wide),
        marginv=round(style.safe_y * high),
    )


_WHITE = "&HFFFFFF&"
