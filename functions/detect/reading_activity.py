"""What hits, loops and phrases read of the recording's activity.

``detect.activity`` has listened once; whoever builds on it reads its document and decodes the sound
only to cut. Times in it are ms of the recording, places here samples at the recording's rate.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared.contracts.audio_activity import AudioActivity
from shared.contracts.step_engine import Backend, Job
from shared.errors import ValidationError
from shared.watch.health import report

Floats = NDArray[np.float32]
"""``(values,)`` as they are unpacked from a series."""

SILENT_DBFS = -60.0
"""A recording that never rises above this is silent."""
STEP = "detect.activity"


class Listened:
    """The activity of the job's recording, its series unpacked when they are first asked for."""

    def __init__(self, job: Job) -> None:
        """Raises ``ValidationError`` where the job brings none, or one that cannot be read."""
        given = job.inputs.get(STEP, ())
        if not given:
            raise ValidationError(AudioActivity.kind, f"is missing: {STEP} makes it")
        self.activity = AudioActivity.read(given[0].path)

    @property
    def sample_rate_hz(self) -> int:
        """Of the recording."""
        return self.activity.sound.sample_rate_hz

    @property
    def samples(self) -> int:
        """Of each of the recording's channels."""
        return self.activity.sound.samples

    @property
    def silent(self) -> bool:
        """Nothing rises above ``SILENT_DBFS``."""
        peak = self.activity.heard.peak_dbfs
        return peak is None or peak < SILENT_DBFS

    @cached_property
    def peaks(self) -> Floats:
        """The highest magnitude of each step of the outline (20 ms), full scale 1."""
        waveform = self.activity.waveform
        return np.maximum(waveform.highest.values(), -waveform.lowest.values())

    def peak_dbfs(self, start: int, stop: int) -> float:
        """The highest magnitude of samples ``[start, stop)``, at least -120; to a step of the outline."""
        per_sample = 1000 / self.sample_rate_hz / self.activity.waveform.highest.step_ms
        first, last = int(start * per_sample), int(-(-stop * per_sample // 1))
        peak = float(self.peaks[first : max(last, first + 1)].max(initial=0.0))
        return float(20 * np.log10(max(peak, 1e-6)))

    def speech(self, surest: float = 0.0, shortest_ms: int = 0) -> list[tuple[float, float]]:
        """Start and end in ms of each stretch of speech that is so sure (0 to 1) and so long."""
        return [
            (span.start_ms, span.end_ms)
            for span in self.activity.spans
            if span.kind == "speech"
            and span.confidence >= surest
            and span.end_ms - span.start_ms >= shortest_ms
        ]


def reading_backend(step: str, revision: int, *packages: str) -> Backend:
    """What reads activity: ours; the stub where one of ``packages`` that activity calls is missing.

    ``revision`` is raised when the reader gives another result for the same activity.
    """
    found = {name: report(name) for name in packages}
    known = {name: one.dependency for name, one in found.items()}
    if any(one.status != "ok" for one in found.values()):
        return Backend("stub", f"{step}-stub-1", stub=True, dependencies=known)
    return Backend("rushes", f"{step}-{revision}", dependencies=known)
