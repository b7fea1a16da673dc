"""Where the beats fall: in music, and in speech over music whose pulse is clear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from functions.transcribe.features import FLUX_FRAMES_PER_S, Features
from functions.transcribe.spans import Span
from shared.media.beats import bar_phase, pulse_clarity, track_beats

Floats = NDArray[np.floating]

BEATS_PER_BAR = 4
_REST_MS = 2000
"""After so long a silence the music begins anew."""
_CLEAR = 0.3
"""Speech over a pulse clearer than this keeps its beats: of speech alone it is below 0.2."""
_CONTEXT_MS = 2000


@dataclass(frozen=True)
class Beat:
    """One beat. ``beat_index`` and ``bar_index`` count on from 0 over the whole recording."""

    time_ms: int
    beat_index: int
    bar_index: int
    subdivision: int
    """Its place in the bar, 1 to 4."""


@dataclass(frozen=True)
class Tempo:
    """The tempo of one stretch of music."""

    start_ms: int
    end_ms: int
    bpm: float


def find_beats(features: Features, spans: Sequence[Span]) -> tuple[list[Beat], list[Tempo]]:
    """All beats in order, and the tempo of each stretch that has some."""
    beats: list[Beat] = []
    tempi: list[Tempo] = []
    for group in _groups(spans):
        start_ms, end_ms = group[0].start_ms, group[-1].end_ms
        first = round(start_ms / 1000 * FLUX_FRAMES_PER_S)
        last = round(end_ms / 1000 * FLUX_FRAMES_PER_S)
        flux = features.flux[first:last]
        found = track_beats(flux, FLUX_FRAMES_PER_S)
        times_ms = start_ms + 1000 * found.times_s
        pulsing = [span for span in group if _has_beats(span, flux, start_ms)]
        times_ms = times_ms[_inside(times_ms, pulsing)]
        if len(times_ms) < 2:
            continue
        tempi.append(Tempo(pulsing[0].start_ms, pulsing[-1].end_ms, round(found.bpm, 2)))
        phase = bar_phase(_accents(features, times_ms), BEATS_PER_BAR)
        beats += _numbered(times_ms, phase, beats)
    return beats, tempi


def _groups(spans: Sequence[Span]) -> list[list[Span]]:
    """Stretches that belong together, without what holds no music and without long silences."""
    groups: list[list[Span]] = [[]]
    for span in spans:
        if span.kind == "silence" and span.end_ms - span.start_ms >= _REST_MS:
            groups.append([])
        else:
            groups[-1].append(span)
    trimmed = (_from_music_on(group[::-1])[::-1] for group in map(_from_music_on, groups))
    return [group for group in trimmed if group]


def _from_music_on(group: Sequence[Span]) -> list[Span]:
    """Without the silence and noise before the first music or speech; nothing where there is no music."""
    if not any(span.kind == "music" for span in group):
        return []
    first = next(index for index, span in enumerate(group) if span.kind in ("music", "speech"))
    return list(group[first:])


def _has_beats(span: Span, flux: Floats, start_ms: int) -> bool:
    if span.kind != "speech":
        return span.kind == "music"
    first, last = (
        max(0, round((edge_ms - start_ms) / 1000 * FLUX_FRAMES_PER_S))
        for edge_ms in (span.start_ms - _CONTEXT_MS, span.end_ms + _CONTEXT_MS)
    )
    return bool(np.median(pulse_clarity(flux[first:last], FLUX_FRAMES_PER_S)) > _CLEAR)


def _inside(times_ms: Floats, spans: Sequence[Span]) -> NDArray[np.bool_]:
    """Which of ``times_ms`` lie in one of ``spans``, or so little before that rounding did it."""
    inside = np.zeros(len(times_ms), bool)
    for span in spans:
        inside |= (times_ms >= span.start_ms - 20) & (times_ms < span.end_ms)
    return inside


def _accents(features: Features, times_ms: Floats) -> Floats:
    """How strongly the low end begins at each beat."""
    frames = np.round(times_ms / 1000 * FLUX_FRAMES_PER_S).astype(int)
    around = np.clip(frames[:, None] + np.arange(-1, 3), 0, len(features.low_flux) - 1)
    return np.asarray(features.low_flux[around].max(axis=1))


def _numbered(times_ms: Floats, phase: int, before: Sequence[Beat]) -> list[Beat]:
    """Beats before the first bar line make a bar of their own."""
    beat = before[-1].beat_index + 1 if before else 0
    bar = before[-1].bar_index + 1 if before else 0
    lead = (BEATS_PER_BAR - phase) % BEATS_PER_BAR
    return [
        Beat(
            round(float(at)),
            beat + index,
            bar + (lead + index) // BEATS_PER_BAR,
            (lead + index) % BEATS_PER_BAR + 1,
        )
        for index, at in enumerate(times_ms)
    ]
