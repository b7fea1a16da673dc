"""How well tempo and beats are heard of tracker music: real pieces whose rows are known.

    python -m tests.bench.quality_tracked FOLDER

``FOLDER``: modules (.mod, .s3m, .xm, .it) of Debian's games (``pingus-data``, ``heroes-sound-tracks``,
``tecnoballz-data``, ``biniax2-data``, ``freedroid-data`` and others), which libopenmpt plays. Notes begin
with rows. How many of them a beat lasts is the listener's affair: a tempo is right where that is one of
``ROWS_A_BEAT``, and beats are where rows so far apart begin, from whichever row of each pattern on. Bars of
four beats are counted from a pattern's first row, where the beats lie on such rows.
"""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.sound.attacks import STEPS_PER_S, find_onsets
from shared.sound.bar_lines import bar_phase
from shared.sound.beat_attacks import at_attacks
from shared.sound.beats import Section, hear_beats
from shared.sound.binned import Binned
from shared.sound.onsets import Tracks
from tests.onset_tracks import analyse

RATE_HZ, SECONDS, CHUNK = 44_100, 40, 64
ROWS_A_BEAT = (2, 3, 4, 6, 8, 12, 16)
NEAR = 0.03
BAR = 4
ON_ROWS = 0.6
"""Of the beats that begin a pattern's bars, the least share that lies on such rows."""
WITHIN_S = (0.005, 0.01, 0.02, 0.07)

Floats = NDArray[np.float64]


@dataclass
class Played:
    """``samples``: ``(frames, 2)``. ``rows_s``: when each row began; ``rows``: its number in its pattern."""

    samples: NDArray[np.float32]
    rows_s: Floats
    rows: NDArray[np.int64]


def library() -> ctypes.CDLL:
    """libopenmpt. Raises ``OSError`` where there is none."""
    found = ctypes.CDLL("libopenmpt.so.0")
    found.openmpt_module_create_from_memory2.restype = ctypes.c_void_p
    found.openmpt_module_read_interleaved_float_stereo.restype = ctypes.c_size_t
    return found


def play(openmpt: ctypes.CDLL, path: Path) -> Played:
    """The first ``SECONDS`` of a module, its peak at 0.9; when rows begin, to 1.5 ms."""
    data = path.read_bytes()
    nothing = (None,) * 7
    module = ctypes.c_void_p(
        openmpt.openmpt_module_create_from_memory2(data, ctypes.c_size_t(len(data)), *nothing)
    )
    buffer = np.zeros(2 * CHUNK, np.float32)
    chunks: list[NDArray[np.float32]] = []
    begun: list[tuple[float, int]] = []
    last, frames = None, 0
    while frames < SECONDS * RATE_HZ:
        count = openmpt.openmpt_module_read_interleaved_float_stereo(
            module, RATE_HZ, ctypes.c_size_t(CHUNK), ctypes.c_void_p(buffer.ctypes.data)
        )
        if not count:
            break
        row = openmpt.openmpt_module_get_current_row(module)
        if (place := (openmpt.openmpt_module_get_current_order(module), row)) != last:
            begun.append((frames / RATE_HZ, row))
            last = place
        chunks.append(buffer[: 2 * count].copy())
        frames += count
    openmpt.openmpt_module_destroy(module)
    samples = np.concatenate(chunks).reshape(-1, 2)
    rows_s, rows = (np.array(each) for each in zip(*begun, strict=True))
    return Played(0.9 * samples / max(float(np.abs(samples).max()), 1e-9), rows_s, rows)


def slope_energy(samples: NDArray[np.float32]) -> Floats:
    """As ``hearing`` measures it."""
    bins = Binned(RATE_HZ, STEPS_PER_S, np.add)
    bins.add(np.square(np.diff(samples, axis=0, prepend=samples[:1])).mean(axis=1))
    return np.asarray(bins.finish(), np.float64)


