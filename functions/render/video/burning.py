"""Captions in a rendering: moved with the cuts, and drawn in a style inside the safe area."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from functions.render.video.caption_styles import Style
from functions.render.video.video_plan import Window
from shared.contracts.asr_transcript import ShownCue, TranscriptCue

SHORTEST_MS = 200.0
"""Less of a cue than this is not shown."""


class Cue(BaseModel):
    """A text, shown in ``[start_ms, end_ms)``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    start_ms: float
    end_ms: float
    text: str


def moved(cues: Sequence[Cue | TranscriptCue], windows: Sequence[Window]) -> list[Cue]:
    """The cues as they fall into the windows, in the rendering's time."""
    found = []
    for window in windows:
        for cue in cues:
            start_ms = max(cue.start_ms, window.source_start_ms)
            end_ms = min(cue.end_ms, window.source_end_ms)
            if end_ms - start_ms >= min(SHORTEST_MS, cue.end_ms - cue.start_ms) > 0:
                shift_ms = window.start_ms - window.source_start_ms
                found.append(
                    Cue(start_ms=start_ms + shift_ms, end_ms=end_ms + shift_ms, text=cue.text)
                )
    return sorted(found, key=lambda cue: (cue.start_ms, cue.end_ms, cue.text))


def write_srt(path: Path, cues: Sequence[Cue]) -> None:
    """As SubRip, for a track of the rendering."""
    from shared.editing.subtitles import cues_to_srt

    shown = [
        ShownCue(start_ms=round(cue.start_ms), end_ms=round(cue.end_ms), text=_harmless(cue.text))
        for cue in cues
    ]
    path.write_text(cues_to_srt(shown), encoding="utf-8")


def write_ass(path: Path, cues: Sequence[Cue], style: Style, size: tuple[int, int]) -> None:
    """As Advanced SubStation, for burning in; ``size`` is that of the picture."""
    path.write_text(ass_text(cues, style, size), encoding="utf-8")


def ass_text(cues: Sequence[Cue], style: Style, size: tuple[int, int]) -> str:
    """The file's text. Nothing in a cue's text is read as a command."""
    wide, high = size
    height = max(1.0, style.size * min(high, 1.78 * wide))
    fields = [
        *("Default", style.font, f"{height:.1f}", "&H00FFFFFF", "&H00FFFFFF"),
        *("&H00000000", "&H80000000", "-1" if style.bold else "0", "0", "0", "0"),
        *("100", "100", "0", "0", "3" if style.boxed else "1"),
        *(f"{style.outline * high * (3 if style.boxed else 1):.2f}", "0", "2"),
        *(f"{round(style.safe_x * wide)}", f"{round(style.safe_x * wide)}"),
        *(f"{round(style.safe_y * high)}", "1"),
    ]
    lines = [
        *("[Script Info]", "ScriptType: v4.00+", f"PlayResX: {wide}", f"PlayResY: {high}"),
        *("WrapStyle: 0", "ScaledBorderAndShadow: yes", "", "[V4+ Styles]", _STYLE_FORMAT),
        *(f"Style: {','.join(fields)}", "", "[Events]", _EVENT_FORMAT),
        *(
            f"Dialogue: 0,{_clock(cue.start_ms)},{_clock(cue.end_ms)},Default,,0,0,0,,{_plain(cue.text)}"
            for cue in cues
        ),
    ]
    return "\n".join(lines) + "\n"


_STYLE_FORMAT = (
    "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, "
    "Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, "
    "Shadow, Alignment, MarginL, MarginR, MarginV, Encoding"
)
_EVENT_FORMAT = "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text"


def _harmless(text: str) -> str:
    """Text in which nothing is a command: ffmpeg reads those of ASS in SubRip, too."""
    for sign, harmless in (("\\", "⧵"), ("{", "｛"), ("}", "｝")):
        text = text.replace(sign, harmless)
    return text


def _plain(text: str) -> str:
    """On one line of the file."""
    text = _harmless(text)
    lines = ("".join(c for c in line if c.isprintable()).strip() for line in text.splitlines())
    return "\\N".join(line for line in lines if line)


def _clock(time_ms: float) -> str:
    hundredths = round(time_ms / 10)
    minutes, rest = divmod(hundredths, 6000)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 100:02d}.{rest % 100:02d}"
