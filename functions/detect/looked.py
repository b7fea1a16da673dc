"""What one pass of ``detect.visual_meta`` leaves: of a recording, or of a part, kept in a file.

The file is NumPy's ``npz``, read without pickles. Frames are counted from the part's first, times
are those of the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from functions.detect.dissolves import Gradual
from functions.detect.subject import Picture, Subject


@dataclass(frozen=True)
class Look:
    """One sample, before the shots are known."""

    frame: int
    time_ms: float
    subject: Subject
    motion: float
    """Picture widths a second; 0 for the first frame that was looked at."""


@dataclass
class Looked:
    """All that was seen. Frames are counted from the first of the recording, or of the part."""

    times_ms: list[float] = field(default_factory=list)
    """Of every frame."""
    looks: list[Look] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    """The first frame of each shot after the first that begins at once."""
    gradual: list[Gradual] = field(default_factory=list)
    """Of a part: those that end in it, wherever they began."""
    pictures: list[tuple[int, Picture]] = field(default_factory=list)
    """Frames that the contact sheet may show."""
    damage: str | None = None


def write_looked(looked: Looked, path: Path) -> None:
    """Keep what was seen in one part, be it nothing."""
    looks, gradual = looked.looks, looked.gradual
    pictures: dict[str, Any] = {
        f"picture_{number}": picture for number, (_, picture) in enumerate(looked.pictures)
    }
    measured = [
        (one.time_ms, one.subject.x, one.subject.y, one.subject.confidence, one.motion)
        for one in looks
    ]
    with path.open("wb") as file:
        np.savez(
            file,
            times_ms=np.array(looked.times_ms, np.float64),
            cuts=np.array(looked.cuts, np.int64),
            gradual=np.array([(one.first_frame, one.last_frame) for one in gradual], np.int64),
            gradual_kinds=np.array([one.kind for one in gradual], np.str_),
            looks=np.array([one.frame for one in looks], np.int64),
            measured=np.array(measured, np.float64),
            subjects=np.array([one.subject.kind for one in looks], np.str_),
            shown=np.array([frame for frame, _ in looked.pictures], np.int64),
            damage=np.array(looked.damage or ""),
            **pictures,
        )


def joined_looked(files: Sequence[Path]) -> Looked:
    """What all parts saw, their frames counted on.

    Parts are in order. Nothing is judged anew: each has told of its own cuts and transitions,
    having looked at frames around it. The first damage that is told stands for all.
    """
    whole = Looked()
    for path in files:
        part, first = _read(path), len(whole.times_ms)
        whole.times_ms += part.times_ms
        whole.cuts += [first + cut for cut in part.cuts]
        whole.looks += [replace(look, frame=first + look.frame) for look in part.looks]
        whole.gradual += [
            Gradual(one.kind, first + one.first_frame, first + one.last_frame)
            for one in part.gradual
        ]
        whole.pictures += [(first + frame, picture) for frame, picture in part.pictures]
        whole.damage = whole.damage or part.damage
    return whole


def _read(path: Path) -> Looked:
    """A part's file; its pictures are uint8 ``(height, width, 3)``."""
    with np.load(path, allow_pickle=False) as kept:
        rows = zip(
            kept["looks"].tolist(),
            kept["measured"].tolist(),
            kept["subjects"].tolist(),
            strict=True,
        )
        looks = [
            Look(frame, time_ms, Subject(x, y, kind, sure), motion)
            for frame, (time_ms, x, y, sure, motion), kind in rows
        ]
        ends = zip(kept["gradual_kinds"].tolist(), kept["gradual"].tolist(), strict=True)
        return Looked(
            times_ms=kept["times_ms"].tolist(),
            looks=looks,
            cuts=kept["cuts"].tolist(),
            gradual=[Gradual(kind, first, last) for kind, (first, last) in ends],
            pictures=[
                (frame, kept[f"picture_{number}"])
                for number, frame in enumerate(kept["shown"].tolist())
            ],
            damage=str(kept["damage"]) or None,
        )
