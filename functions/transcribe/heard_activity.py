"""What words and semantics read of the recording's activity: who is heard when, and what sounds besides.

    voice's probability, each 32 ms -> stretches of speech, parted by the pauses that are asked for
    levels, each 10 ms              -> loudness of any stretch, without decoding the recording again
    spans                           -> what is music: judged once, never again here

``detect.activity`` is the one that listened; nothing here decodes or hears a sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from shared.contracts.audio_activity import ActivitySpan, AudioActivity
from shared.contracts.step_engine import InputFile
from shared.errors import NotFound
from shared.media.vad import RATE_HZ
from shared.sound.levels import Levels
from shared.sound.speech import Voiced, voiced_spans
from shared.sound.stretches import Judge, Span, find_spans, trimmed

STEP = "detect.activity"


def activity_given(inputs: Mapping[str, Sequence[InputFile]]) -> AudioActivity:
    """Of a job's inputs. Raises ``NotFound`` in a run without it, ``ValidationError`` for what is none."""
    given = inputs.get(STEP, ())
    if not given:
        raise NotFound("result of", STEP)
    return AudioActivity.read(given[0].path)


def levels_of(activity: AudioActivity) -> Levels:
    """The recording's levels as they were kept: the energy of each 10 ms, ``(steps,)``, float64.

    BS.1770-4's loudness, -0.691 + 10 log10(energy), turned round. -120 LUFS, the least that is kept, is none.
    """
    lufs = activity.level_lufs.values().astype(np.float64)
    energy = np.where(lufs > -119.9, 10 ** ((lufs + 0.691) / 10), 0.0)
    integrated = activity.heard.integrated_lufs
    return Levels(activity.duration_ms, energy, -np.inf if integrated is None else integrated)


def speech_of(activity: AudioActivity, min_silence_ms: int) -> list[Voiced]:
    """Who is heard when, parted by pauses of ``min_silence_ms``; nothing that activity takes for music.

    In order, with times in ms. Empty where nobody speaks, and where nobody could tell (no ``voice``).
    """
    if activity.voice is None:
        return []
    samples = activity.sound.samples * RATE_HZ // activity.sound.sample_rate_hz
    probability = activity.voice.values()
    found = voiced_spans(probability, samples, activity.duration_ms, min_silence_ms)
    speech = [span for span in activity.spans if span.kind == "speech"]
    return [one for one in found if any(_meets(one, span) for span in speech)]


def _meets(one: Voiced, span: ActivitySpan) -> bool:
    return one.start_ms < span.end_ms and span.start_ms < one.end_ms


def spans_of(
    activity: AudioActivity, levels: Levels, voiced: Sequence[Voiced] | None, min_silence_ms: int
) -> list[Span]:
    """All stretches, with speech where ``voiced`` has it; ``None``: as activity has them.

    What is music was judged there; speech and silences are parted anew.
    """
    if voiced is None and min_silence_ms == activity.min_silence_ms:
        return [
            Span(
                one.kind,
                one.start_ms,
                one.end_ms,
                one.confidence,
                voice=0 if one.kind == "speech" else None,
                music_score=one.music_score,
            )
            for one in activity.spans
        ]
    speech = trimmed(speech_of(activity, min_silence_ms), levels) if voiced is None else voiced
    return find_spans(levels, speech, min_silence_ms, _as_judged(activity))


def _as_judged(activity: AudioActivity) -> Judge:
    """Music is what activity takes for music."""
    music = [span for span in activity.spans if span.kind == "music"]

    def judge(sounds: Sequence[tuple[int, int]]) -> Iterator[Span]:
        at_ms, end_ms = sounds[0][0], sounds[-1][1]
        for span in music:
            low, high = max(span.start_ms, at_ms), min(span.end_ms, end_ms)
            if low < high:
                yield from _others(sounds, at_ms, low)
                yield Span("music", low, high, span.confidence, music_score=span.music_score)
                at_ms = high
        yield from _others(sounds, at_ms, end_ms)

    return judge


def _others(sounds: Sequence[tuple[int, int]], low: int, high: int) -> Iterator[Span]:
    """What sounds in ``[low, high)`` ms, neither speech nor music."""
    for start_ms, end_ms in sounds:
        if max(start_ms, low) < min(end_ms, high):
            yield Span("other", max(start_ms, low), min(end_ms, high), 1.0)
