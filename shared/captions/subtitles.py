"""Captions as files, in every format that they are written in: one table.

``srt`` and ``webvtt-py`` write SubRip and WebVTT, ``pysubs2`` ASS, ``ttconv`` TTML and SCC; EBU STL has
a writer here, for no library keeps one. In no format is anything of a text read as a command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Literal

from shared.captions.cues import name_of
from shared.captions.ebu_stl import captions_to_stl
from shared.captions.substation import captions_to_ass
from shared.captions.text_width import cleaned, one_line, runs_right_to_left
from shared.captions.timed_text import captions_to_scc, captions_to_ttml
from shared.contracts.asr_transcript import ShownCue, TranscriptCue

FormatName = Literal["srt", "vtt", "txt", "json", "ttml", "ass", "scc", "stl"]
_NOBODY: Mapping[str, str] = MappingProxyType({})
_PARAGRAPH_MS = 2000
"""So long a silence begins a paragraph."""


def shown(
    cues: Sequence[TranscriptCue],
    *,
    names: bool = False,
    speaker_names: Mapping[str, str] = _NOBODY,
) -> list[ShownCue]:
    """A transcript's cues, cleaned, none empty; with ``names`` each turn begins with its speaker's."""
    plain = [cue for cue in (_plain(cue, speaker_names) for cue in cues) if cue.text]
    return list(_named(plain)) if names else plain


def _plain(cue: TranscriptCue, speaker_names: Mapping[str, str]) -> ShownCue:
    return ShownCue(
        start_ms=cue.start_ms,
        end_ms=cue.end_ms,
        text=cleaned(cue.text),
        speaker_id=cue.speaker_id,
        speaker=speaker_names.get(cue.speaker_id or ""),
    )


def _named(cues: Sequence[ShownCue]) -> Iterator[ShownCue]:
    before = None
    for cue in cues:
        speaker = cue.speaker_id
        named = speaker is not None and speaker != before
        text = cue.text
        if speaker and named:
            text = f"{cue.speaker or name_of(speaker)}: {text}"
        before = speaker
        yield cue.model_copy(update={"text": text})


def cues_to_srt(cues: Sequence[ShownCue], language: str = "und") -> bytes:
    """SubRip: numbered cues, times to the millisecond with a comma. UTF-8, without a byte order mark."""
    import srt

    subtitles = [
        srt.Subtitle(
            index,
            timedelta(milliseconds=cue.start_ms),
            timedelta(milliseconds=cue.end_ms),
            _directed(_harmless(_without_arrows(cleaned(cue.text)))),
        )
        for index, cue in enumerate(cues, 1)
    ]
    return str(srt.compose(subtitles, reindex=False)).encode()


def cues_to_vtt(cues: Sequence[ShownCue], language: str = "und") -> bytes:
    """WebVTT; speakers that are told apart become voice tags (``<v channel_1>...</v>``, ``<v Ann>``)."""
    import webvtt

    captions = webvtt.WebVTT()
    for cue in cues:
        start, end = _vtt_time(cue.start_ms), _vtt_time(cue.end_ms)
        text = _directed(_escaped(_without_arrows(cleaned(cue.text))))
        speaker = cue.speaker or cue.speaker_id
        captions.captions.append(
            webvtt.Caption(start, end, f"<v {_escaped(speaker)}>{text}</v>" if speaker else text)
        )
    return (str(captions.content).rstrip("\n") + "\n").encode()


def cues_to_txt(cues: Sequence[ShownCue], language: str = "und") -> bytes:
    """Plain text: a paragraph where nobody is heard for two seconds, or another one speaks."""
    paragraphs: list[str] = []
    before: ShownCue | None = None
    for cue in cues:
        text = one_line(cleaned(cue.text))
        if (
            before is None
            or cue.start_ms - before.end_ms >= _PARAGRAPH_MS
            or cue.speaker_id != before.speaker_id
        ):
            speaker = cue.speaker or (cue.speaker_id or "").replace("_", " ")
            paragraphs.append(f"{speaker}: {text}" if speaker else text)
        else:
            paragraphs[-1] = one_line(f"{paragraphs[-1]}\n{text}")
        before = cue
    return ("\n\n".join(paragraphs) + "\n" if paragraphs else "").encode()


def cues_to_json(cues: Sequence[ShownCue], language: str = "und") -> bytes:
    """``{"language", "cues": [{"start_ms", "end_ms", "text", "speaker_id"?, "speaker"?}]}``."""
    rows = [{**cue.model_dump(exclude_none=True), "text": cleaned(cue.text)} for cue in cues]
    body = {"language": language, "cues": rows}
    return (json.dumps(body, ensure_ascii=False, indent=1) + "\n").encode()


@dataclass(frozen=True)
class Format:
    """One format of captions."""

    content_type: str
    write: Callable[[Sequence[ShownCue], str], bytes]
    """Cues and their language -> the file. Raises ``ValidationError`` for what it cannot hold."""
    is_text: bool = True
    """UTF-8; else bytes of a code of its own."""


FORMATS: Mapping[str, Format] = {
    "srt": Format("application/x-subrip", cues_to_srt),
    "vtt": Format("text/vtt", cues_to_vtt),
    "txt": Format("text/plain", cues_to_txt),
    "json": Format("application/json", cues_to_json),
    "ttml": Format("application/ttml+xml", captions_to_ttml),
    "ass": Format("text/x-ssa", captions_to_ass),
    "scc": Format("text/x-scc", captions_to_scc),
    "stl": Format("application/x-ebu-stl", captions_to_stl, is_text=False),
}
"""Every format that captions are written in, by the extension of its files."""


def _without_arrows(text: str) -> str:
    """An arrow of hyphens would pass for a line of times."""
    return re.sub(
        r"(?<!-)--+>", "→", text
    )  # from a row's first hyphen alone: tried from each, it is n²


def _directed(text: str) -> str:
    """Lines that run from right to left between marks: many players take any line for the other way."""
    lines = text.split("\n")
    marked = (
        f"{_RTL_MARK}{line}{_RTL_MARK}" if runs_right_to_left(line) else line for line in lines
    )
    return "\n".join(marked)


_RTL_MARK = "\u200f"


def _harmless(text: str) -> str:
    """Players read tags in SubRip, HTML's and ASS's: nothing that was said is one."""
    text = re.sub(r"<(?=[/A-Za-z])", "‹", text)
    return text.replace("{\\", "｛\\")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _vtt_time(at_ms: int) -> str:
    minutes, ms = divmod(at_ms, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{ms // 1000:02d}.{ms % 1000:03d}"
