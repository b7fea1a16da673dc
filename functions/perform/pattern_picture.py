"""The picture of a performance: lanes of notes, automation, and the loudness of each beat.

A PNG 1,200 pixels wide, with beats from left to right and, from the top, a row for each lane of
notes (bars as tall as their velocity), two rows for each lane of automation (a line), and the
loudness of the beats. How high it is follows from the lanes. What lies outside the piece, such as a
note's end behind the last beat, is drawn at the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from functions.perform.pattern_rendering import Rendering
from shared.audio.modules.layers import MAX_VELOCITY
from shared.audio.score import ControlPoint, Note
from shared.contracts.plurals import many

if TYPE_CHECKING:
    from PIL import ImageDraw

_WIDTH, _MARGIN, _LABELS, _ROW, _LEVELS = 1_200, 16, 190, 22, 150
"""Pixels: the picture's width, the margin around, the labels' width, a row's and the levels'
height."""
_MAX_LANES = 48
"""More lanes than that are not drawn, and the picture says so."""
_FLOOR_LUFS = -50.0
"""A beat this soft or softer has no bar; also the peaks' floor, in dBFS."""
_PAPER, _INK, _GRID, _BAR_LINE = "#fbfaf7", "#222222", "#e6e2da", "#b9b2a5"
_AUTOMATION, _LOUDNESS, _PEAK = "#c2571a", "#3b6ea5", "#a03050"
_COLOURS = ("#3b6ea5", "#5a8f4e", "#8d5aa8", "#b07d2b", "#2f8f8a", "#a84f63")


class _Page:
    """Where things go: beats across, rows down."""

    def __init__(self, draw: ImageDraw.ImageDraw, beats: float) -> None:
        self.draw = draw
        self._beats = beats

    def x(self, beat: float) -> float:
        """Pixels from the left for a beat; before the first and behind the last, the edge."""
        wide = _WIDTH - _LABELS - _MARGIN
        return _LABELS + min(max(beat / self._beats, 0.0), 1.0) * wide

    def label(self, row_y: float, text: str) -> None:
        """Write a lane's name beside the row at ``row_y`` pixels; of a long one 27 letters."""
        shown = text if len(text) <= 28 else f"{text[:27]}…"
        self.draw.text((_MARGIN, row_y + 4), shown, fill=_INK)


def draw(rendering: Rendering, path: Path) -> None:
    """Write the picture as PNG.

    Its height follows from the lanes and is bounded by ``_MAX_LANES`` of each sort: 3,410 pixels.
    """
    from PIL import Image, ImageDraw

    score = rendering.score
    note_lanes = list(dict.fromkeys(note.lane for note in score.notes))
    point_lanes = list(dict.fromkeys(point.lane for point in score.points))
    shown_notes, shown_points = note_lanes[:_MAX_LANES], point_lanes[:_MAX_LANES]
    lanes = len(shown_notes) + 2 * len(shown_points)
    height = 3 * _MARGIN + _ROW * (lanes + 2) + _LEVELS
    image = Image.new("RGB", (_WIDTH, height), _PAPER)
    page = _Page(ImageDraw.Draw(image), float(score.length_beats))
    page.draw.text((_MARGIN, _MARGIN), _title(rendering, note_lanes, shown_notes), fill=_INK)
    top = _MARGIN + _ROW
    _draw_grid(page, rendering, top, height - _MARGIN)
    for index, lane in enumerate(shown_notes):
        colour = _COLOURS[index % len(_COLOURS)]
        _draw_notes(page, [n for n in score.notes if n.lane == lane], top, colour)
        top += _ROW
    for lane in shown_points:
        _draw_points(page, [p for p in score.points if p.lane == lane], top)
        top += 2 * _ROW
    _draw_levels(page, rendering, top + _MARGIN)
    image.save(path, "PNG")


def _title(rendering: Rendering, lanes: Sequence[str], shown: Sequence[str]) -> str:
    """Name, tempo and loudness.

    Pillow's own font has Latin-1 only, so other letters become ``?``.
    """
    loudness = rendering.integrated_lufs
    text = f"{rendering.score.name}   {rendering.tempo_bpm:g} BPM   "
    text += "silent" if loudness is None else f"{loudness:.1f} LUFS"
    hidden = len(lanes) - len(shown)
    text = f"{text}   ({many(hidden, 'more lane')})" if hidden else text
    return text.encode("latin-1", "replace").decode("latin-1")


def _draw_grid(page: _Page, rendering: Rendering, top: float, bottom: float) -> None:
    """A line for each beat, stronger where a bar begins; of 400 beats or more only some."""
    beats = len(rendering.loudness_rows)
    every = max(1, beats // 200)
    for row in rendering.loudness_rows[::every]:
        is_bar = row["label"].endswith(".1")
        x = page.x(row["beat"])
        page.draw.line([(x, top), (x, bottom)], fill=_BAR_LINE if is_bar else _GRID)


def _draw_notes(page: _Page, notes: Sequence[Note], top: float, colour: str) -> None:
    """A lane's notes as bars: as long as they are held, as tall as they are struck.

    Soft notes are still seen (15 % of the height at least), and so are short ones (2 pixels).
    """
    page.label(top, notes[0].lane)
    for note in notes:
        start, end = page.x(float(note.beats)), page.x(float(note.beats + note.length_beats))
        tall = (_ROW - 6) * max(0.15, note.velocity / MAX_VELOCITY)
        bottom = top + _ROW - 3
        page.draw.rectangle([start, bottom - tall, max(end - 2, start + 2), bottom], fill=colour)


def _draw_points(page: _Page, points: Sequence[ControlPoint], top: float) -> None:
    """A control's way: steps where a value stands alone, slopes where it is faded to.

    A micro fade (``smooth``) is drawn as the step that it nearly is at this scale.
    """
    page.label(top, points[0].lane)
    bottom, tall = top + 2 * _ROW - 4, 2 * _ROW - 8
    path: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda one: one.beats):
        x, y = page.x(float(point.beats)), bottom - tall * point.position
        if path and not (point.curve and not point.smooth):
            path.append((x, path[-1][1]))
        path.append((x, y))
    path.append((page.x(float("inf")), path[-1][1]))
    page.draw.line(path, fill=_AUTOMATION, width=2)


def _draw_levels(page: _Page, rendering: Rendering, top: float) -> None:
    """A bar for each beat's loudness and a line for the peak hold, from 0 to -50 dB."""
    page.label(top, "loudness (LUFS)")
    page.label(top + _ROW, "peak hold (line)")
    bottom = top + _LEVELS - _MARGIN
    hold: list[tuple[float, float]] = []
    for row in rendering.loudness_rows:
        start, end = page.x(row["beat"]), page.x(row["beat"] + 1)
        y = _height(row["lufs"], top, bottom)
        page.draw.rectangle([start + 1, y, max(end - 1, start + 1), bottom], fill=_LOUDNESS)
        hold_y = _height(row["peak_hold_dbfs"], top, bottom)
        hold += [(start, hold_y), (end, hold_y)]
    page.draw.line(hold, fill=_PEAK, width=2)


def _height(level_db: float | None, top: float, bottom: float) -> float:
    """Pixels from above: 0 dB at the top, the floor (and silence, ``None``) at the bottom."""
    way = 1.0 if level_db is None else min(max(level_db / _FLOOR_LUFS, 0.0), 1.0)
    return top + way * (bottom - top)
