from __future__ import annotations

from io import StringIO

import srt
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.asr_transcript import ShownCue
from shared.editing.subtitles import cues_to_srt, cues_to_vtt


def cues(*texts: str, speaker_id: str | None = None) -> list[ShownCue]:
    return [
        ShownCue(start_ms=2000 * n + 5, end_ms=2000 * n + 1500, text=text, speaker_id=speaker_id)
        for n, text in enumerate(texts)
    ]


def test_srt_as_players_read_it() -> None:
    assert cues_to_srt(cues("three music\nhello", "stop")) == (
        "1\n00:00:00,005 --> 00:00:01,500\nthree music\nhello\n\n"
        "2\n00:00:02,005 --> 00:00:03,500\nstop\n\n"
    )


def test_webvtt_as_browsers_read_it() -> None:
    assert cues_to_vtt(cues("rhythm & <blues>", speaker_id="channel_1")) == (
        "WEBVTT\n\n00:00:00.005 --> 00:00:01.500\n<v channel_1>rhythm &amp; &lt;blues&gt;\n"
    )


def test_hours_do_not_wrap() -> None:
    late = [ShownCue(start_ms=100 * 3_600_000, end_ms=100 * 3_600_000 + 1, text="x")]
    assert "100:00:00,000" in cues_to_srt(late)
    assert "100:00:00.000" in cues_to_vtt(late)


texts = st.lists(
    st.text(min_size=1).filter(lambda text: text.strip() and text.isprintable()), max_size=5
)


@given(texts)
def test_text_never_breaks_the_file(lines: list[str]) -> None:
    body = cues(*(f"{line}\n\n{line} --> {line}\n\n" for line in lines))
    assert len(list(srt.parse(cues_to_srt(body)))) == len(lines)
    assert len(webvtt.from_buffer(StringIO(cues_to_vtt(body)))) == len(lines)
