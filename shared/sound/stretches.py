"""The recording as one row of stretches: speech, music, silence, other.

They touch, never overlap, and cover everything from 0 to the end. Speech goes before all else: what
plays beneath it does not show. Grid: 10 ms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.sound.hearing import BINS_PER_S, Heard
from shared.sound.loudness_meter import energy_lufs
from shared.sound.music import music_scores
from shared.sound.speech import Voiced

Kind = Literal["speech", "music", "silence", "other"]

QUIETEST_LUFS, LOUDEST_SILENCE_LUFS = -60.0, -45.0
BELOW_PROGRAMME_LU = 36.0
"""Silence is so far below the recording's own loudness, within the two limits."""
_BRIDGED_MS = 1500
"""A rest in music is no longer."""
_SHORTEST_MS = 100
"""A stretch shorter than this joins its neighbour."""
_BIN_MS = 1000 // BINS_PER_S


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


def find_spans(heard: Heard, voiced: Sequence[Voiced], min_silence_ms: int) -> list[Span]:
    """Every stretch of the recording, in order. ``voiced`` is in order and does not overlap."""
    quiet = _quiet_runs(heard, min_silence_ms)
    spans: list[Span] = []
    at = 0
    for one in voiced:
        spans += _between(heard, quiet, at, one.start_ms)
        spans.append(Span("speech", one.start_ms, one.end_ms, one.confidence, voice=one.voice))
        at = one.end_ms
    spans += _between(heard, quiet, at, heard.duration_ms)
    return _tidied(spans, heard.duration_ms)


def silence_below_lufs(heard: Heard) -> float:
    """What is softer counts as silence."""
    below = heard.integrated_lufs - BELOW_PROGRAMME_LU
    return min(max(below, QUIETEST_LUFS), LOUDEST_SILENCE_LUFS)


def trimmed(voiced: Sequence[Voiced], heard: Heard) -> list[Voiced]:
    """The same stretches without the quiet at their edges, which voice activity includes."""
    loud = ~_quiet(heard)
    made = []
    for one in voiced:
        first, last = one.start_ms // _BIN_MS, -(-one.end_ms // _BIN_MS)
        sounding = np.flatnonzero(loud[first:last])
        if not len(sounding):
            made.append(one)
            continue
        start_ms = (first + int(sounding[0])) * _BIN_MS
        end_ms = min((first + int(sounding[-1]) + 1) * _BIN_MS, one.end_ms)
        made.append(replace(one, start_ms=start_ms, end_ms=end_ms))
    return made


def _quiet_runs(heard: Heard, min_silence_ms: int) -> NDArray[np.bool_]:
    """For each 10 ms: does it belong to at least ``min_silence_ms`` of quiet?"""
    quiet = _quiet(heard)
    for first, last in _runs(quiet):
        if (last - first) * _BIN_MS < min_silence_ms:
            quiet[first:last] = False
    return quiet


def _quiet(heard: Heard) -> NDArray[np.bool_]:
    """For each 10 ms: is it below what counts as silence?"""
    bins = -(-heard.duration_ms // _BIN_MS)
    if not bins:
        return np.zeros(0, np.bool_)
    energy = np.pad(heard.energy[:bins], (0, max(0, bins - len(heard.energy))))
    # Over 50 ms: the zero crossings of a low tone are not silence.
    level = np.convolve(np.pad(energy, 2, mode="edge"), np.full(5, 0.2), "valid")
    return np.asarray(level < 10 ** ((silence_below_lufs(heard) + 0.691) / 10))


def _runs(marked: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _between(heard: Heard, quiet: NDArray[np.bool_], start_ms: int, end_ms: int) -> Iterator[Span]:
    """The stretches of what lies between two stretches of speech."""
    first, last = -(-start_ms // _BIN_MS), end_ms // _BIN_MS
    silences = [
        (max(start_ms, (first + low) * _BIN_MS), min(end_ms, (first + high) * _BIN_MS))
        for low, high in _runs(quiet[first:last])
    ]
    sounds = _complement(silences, start_ms, end_ms)
    pieces: list[Span] = []
    for group in _bridged(sounds):
        pieces += _judged(heard, group)
    filled: list[Span] = []
    at = start_ms
    for piece in [*pieces, Span("other", end_ms, end_ms, 0.0)]:
        if piece.start_ms > at:
            filled.append(_silence(heard, at, piece.start_ms))
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


def _judged(heard: Heard, sounds: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """Music with its rests, or other sounds with the silence between them."""
    start_ms, end_ms = sounds[0][0], sounds[-1][1]
    scores = music_scores(heard.features, heard.tracks, start_ms / 1000, end_ms / 1000)
    step_ms = (end_ms - start_ms) / len(scores)
    changes = [0, *(np.flatnonzero(np.diff(scores > 0.5)) + 1).tolist(), len(scores)]
    for first, last in pairwise(changes):
        low, high = (round(start_ms + edge * step_ms) for edge in (first, last))
        score = float(scores[first:last].mean())
        if score > 0.5:
            yield Span("music", low, high, score, music_score=score)
            continue
        for a, b in sounds:
            if max(a, low) < min(b, high):
                yield Span("other", max(a, low), min(b, high), 1 - score, music_score=score)


def _silence(heard: Heard, start_ms: int, end_ms: int) -> Span:
    """Sure by how far it lies below what counts as silence: 12 LU are certain."""
    level = energy_lufs(_mean_energy(heard, start_ms, end_ms))
    confidence = 0.5 + min(max((silence_below_lufs(heard) - level) / 24, 0.0), 0.5)
    return Span("silence", start_ms, end_ms, confidence)


def _mean_energy(heard: Heard, start_ms: int, end_ms: int) -> float:
    part = heard.energy[start_ms // _BIN_MS : -(-end_ms // _BIN_MS)]
    return float(part.mean()) if len(part) else 0.0


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


def window_loudness(heard: Heard, window_ms: int) -> list[float | None]:
    """The recording's loudness in LUFS over each ``window_ms``; ``None`` below -70."""
    bins = max(1, window_ms // _BIN_MS)
    return [
        _rounded(energy_lufs(float(heard.energy[first : first + bins].mean())))
        for first in range(0, len(heard.energy), bins)
    ]


def span_loudness(heard: Heard, span: Span, window_ms: int) -> float | None:
    """BS.1770-4 over one stretch, its gating block ``window_ms`` long; ``None`` for silence.

    Blocks overlap by 75 %; those below -70 LUFS, and 10 LU below the rest, don't count
    (equations 4 to 7). A stretch shorter than a block is measured whole.
    """
    energy = heard.energy[span.start_ms // _BIN_MS : max(span.end_ms // _BIN_MS, 1)]
    bins = max(4, window_ms // _BIN_MS)
    if len(energy) <= bins:
        return _rounded(energy_lufs(float(energy.mean()) if len(energy) else 0.0))
    total = np.concatenate([[0.0], np.cumsum(energy)])
    starts = np.arange(0, len(energy) - bins + 1, max(1, bins // 4))
    blocks = (total[starts + bins] - total[starts]) / bins
    loud = blocks[blocks > 10 ** ((-70 + 0.691) / 10)]
    if not len(loud):
        return None
    return _rounded(energy_lufs(float(loud[loud > 0.1 * loud.mean()].mean())))


def _rounded(lufs: float) -> float | None:
    return round(lufs, 2) if lufs > -70 else None
