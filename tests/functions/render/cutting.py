"""Edit lists, and recordings to be cut by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from functions.render.cut.sounding import CutSound, write_cut
from shared.contracts.edit_list import Edit, EditList, edit_id_of, ms_at
from shared.editing.time_map import derived_keeps, new_samples
from tests.shared.media.recordings import probed

RATE = 48_000
Sound = NDArray[np.float64]


def edit(action: str, start_ms: float, end_ms: float, **more: Any) -> Edit:
    name = edit_id_of(action, "range", start_ms, end_ms, *more.values())
    told = {"edit_id": name, "reason": "range", "confidence": 1.0}
    return Edit(action=action, start_ms=start_ms, end_ms=end_ms, **{**told, **more})  # type: ignore[arg-type]


def edit_list(*edits: Edit, samples: int, rate: int = RATE) -> EditList:
    keeps = derived_keeps(edits, samples, rate)
    return EditList(
        duration_ms=ms_at(samples, rate),
        sample_rate_hz=rate,
        new_duration_ms=ms_at(new_samples(keeps, rate), rate),
        edits=tuple(sorted(edits, key=lambda one: (one.start_ms, one.end_ms, one.edit_id))),
        keeps=keeps,
    )


def recording(path: Path, sound: Sound, rate: int = RATE) -> Path:
    soundfile.write(path, sound, rate, subtype="FLOAT")
    return path


def cut(
    source: Path, edits: EditList, rate: int = RATE, channels: int = 1
) -> tuple[Sound, CutSound]:
    """What is heard, ``(frames, channels)``."""
    folder = source.parent / f"{source.stem}_cut"
    folder.mkdir(exist_ok=True)
    made = write_cut(folder / "cut.f32", source, probed(source), edits, (rate, channels))
    sound = np.fromfile(folder / "cut.f32", "<f4").reshape(-1, channels)
    assert [path.name for path in folder.iterdir()] == ["cut.f32"], "no scratch is left"
    return sound.astype(np.float64), made


def noise(frames: int, level: float = 0.1, seed: int = 1, channels: int = 1) -> Sound:
    return level * np.random.default_rng(seed).standard_normal((frames, channels)).clip(-3, 3)


def level_db(sound: Sound) -> float:
    """RMS in dBFS."""
    return float(10 * np.log10(np.square(sound).mean() + 1e-30))
