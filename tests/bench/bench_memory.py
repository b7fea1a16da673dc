"""What the steps of sound hold as a recording gets longer: three hours beside ten minutes.

    python -m tests.bench memory          ten minutes beside one
    python -m tests.bench long memory     three hours beside ten minutes

Each row is a process of its own that does the step and those it reads, and counts its largest process.
Words are heard by the model of twenty words: what it holds itself is nothing beside what is measured.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.bench_detect import OURS, Work, cost
from tests.bench.bench_transcribe import speech, use_model
from tests.bench.report import Row
from tests.functions.transcribe.harness import MODEL

STEPS = (
    "transform.loudness",
    "transform.normalise",
    "detect.activity",
    "detect.activity,detect.hits",
    "detect.activity,detect.loops",
    "detect.activity,detect.phrases",
    "detect.activity,transcribe.words",
    "detect.activity,transcribe.words,transcribe.semantics",
)


def measure() -> Iterator[Row]:
    """Ten minutes beside one."""
    yield from beside(600, 60)


def measure_long() -> Iterator[Row]:
    """Three hours beside ten minutes."""
    yield from beside(10_800, 600)


def beside(long_s: int, short_s: int) -> Iterator[Row]:
    """The peak of each step."""
    use_model(MODEL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = [speech(folder, seconds) for seconds in (long_s, short_s)]
        for steps in STEPS:
            work = Work(OURS, steps)
            peaks = [cost(work, source, folder / "numba").peak_mib for source in sources]
            what = f"{steps.replace(',', ', ')} of {long_s} s, beside {short_s} s: memory"
            yield Row(what, *peaks, "MiB", "ratio <= 1.2")
