"""The recording as one row of stretches: speech, music, silence, other.

They touch, never overlap, and cover everything from 0 to the end. Speech goes before all else: what
plays beneath it does not show. Grid: 10 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.sound.levels import BIN_MS, Levels, runs
from shared.sound.speech import Voiced

Kind = Literal["speech", "music", "silence", "other"]

_BRIDGED_MS = 1500
"""A rest in music is no longer."""
_SHORTEST_MS = 100
"""A stretch shorter than this joins its neighbour."""


@dataclass(frozen=True)
class Span:
    """One stretch, ``[start_ms, end_ms)``."""

    kind: Kind
    start_ms: int
    end_ms: int
    confidence: float
    voice: int | None = None
    """Of speech: whose."""
    music_score: float | None = None
    """Of music and other: how surely it is music."""


Judge = Callable[[Sequence[tuple[int, int]]], Iterable[Span]]
"""Tells music, with its rests, from other sounds: of stretches with no more than rests between them."""


def find_spans(
    levels: Levels, voiced: Sequence[Voiced], min_silence_ms: int, judge: Judge
) -> list[Span]:
    """Every stretch of the recording, in order. ``voiced`` is in order and does not overlap."""
    quiet = levels.quiet_runs(min_silence_ms)
    spans: list[Span] = []
    at = 0
    for one in _met(voiced, quiet, min_silence_ms):
        spans += _between(levels, quiet, at, one.start_ms, judge)
        spans.append(Span("speech", one.start_ms, one.end_ms, one.confidence, voice=one.voice))
        at = one.end_ms
    spans += _between(levels, quiet, at, levels.duration_ms, judge)
    return _tidied(spans, levels.duration_ms)


def _met(voiced: Sequence[Voiced], quiet: NDArray[np.bool_], min_silence_ms: int) -> list[Voiced]:
    """Stretches meet in the middle of a pause that is shorter and no silence: it is breath or room."""
    met = list(voiced)
    for at, (one, other) in enumerate(pairwise(voiced)):
        pause = quiet[one.end_ms // BIN_MS : -(-other.start_ms // BIN_MS)]
        if 0 < other.start_ms - one.end_ms < min_silence_ms and not pause.any():
            middle_ms = (one.end_ms + other.start_ms) // 2 // BIN_MS * BIN_MS
            met[at] = replace(met[at], end_ms=middle_ms)
            met[at + 1] = replace(met[at + 1], start_ms=middle_ms)
    return met


def trimmed(voiced: Sequence[Voiced], levels: Levels) -> list[Voiced]:
    """The same stretches without the quiet at their edges, which voice activity includes."""
    loud = ~levels.quiet()
    made = []
    for one in voiced:
        first, last = one.start_ms // BIN_MS, -(-one.end_ms // BIN_MS)
        sounding = np.flatnonzero(loud[first:last])
        if not len(sounding):
            made.append(one)
            continue
        start_ms = (first + int(sounding[0])) * BIN_MS
        end_ms = min((first + int(sounding[-1]) + 1) * BIN_MS, one.end_ms)
        made.append(replace(one, start_ms=start_ms, end_ms=end_ms))
    return made


def _between(
    levels: Levels, quiet: NDArray[np.bool_], start_ms: int, end_ms: int, judge: Judge
) -> Iterator[Span]:
    """The stretches of what lies between two stretches of speech."""
    first, last = -(-start_ms // BIN_MS), end_ms // BIN_MS
    silences = [
        (max(start_ms, (first + low) * BIN_MS), min(end_ms, (first + high) * BIN_MS))
        for low, high in runs(quiet[first:last])
    ]
    sounds = _complement(silences, start_ms, end_ms)
    pieces: list[Span] = []
    for group in _bridged(sounds):
        pieces += judge(group)
    filled: list[Span] = []
    at = start_ms
    for piece in [*pieces, Span("other", end_ms, end_ms, 0.0)]:
        if piece.start_ms > at:
            filled.append(_silence(levels, at, piece.start_ms))
        filled.append(piece)
        at = piece.end_ms
    yield from filled[:-1]


def _complement(
    holes: Sequence[tuple[int, int]], start_ms: int, end_ms: int
) -> list[tuple[int, int]]:
    edges = [start_ms, *(edge for hole in holes for edge in hole), end_ms]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]


def _bridged(sounds: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Groups of sounds with no more than a rest between them."""
    groups: list[list[tuple[int, int]]] = []
    for sound in sounds:
        if groups and sound[0] - groups[-1][-1][1] <= _BRIDGED_MS:
            groups[-1].append(sound)
        else:
            groups.append([sound])
    return groups


def _silence(levels: Levels, start_ms: int, end_ms: int) -> Span:
    """Sure by how far it lies below what counts as silence: 12 LU are certain."""
    below = levels.silence_below_lufs - levels.mean_lufs(start_ms, end_ms)
    confidence = 0.5 + min(max(below / 24, 0.0), 0.5)
    return Span("silence", start_ms, end_ms, confidence)


def _tidied(spans: Sequence[Span], duration_ms: int) -> list[Span]:
    """Without slivers: each joins the stretch before it, or the one after where there is none."""
    kept: list[Span] = []
    start_ms = 0
    for span in spans:
        short = span.end_ms - span.start_ms < _SHORTEST_MS and span.kind != "speech"
        same = bool(kept) and kept[-1].kind == span.kind != "speech"
        if kept and (short or same):
            kept[-1] = replace(kept[-1], end_ms=span.end_ms)
        elif short and span.end_ms < duration_ms:
            continue
        else:
            kept.append(replace(span, start_ms=start_ms if not kept else span.start_ms))
    return kept
