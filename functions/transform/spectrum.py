"""The audition picture: what a transform did to the spectrum, before and after in one drawing.

    excerpts before, after -> mean power spectrum of windows under a Hann window (P. Welch, "The Use of Fast
    Fourier Transform for the Estimation of Power Spectra", IEEE Trans. Audio Electroacoust. 15(2), 1967, here
    of windows that do not overlap) -> summed into ``BANDS`` bands on a log scale -> two curves in a PNG

A spectrum over the whole recording shows what changed in tone, not in time: an echo hardly shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from functions.transform.effect import Rendered
from functions.transform.reading_back import Windows
from shared.contracts.step_engine import Job, Output

if TYPE_CHECKING:
    from PIL import ImageDraw

LOWEST_HZ, HIGHEST_HZ = 30.0, 20_000.0
BANDS = 120
"""13 an octave: narrower ones only draw the bins at the low end."""
RANGE_DB = 84.0
"""From the picture's top to its bottom; what is softer lies on the bottom."""

_WIDTH, _HEIGHT = 1200, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 1184, 40, 388
_RUN_LENGTHS = 3
"""zlib's strategy for flat colours: a third larger than by its usual one, in half the time."""
_BEFORE, _AFTER, _GRID, _TEXT = "#9a9a9a", "#c8401e", "#e4e4e4", "#444444"


def spectrum_db(windows: Windows, sample_rate_hz: int) -> NDArray[np.float64]:
    """Mean level of each of ``BANDS`` bands over all windows and channels, in dB: ``(BANDS,)``, float64.

    ``windows``: ``(windows, WINDOW_FRAMES, channels)``, full scale at 1. A full-scale sine's band is at
    about 0, less below some 200 Hz, where a bin is wider than a band. Bands are evenly spaced on a log
    scale; those beyond the sample rate's half, and all of silence, are -inf.
    """
    size = windows.shape[1]
    hann = np.hanning(size + 1)[:-1].astype(np.float32)
    power = np.zeros(size // 2 + 1)
    for first in range(0, len(windows), 16):
        # Side by side in memory, each window is transformed in half the time.
        sound = np.ascontiguousarray(windows[first : first + 16].transpose(0, 2, 1)) * hann
        spectra = np.fft.rfft(sound).reshape(-1, size // 2 + 1)
        power += (np.square(spectra.real) + np.square(spectra.imag)).sum(axis=0, dtype=np.float64)
    # Hann leaves 3/8 of the power, of which half is at negative frequencies; a full-scale sine's is 1/2.
    power *= 32 / (3 * size * max(windows.size, 1))
    total = np.concatenate([[0.0], np.cumsum(power)])
    places = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1) * size / sample_rate_hz
    # Between bins the sum is read off a straight line, so that narrow low bands are not empty.
    sums = np.diff(np.interp(places, np.arange(total.size) - 0.5, total))
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(sums))


def preview(job: Job, rendered: Rendered, title: str) -> Output:
    """The picture as an output of its step."""
    path = job.workdir / "preview.png"
    rate = job.media.heard.sample_rate_hz
    curves = [spectrum_db(windows, rate) for windows in (rendered.before, rendered.audio.excerpts)]
    draw_spectra(path, curves, title)
    shows = f"spectrum before and after {title}"
    return Output("preview", "preview", path, "image/png", {"shows": shows})


def draw_spectra(path: Path, curves_db: Sequence[NDArray[np.float64]], title: str) -> None:
    """A PNG: the first curve in grey, filled, the second over it in red. Same curves, same bytes."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_WIDTH, _HEIGHT), "#ffffff")
    draw = ImageDraw.Draw(image)
    levels = np.concatenate(curves_db)
    top_db = 6 * np.ceil(float(levels[np.isfinite(levels)].max(initial=-RANGE_DB)) / 6) + 6
    _draw_grid(draw, top_db)
    for curve, colour in zip(curves_db, (_BEFORE, _AFTER), strict=True):
        points = _points(curve, top_db)
        if colour == _BEFORE:
            draw.polygon([(_LEFT, _BOTTOM), *points, (_RIGHT, _BOTTOM)], fill="#efefef")
        draw.line(points, fill=colour, width=2)
    draw.text((_LEFT, 10), title, fill="#222222", font_size=16)
    draw.text((_RIGHT - 60, 12), "before", fill=_BEFORE, font_size=14, anchor="ra")
    draw.text((_RIGHT, 12), "after", fill=_AFTER, font_size=14, anchor="ra")
    image.save(path, format="PNG", compress_type=_RUN_LENGTHS)


def _points(curve_db: NDArray[np.float64], top_db: float) -> list[tuple[float, float]]:
    """A curve's corners in pixels, ``BANDS`` of them; what lies above or below the picture is at its edge."""
    depth_db = np.clip(top_db - curve_db, 0, RANGE_DB)
    across = _LEFT + (np.arange(BANDS) + 0.5) * (_RIGHT - _LEFT) / BANDS
    down = _TOP + depth_db * (_BOTTOM - _TOP) / RANGE_DB
    return [(round(float(x), 2), round(float(y), 2)) for x, y in zip(across, down, strict=True)]


def _draw_grid(draw: ImageDraw.ImageDraw, top_db: float) -> None:
    octaves = np.log(HIGHEST_HZ / LOWEST_HZ)
    for hz in (50, 100, 200, 500, 1000, 2000, 5000, 10_000):
        x = _LEFT + (_RIGHT - _LEFT) * float(np.log(hz / LOWEST_HZ) / octaves)
        draw.line((x, _TOP, x, _BOTTOM), fill=_GRID)
        text = f"{hz} Hz" if hz < 1000 else f"{hz // 1000} kHz"
        draw.text((x, _BOTTOM + 6), text, fill=_TEXT, font_size=13, anchor="ma")
    for step in range(0, int(RANGE_DB) + 1, 12):
        y = _TOP + step * (_BOTTOM - _TOP) / RANGE_DB
        draw.line((_LEFT, y, _RIGHT, y), fill=_GRID)
        draw.text((_LEFT - 6, y), f"{top_db - step:.0f} dB", fill=_TEXT, font_size=12, anchor="rm")
