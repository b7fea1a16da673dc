"""A transcript as subtitle files: SRT and WebVTT, written by ``srt`` and ``webvtt-py``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.contracts.asr_transcript import ShownCue, TranscriptCue

Cues = Sequence[ShownCue | TranscriptCue]


@dataclass(frozen=True)
class Format:
    """One subtitle format."""

    extension: str
    content_type: str
    write: Callable[[Cues], str]
    """A transcript's cues -> the file's text."""


def cues_to_srt(cues: Cues) -> str:
    """SubRip: numbered cues, times to the millisecond with a comma."""
    import srt

    subtitles = [
        srt.Subtitle(
            index,
            timedelta(milliseconds=cue.start_ms),
            timedelta(milliseconds=cue.end_ms),
            _clean(cue.text),
        )
        for index, cue in enumerate(cues, 1)
    ]
    return str(srt.compose(subtitles, reindex=False))


def cues_to_vtt(cues: Cues) -> str:
    """WebVTT; speakers that are told apart become voice tags (``<v channel_1>``)."""
    import webvtt

    captions = webvtt.WebVTT()
    for cue in cues:
        start, end = _vtt_time(cue.start_ms), _vtt_time(cue.end_ms)
        text = _escaped(_clean(cue.text))
        speaker = cue.speaker_id
        captions.captions.append(
            webvtt.Caption(start, end, f"<v {_escaped(speaker)}>{text}" if speaker else text)
        )
    return str(captions.content).rstrip("\n") + "\n"


FORMATS: Mapping[str, Format] = {
    "srt": Format("srt", "application/x-subrip", cues_to_srt),
    "vtt": Format("vtt", "text/vtt", cues_to_vtt),
}
"""Every format that captions are written in."""


def _clean(text: str) -> str:
    """Without control characters, empty lines and arrows, which would end or begin a cue."""
    lines = (re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", line).strip() for line in text.splitlines())
    return "\n".join(re.sub(r"-{2,}>", "→", line) for line in lines if line)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _vtt_time(at_ms: int) -> str:
    minutes, ms = divmod(at_ms, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{ms // 1000:02d}.{ms % 1000:03d}"
