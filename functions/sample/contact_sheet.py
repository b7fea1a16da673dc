"""The pack at a glance: every sound's outline under its name, hits by kind.

Outlines are drawn of the bytes that go into the zip, one segment at a time; only they are kept.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from functions.sample.members import Member
from shared.media.sheets import Picture, Tile, draw_sheet

MOST_TILES = 240
"""Of the sheet, which stays a picture that programs open."""
_COLUMNS, _WIDTH, _HEIGHT = 6, 200, 64
"""Tiles in a row, and a tile's width and height in pixels."""
_INK = {"hit": (60, 85, 230), "loop": (99, 157, 31), "phrase": (222, 111, 47)}
"""Sort -> blue, green, red."""

Outline = NDArray[np.float32]
"""``(_WIDTH,)``, magnitudes, full scale 1.0."""


def outline(wav: bytes, *, sounding_ms: float) -> Outline:
    """The highest magnitude of each column; the silence that fills a hit's file is not shown.

    Of ``wav``, a file's bytes, the first ``sounding_ms`` count. A sound of fewer samples than
    columns shows some of them twice; one of none is a flat line.
    """
    import soundfile

    with soundfile.SoundFile(io.BytesIO(wav)) as file:
        sound = file.read(round(sounding_ms * file.samplerate / 1000), "float32", always_2d=True)
    level = np.abs(sound).max(axis=1, initial=0.0)
    edges = np.linspace(0, len(level), _WIDTH + 1).astype(int)
    parts = [level[a : max(b, a + 1)] for a, b in pairwise(edges)]
    return np.array([part.max(initial=0.0) for part in parts], np.float32)


def draw_contact_sheet(path: Path, title: str, members: Sequence[tuple[Member, Outline]]) -> None:
    """A PNG; of a very large pack the first ``MOST_TILES`` are shown, and the title says so."""
    shown = members[:MOST_TILES]
    more = f" (the first {len(shown)} of {len(members)})" if len(shown) < len(members) else ""
    tiles = [Tile(_picture(line, member.sort.thing), member.name) for member, line in shown]
    blank = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    draw_sheet(path, title + more, tiles or [Tile(blank, "nothing")], columns=_COLUMNS)


def _picture(line: Outline, sort: str) -> Picture:
    """Each scaled to its own peak, so that soft takes can be seen: uint8 ``(height, width, 3)``."""
    reach = np.maximum(line / max(float(line.max()), 1e-9), 0.02) * (_HEIGHT / 2 - 4)
    rows = np.abs(np.arange(_HEIGHT)[:, None] - _HEIGHT / 2)
    picture = np.full((_HEIGHT, _WIDTH, 3), 246, np.uint8)
    picture[rows <= reach[None, :]] = _INK[sort]
    return picture