def judged(played: Played, beats_s: Floats) -> tuple[float, Floats]:
    """How many rows a beat lasts; which share of beats lies within each of ``WITHIN_S`` of its row."""
    lasts = float(
        np.median(np.diff(np.interp(beats_s, played.rows_s, np.arange(len(played.rows)))))
    )
    every = max(1, round(lasts))
    shares = [np.zeros(len(WITHIN_S))]
    for phase in range(every):
        grid_s = played.rows_s[played.rows % every == phase]
        if len(grid_s) > 1:
            apart_s = np.abs(beats_s[:, None] - grid_s).min(axis=1)
            shares.append(np.array([(apart_s <= within_s).mean() for within_s in WITHIN_S]))
    return lasts, max(shares, key=lambda each: float(each.sum()))


def bars_right(played: Played, section: Section, tracks: Tracks, every: int) -> list[bool]:
    """Is a bar told to begin where the pattern has it, heard from the first beat on, the second, third and
    fourth? Nothing for a piece whose patterns don't tell.
    """
    nearest = np.abs(section.beats_s[:, None] - played.rows_s).argmin(axis=1)
    place = played.rows[nearest] % (every * BAR)
    begins = np.minimum(place, every * BAR - place) <= 1
    shares = [begins[phase::BAR].mean() for phase in range(BAR)]
    if max(shares) < ON_ROWS or len(nearest) < 6 * BAR:
        return []
    frames, true = section.beats_s * tracks.frames_per_s, int(np.argmax(shares))
    told = (bar_phase(tracks.bands_db, frames[first:], BAR) for first in range(BAR))
    return [phase == (true - first) % BAR for first, phase in enumerate(told)]


@dataclass
class Judged:
    """``lasts``: rows a beat. ``before``, ``after`` beats come to their attacks: shares by ``WITHIN_S``."""

    name: str
    lasts: float
    before: Floats
    after: Floats
    bars: list[bool]


def pieces(folder: Path) -> Iterator[Judged]:
    openmpt, nothing = library(), np.zeros(len(WITHIN_S))
    for path in sorted(folder.iterdir()):
        played = play(openmpt, path)
        tracks = analyse([played.samples], RATE_HZ)
        sections = hear_beats(tracks)
        if not sections:
            yield Judged(path.name, 0.0, nothing, nothing, [])
            continue
        brought = at_attacks(sections, find_onsets(tracks, slope_energy(played.samples)))
        longest = max(range(len(sections)), key=lambda at: len(sections[at].beats_s))
        lasts, before = judged(played, sections[longest].beats_s)
        _, after = judged(played, brought[longest].beats_s)
        counts = any(abs(lasts / rows - 1) < NEAR for rows in ROWS_A_BEAT)
        bars = bars_right(played, sections[longest], tracks, round(lasts)) if counts else []
        yield Judged(path.name, lasts, before, after, bars)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    found = list(pieces(parser.parse_args().folder))
    for each in found:
        print(f"{each.name}: {each.lasts:.2f} rows a beat, {each.after.round(2)}, bars {each.bars}")
    lasting = np.array([each.lasts for each in found])
    near = np.abs(lasting[:, None] / ROWS_A_BEAT - 1).min(axis=1) < NEAR
    print(f"| {len(found)} pieces: a beat lasts {ROWS_A_BEAT} rows | {near.sum()} |")
    for at, within_s in enumerate(WITHIN_S):
        before, after = (
            np.mean([shares[at] for shares in side])
            for side in zip(*((each.before, each.after) for each in found), strict=True)
        )
        print(
            f"| beats within {1000 * within_s:.0f} ms of their row | {before:.3f} | {after:.3f} |"
        )
    bars = np.array([each.bars for each in found if each.bars])
    print(f"| bars of {len(bars)}, from each of the first four beats on | {bars.sum(axis=0)} |")


if __name__ == "__main__":
    main()
