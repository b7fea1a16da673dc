"""Which of ``shared.sound.beats``' beats count: those in music, or in speech over a clear pulse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.sound.beats import Section, pulse_clarity
from shared.sound.onsets import Tracks
from shared.sound.stretches import Span
from shared.sound.whole_loops import WholeLoop

Floats = NDArray[np.floating]

_CLEAR = 0.3
"""Speech over a pulse clearer than this keeps its beats: of speech alone it is below 0.2."""
_BED_POWER = 0.01
"""Between words what plays beneath is heard, no further down than 20 dB: who counts aloud is no music."""
_CONTEXT_MS = 2000
_EARLY_MS = 20
"""So little before a stretch a beat is still its own: rounding did it."""
_LAST_MS = 50
"""And so little before its end there is none: what begins there is what follows."""


@dataclass(frozen=True)
class Beat:
    """One beat. ``beat_index`` and ``bar_index`` count on from 0 over the whole recording."""

    time_ms: float
    beat_index: int
    bar_index: int
    subdivision: int
    """Its place in the bar, from 1."""


@dataclass(frozen=True)
class Tempo:
    """The tempo of one stretch of music."""

    start_ms: int
    end_ms: int
    bpm: float
    beats_per_bar: int
    confidence: float
    """How far onsets repeat at this tempo, 0 to 1."""
    repetition: float
    """How alike the sound is to itself some bars later, -1 to 1."""
    beat_count: int
    loop_score: float | None = None
    """How surely the recording is itself a loop of these beats, 0 to 1; ``None``: it is none."""


def find_beats(
    tracks: Tracks, spans: Sequence[Span], sections: Sequence[Section]
) -> tuple[list[Beat], list[Tempo]]:
    """All beats of ``sections`` that count, in order, and the tempo of each stretch that has some."""
    pulsing = [span for span in spans if _has_beats(span, tracks)]
    beats: list[Beat] = []
    tempi: list[Tempo] = []
    for section in sections:
        times_ms = 1000 * section.beats_s
        inside = np.flatnonzero(_inside(times_ms, pulsing))
        if len(inside) < 2:
            continue
        beats += _numbered(times_ms, inside, section, beats)
        tempi.append(_tempo(times_ms[inside], section, pulsing))
    return beats, _parted(tempi, beats)


def loop_beats(loop: WholeLoop, duration_ms: int, seconds: float) -> tuple[list[Beat], list[Tempo]]:
    """The beats of a recording of so many ``seconds`` that is itself a loop."""
    per_bar = loop.beats_per_bar
    beats = [
        Beat(
            round(1000 * seconds * beat / loop.beats, 1), beat, beat // per_bar, beat % per_bar + 1
        )
        for beat in range(loop.beats)
    ]
    tempo = Tempo(
        start_ms=0,
        end_ms=duration_ms,
        bpm=round(60 * loop.beats / seconds, 2),
        beats_per_bar=per_bar,
        confidence=round(loop.confidence, 4),
        repetition=round(loop.confidence, 4),
        beat_count=loop.beats,
        loop_score=round(loop.score, 4),
    )
    return beats, [tempo]


def _has_beats(span: Span, tracks: Tracks) -> bool:
    if span.kind != "speech":
        return span.kind == "music"
    first, last = (
        max(0, round(edge_ms / 1000 * tracks.frames_per_s))
        for edge_ms in (span.start_ms - _CONTEXT_MS, span.end_ms + _CONTEXT_MS)
    )
    clarity = pulse_clarity(tracks.flux_db[first:last], tracks.frames_per_s)
    power = tracks.power[first:last].astype(np.float64)
    bed = power.size and np.percentile(power, 10) > _BED_POWER * power.mean()
    return bool(bed and np.median(clarity) > _CLEAR)


def _inside(times_ms: Floats, spans: Sequence[Span]) -> NDArray[np.bool_]:
    """Which of ``times_ms`` lie in one of ``spans``."""
    inside = np.zeros(len(times_ms), bool)
    for span in spans:
        inside |= (times_ms >= span.start_ms - _EARLY_MS) & (times_ms < span.end_ms - _LAST_MS)
    return inside


def _tempo(times_ms: Floats, section: Section, pulsing: Sequence[Span]) -> Tempo:
    """From the beginning of the stretch that holds the first beat to the end of the last one's."""
    held = [
        span
        for span in pulsing
        if span.start_ms - _EARLY_MS <= times_ms[-1] and span.end_ms > times_ms[0]
    ]
    return Tempo(
        start_ms=held[0].start_ms,
        end_ms=held[-1].end_ms,
        bpm=round(section.bpm, 2),
        beats_per_bar=section.beats_per_bar,
        confidence=round(section.clarity, 4),
        repetition=round(section.repetition, 4),
        beat_count=len(times_ms),
    )


def _parted(tempi: Sequence[Tempo], beats: Sequence[Beat]) -> list[Tempo]:
    """None reaches into the next: the border lies between the last beat of one and the other's first."""
    made = list(tempi)
    first = 0
    for index in range(len(made) - 1):
        one, other = made[index], made[index + 1]
        first += one.beat_count
        if one.end_ms > other.start_ms:
            border_ms = round((beats[first - 1].time_ms + beats[first].time_ms) / 2)
            made[index] = replace(one, end_ms=border_ms)
            made[index + 1] = replace(other, start_ms=border_ms)
    return made


def _numbered(
    times_ms: Floats, inside: NDArray[np.intp], section: Section, before: Sequence[Beat]
) -> list[Beat]:
    """Beats before the first bar line make a bar of their own."""
    per_bar = section.beats_per_bar
    lead = (per_bar - section.phase) % per_bar
    places = lead + inside
    beat = before[-1].beat_index + 1 if before else 0
    bar = before[-1].bar_index + 1 if before else 0
    first_bar = int(places[0]) // per_bar
    return [
        Beat(
            round(float(times_ms[index]), 1),
            beat + number,
            bar + int(place) // per_bar - first_bar,
            int(place) % per_bar + 1,
        )
        for number, (index, place) in enumerate(zip(inside, places, strict=True))
    ]
