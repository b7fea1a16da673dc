"""How well tempo and beats are heard of tracker music: real pieces whose rows are known.

    python -m tests.bench.quality_tracked FOLDER

``FOLDER``: modules (.mod, .s3m, .xm, .it) of Debian's games (``pingus-data``, ``heroes-sound-tracks``,
``tecnoballz-data``, ``biniax2-data``, ``freedroid-data`` and others), which libopenmpt plays. Notes begin
with rows. How many of them a beat lasts is the listener's affair: a tempo is right where that is one of
``ROWS_A_BEAT``, and beats are where rows so far apart begin, from whichever row of each pattern on.
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
from shared.sound.beat_attacks import at_attacks
from shared.sound.beats import hear_beats
from shared.sound.binned import Binned
from tests.onset_tracks import analyse

RATE_HZ, SECONDS, CHUNK = 44_100, 40, 64
ROWS_A_BEAT = (2, 3, 4, 6, 8, 12, 16)
NEAR = 0.03
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


def pieces(folder: Path) -> Iterator[tuple[str, float, Floats, Floats]]:
    """Of each its name, rows a beat, and the shares before and after beats come to their attacks."""
    openmpt = library()
    for path in sorted(folder.iterdir()):
        played = play(openmpt, path)
        tracks = analyse([played.samples], RATE_HZ)
        sections = hear_beats(tracks)
        brought = at_attacks(sections, find_onsets(tracks, slope_energy(played.samples)))
        if not sections:
            yield path.name, 0.0, np.zeros(len(WITHIN_S)), np.zeros(len(WITHIN_S))
            continue
        longest = max(range(len(sections)), key=lambda at: len(sections[at].beats_s))
        lasts, before = judged(played, sections[longest].beats_s)
        yield path.name, lasts, before, judged(played, brought[longest].beats_s)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    found = list(pieces(parser.parse_args().folder))
    for name, lasts, _, shares in found:
        print(f"{name}: {lasts:.2f} rows a beat, {shares.round(2)}")
    lasting = np.array([lasts for _, lasts, *_ in found])
    near = np.abs(lasting[:, None] / ROWS_A_BEAT - 1).min(axis=1) < NEAR
    print(f"| {len(found)} pieces: a beat lasts {ROWS_A_BEAT} rows | {near.sum()} |")
    for at, within_s in enumerate(WITHIN_S):
        before, after = (np.mean([each[side][at] for each in found]) for side in (2, 3))
        print(
            f"| beats within {1000 * within_s:.0f} ms of their row | {before:.3f} | {after:.3f} |"
        )


if __name__ == "__main__":
    main()
