"""What a part of a rendering leaves for the join: its segment, and small pictures to show.

One file, a stored zip: ``segment.mp4``; ``about.json`` with the ticks of its frames; ``FRAME.npy``
for each picture. Nothing in it is unpickled.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SEGMENT, _ABOUT = "segment.mp4", "about.json"


@dataclass(frozen=True)
class KeptSegment:
    """A part that was rendered."""

    segment: Path | None
    """``None``: it has no frames, or nothing is rendered at all."""
    ticks: Sequence[int] = ()
    """When each of its frames is shown, in ticks of the recording's own clock."""
    shown: Mapping[int, NDArray[np.uint8]] | None = None
    """Frame, counted through the recording -> a small picture, uint8 ``(height, width, 3)``."""


def write_kept(kept: KeptSegment, path: Path) -> None:
    """Put it in one file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_ABOUT, json.dumps({"ticks": list(kept.ticks)}))
        if kept.segment is not None:
            archive.write(kept.segment, _SEGMENT)
        for frame, picture in (kept.shown or {}).items():
            with archive.open(f"{frame}.npy", "w") as file:
                np.save(file, picture, allow_pickle=False)


def read_kept(path: Path, segment_path: Path) -> KeptSegment:
    """Take it apart; its segment, streamed and not held in memory, goes to ``segment_path``."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        ticks = json.loads(archive.read(_ABOUT))["ticks"]
        segment = None
        if _SEGMENT in names:
            segment = segment_path
            with archive.open(_SEGMENT) as coded, segment.open("wb") as file:
                shutil.copyfileobj(coded, file)
        shown = {}
        for name in names:
            if name.endswith(".npy"):
                with archive.open(name) as file:
                    shown[int(name.removesuffix(".npy"))] = np.load(file, allow_pickle=False)
    return KeptSegment(segment, ticks, shown)
