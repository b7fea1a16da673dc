"""What was seen in the parts of a long recording, kept in files and put together again.

Detections are kept, not tracks: those are followed through the joined recording, so a face that is
there while one part ends and the next begins is one track, as if nothing had been split. A file is
NumPy's ``npz``, read without pickles. Frames are counted from the part's first, and in the joined
recording from its own; times are the recording's throughout.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from functions.detect.seen import Seen
from functions.detect.tracking import Sample, Tracker


def write_seen(seen: Seen, path: Path) -> None:
    """Keep what was seen in one part, without its tracks.

    ``boxes`` are all samples' one behind the other, float64 ``(n, 5)``; ``found`` says how many
    each sample has, so that samples with none are kept, too.
    """
    samples = seen.tracker.samples
    places = list(seen.crops)
    pictures: dict[str, Any] = {
        f"shown_{number}": picture for number, (_, picture) in enumerate(seen.shown)
    }
    pictures |= {f"crop_{number}": seen.crops[place][1] for number, place in enumerate(places)}
    with path.open("wb") as file:
        np.savez(
            file,
            frames=np.array([sample.frame for sample in samples], np.int64),
            found=np.array([len(sample.boxes) for sample in samples], np.int64),
            boxes=np.concatenate([np.zeros((0, 5)), *(sample.boxes for sample in samples)]),
            ticks=np.array(seen.ticks, np.int64),
            times_ms=np.array(seen.times_ms, np.float64),
            cuts=np.array(seen.cuts, np.int64),
            damage=np.array(seen.damage or ""),
            shown=np.array([frame for frame, _ in seen.shown], np.int64),
            places=np.array(places, np.float64).reshape(-1, 3),
            worths=np.array([seen.crops[place][0] for place in places], np.float64),
            **pictures,
        )


def joined_seen(files: Sequence[Path], seen: Seen, most_shown: int) -> Seen:
    """``seen``, which is empty, with all that the parts saw, their frames counted on.

    Of the parts' pictures ``most_shown`` at most are kept, evenly. The first damage that is told
    stands for all. A cut that two parts tell, at the border, is one.
    """
    samples: list[Sample] = []
    shown = []
    for path in files:
        first = len(seen.ticks)
        with np.load(path, allow_pickle=False) as kept:
            seen.ticks += kept["ticks"].tolist()
            seen.times_ms += kept["times_ms"].tolist()
            seen.cuts += [first + cut for cut in kept["cuts"].tolist()]
            seen.damage = seen.damage or str(kept["damage"]) or None
            boxes = np.split(kept["boxes"], np.cumsum(kept["found"])[:-1])
            for frame, found in zip((first + kept["frames"]).tolist(), boxes, strict=False):
                samples.append(Sample(frame, seen.times_ms[frame], found))
            for number, frame in enumerate(kept["shown"].tolist()):
                shown.append((first + frame, kept[f"shown_{number}"]))
            for number, (frame, left, top) in enumerate(kept["places"].tolist()):
                look = float(kept["worths"][number]), kept[f"crop_{number}"]
                seen.crops[first + int(frame), left, top] = look
    seen.cuts = sorted(set(seen.cuts))
    every = max(1, -(-len(shown) // most_shown))
    seen.shown = shown[::every]
    for sample in _with_cuts(samples, seen.cuts):
        seen.tracker.add(sample)
    return seen


def empty_seen(tracker: Tracker) -> Seen:
    """Before anything was looked at, in the recording's own pixels."""
    return Seen(tracker, np.ones(2))


def _with_cuts(samples: Sequence[Sample], cuts: Sequence[int]) -> Iterator[Sample]:
    """The samples, each told whether a cut lies between it and the one before."""
    last = 0
    for one in samples:
        cut = bisect(cuts, last) < bisect(cuts, one.frame)
        yield Sample(one.frame, one.time_ms, one.boxes, cut)
        last = one.frame
