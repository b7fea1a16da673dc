"""A track's clips in rows: other programs know no clips that overlap within a track."""

from __future__ import annotations

from shared.contracts.timeline_checks import Edges, edges_of
from shared.contracts.timeline_parts import Track

_TOUCH_MS = 1e-6


def layers_of(track: Track) -> list[list[Edges]]:
    """The clips in rows in which none overlaps another, other than by a crossfade.

    Each row in order of time; one empty row for a track without clips. All clips must have ends.
    """
    layers: list[list[Edges]] = []
    before: list[Edges] = []
    for edges in edges_of(track):
        joined = [before] if edges.into.crossfade else []
        free = [layer for layer in layers if _end_ms(layer[-1]) <= edges.clip.start_ms + _TOUCH_MS]
        if not joined and not free:
            layers.append([])
        before = (joined or free or layers[-1:])[0]
        before.append(edges)
    return layers or [[]]


def _end_ms(edges: Edges) -> float:
    assert edges.clip.duration_ms is not None
    return edges.clip.start_ms + edges.clip.duration_ms
