"""Who speaks when: pieces of speech that sound alike are one speaker's.

a vector   of each piece of 1.6 s, one every 0.2 s                              (voice_vectors)
speakers   pieces joined while they are alike on average (agglomerative clustering); a cluster between
           two speakers is both of them at once, and little that is like nobody is nobody of its own
turns      the likeliest way through the speakers, where changing costs (Viterbi 1967)
overlap    around a change, pieces that are nearly as like the one as the other

Everything is deterministic: speakers are numbered by who speaks first. How many there are is not asked: the
likeness at which joining stops decides. Its errors (missed, false and confused speech, borders not judged
within 0.25 s, as NIST's evaluations have it) stand in docs/quality/speech.md, "Who speaks": it fails
where more than a tenth of the speech is several at once, and of who says little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from functions.transcribe.voice_vectors import voice_vectors
from shared.media.vad import RATE_HZ
from shared.sound.speech import Voiced

Floats = NDArray[np.float32]

PIECE_MS, HOP_MS = 1600, 200
"""As long as the network was trained on; whose a hop is tells the piece in whose middle it lies."""
_ALIKE, _SAME = 0.64, 0.8
"""Pieces less alike than the one on average are not joined; clusters whose means are more alike than the
other are one speaker."""
_BETWEEN, _LEAST_SHARE = 0.72, 0.25
"""A cluster that two speakers together are so much like, neither with less than a share, is an overlap."""
_LEAST_MS = 3000
"""Who is heard for less than this in all is nobody of their own."""
_MOST_CLUSTERED = 2000
"""Of a long recording (from 400 s of speech on) so many pieces are clustered, evenly drawn; the others join
whom they are like. Time and memory grow with its square: 2 million likenesses, 16 MB."""
_CHANGE = 0.35
"""What a change costs, in likeness of one piece; half of that where there is a pause."""
_BOTH, _BLURRED_MS = 0.85, 400
"""A piece that is not more like one of two speakers than this share of how far they are apart; pieces
reach over a change, so that so many on either side are."""


@dataclass(frozen=True)
class Turn:
    """Where one speaker is heard, ``[start_ms, end_ms)``; ``speaker`` counts from 0."""

    speaker: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class _Piece:
    """A hop of speech, and the sound around it that tells whose it is."""

    start_ms: int
    end_ms: int
    low_ms: int
    high_ms: int


def find_turns(
    voice: Floats, voiced: Sequence[Voiced], progress: Callable[[float], None]
) -> list[Turn]:
    """All turns of one voice (16 kHz), by their starts. Raises ``BackendFailed``.

    ``voice``: ``(samples,)``, float32; ``voiced``: where somebody speaks, in order. Empty without speech. It
    takes 0.04 to 0.05 s of processor a second of sound (docs/quality/speech.md).
    """
    pieces = [piece for one in voiced for piece in _pieces(one)]
    if not pieces:
        return []
    sounds = [voice[_samples(each.low_ms) : _samples(each.high_ms)] for each in pieces]
    return turns_of(pieces, voice_vectors(sounds, progress))


def share_at_once(turns_ms: Iterable[tuple[int, int]]) -> float:
    """Of the time in which somebody speaks, the share in which several do; 0 without turns."""
    edges = sorted(edge for start, end in turns_ms for edge in ((start, 1), (end, -1)))
    some_ms = several_ms = count = at_ms = 0
    for edge_ms, change in edges:
        some_ms += (edge_ms - at_ms) * (count > 0)
        several_ms += (edge_ms - at_ms) * (count > 1)
        count, at_ms = count + change, edge_ms
    return several_ms / some_ms if some_ms else 0.0


def turns_of(pieces: Sequence[_Piece], vectors: Floats) -> list[Turn]:
    """The turns that pieces with such vectors, ``(pieces, 256)`` of length 1, make: by their starts.

    Where one begins right behind another's, both may reach over the change: that is two at once.
    """
    speakers = _speakers(vectors)
    likeness = vectors @ speakers.T
    turns: list[Turn] = []
    for at, (piece, speaker) in enumerate(zip(pieces, _path(likeness, pieces), strict=True)):
        last = turns[-1] if turns and turns[-1].end_ms == piece.start_ms else None
        if last and last.speaker == speaker:
            turns[-1] = replace(last, end_ms=piece.end_ms)
            continue
        start_ms = piece.start_ms
        if last:
            pair = [last.speaker, speaker]
            apart = 1 - _alike(*speakers[pair])
            spoken = _without_pause(pieces, at)
            before_ms, after_ms = _overlap_ms(likeness[spoken][:, pair] / apart, at - spoken.start)
            start_ms = max(last.start_ms, start_ms - before_ms)
            turns[-1] = replace(last, end_ms=last.end_ms + after_ms)
        turns.append(Turn(speaker, start_ms, piece.end_ms))
    numbers = {known: at for at, known in enumerate(dict.fromkeys(t.speaker for t in turns))}
    return [replace(turn, speaker=numbers[turn.speaker]) for turn in turns]


def _without_pause(pieces: Sequence[_Piece], at: int) -> slice:
    """The pieces around that one between which nobody pauses."""
    first, stop = at, at + 1
    while first and pieces[first - 1].end_ms == pieces[first].start_ms:
        first -= 1
    while stop < len(pieces) and pieces[stop - 1].end_ms == pieces[stop].start_ms:
        stop += 1
    return slice(first, stop)


def _overlap_ms(likeness: Floats, at: int) -> tuple[int, int]:
    """How far a change at piece ``at`` is an overlap: the second from so early, the first until so late.

    ``likeness``: of each piece of a stretch to the first and to the second, as a share of how far the two
    are apart; ``at`` counts from the stretch's first piece.
    """
    both = np.abs(likeness[:, 0] - likeness[:, 1]) < _BOTH
    before = after = 0
    while at - before - 1 >= 0 and both[at - before - 1]:
        before += 1
    while at + after < len(both) and both[at + after]:
        after += 1
    blurred = _BLURRED_MS // HOP_MS
    return HOP_MS * max(0, before - blurred), HOP_MS * max(0, after - blurred)


def _pieces(one: Voiced) -> list[_Piece]:
    """Hops of one stretch; each is judged by up to 1.6 s of the stretch around it."""
    made = []
    for start_ms in range(one.start_ms, one.end_ms, HOP_MS):
        end_ms = min(start_ms + HOP_MS, one.end_ms)
        middle_ms = (start_ms + end_ms) // 2
        low_ms = max(one.start_ms, min(middle_ms - PIECE_MS // 2, one.end_ms - PIECE_MS))
        high_ms = min(one.end_ms, low_ms + PIECE_MS)
        made.append(_Piece(start_ms, end_ms, low_ms, high_ms))
    return made


def _samples(ms: int) -> int:
    return ms * RATE_HZ // 1000


def _speakers(vectors: Floats) -> Floats:
    """``(speakers, 256)``: the mean vector of each."""
    from scipy.cluster.hierarchy import fcluster, linkage

    step = -(-len(vectors) // _MOST_CLUSTERED)
    drawn = vectors[::step]
    if len(drawn) < 2:
        return drawn
    tree = linkage(drawn, "average", metric="cosine")
    labels = fcluster(tree, 1 - _ALIKE, criterion="distance")
    names, counts = np.unique(labels, return_counts=True)
    least = max(1, _LEAST_MS // HOP_MS // step)
    order = names[np.lexsort((names, -counts))]
    kept = order[: max(1, int((counts >= least).sum()))]
    sums: list[Floats] = []
    for name in kept:
        total = drawn[labels == name].sum(axis=0)
        alike = [_alike(total, each) for each in sums]
        if alike and max(alike) > _SAME:
            sums[int(np.argmax(alike))] += total
        elif not any(_is_between(total, pair) for pair in combinations(sums, 2)):
            sums.append(total)
    return np.stack([each / np.linalg.norm(each) for each in sums])


def _alike(one: Floats, other: Floats) -> float:
    """The cosine between two vectors of any length, here 0 to 1: what the network gives is not negative."""
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def _is_between(one: Floats, pair: tuple[Floats, Floats]) -> bool:
    """Is it what two speakers at once sound like?

    The sum of the two that is nearest to it (least squares) must be like it, with a good share of each.
    """
    both = np.stack([each / np.linalg.norm(each) for each in pair])
    shares = np.linalg.solve(both @ both.T, both @ one)
    if shares.min() < _LEAST_SHARE * shares.sum():
        return False
    return _alike(one, shares @ both) > _BETWEEN


def _path(likeness: Floats, pieces: Sequence[_Piece]) -> list[int]:
    """Whose each piece is. A change costs less where there is a pause.

    ``likeness``: ``(pieces, speakers)``. The way with the greatest sum, less its changes: A. J. Viterbi,
    "Error bounds for convolutional codes ...", IEEE Transactions on Information Theory 13(2), 1967.
    """
    best = likeness[0].copy()
    back = np.zeros(likeness.shape, np.intp)
    for at in range(1, len(likeness)):
        pause = pieces[at].start_ms > pieces[at - 1].end_ms
        changed = best.max() - (_CHANGE / 2 if pause else _CHANGE)
        back[at] = np.where(best >= changed, np.arange(len(best)), best.argmax())
        best = np.maximum(best, changed) + likeness[at]
    path = [int(best.argmax())]
    for at in range(len(likeness) - 1, 0, -1):
        path.append(int(back[at, path[-1]]))
    return path[::-1]
