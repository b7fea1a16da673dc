"""What hits, loops and phrases share: limits, reading and cutting ranges, the files that come out.

The sound is decoded once more, block by block, and each segment is cut from the few blocks that
hold it, shaped, written as WAV and described. Places are samples of the recording at its own rate,
half open; what is told to others is in ms, to the microsecond.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from shared.contracts.detections import SUMMARIES
from shared.contracts.step_engine import Job, Output, SoundParams, check_range
from shared.errors import ValidationError
from shared.media.outline import draw_outline

Samples = NDArray[np.float32]
"""``(samples, channels)``, full scale 1.0."""

SHORTEST_MS = 500
"""The bounds of every segment's length."""
LONGEST_MS = 30_000


class SegmentParams(SoundParams):
    """What every detection lets its user set."""

    min_duration_ms: int = SHORTEST_MS
    """No segment is shorter, 500 to 30,000."""
    max_duration_ms: int = LONGEST_MS
    """No segment is longer, 500 to 30,000."""
    min_quality_score: float = 0.05
    """Segments that score less are left out. Clamped to 0..1."""

    @field_validator("min_quality_score")
    @classmethod
    def _clamp(cls, score: float) -> float:
        return min(max(score, 0.0), 1.0)

    @model_validator(mode="after")
    def _check_durations(self) -> Self:
        check_range("min_duration_ms", self.min_duration_ms, SHORTEST_MS, LONGEST_MS)
        check_range("max_duration_ms", self.max_duration_ms, SHORTEST_MS, LONGEST_MS)
        if self.min_duration_ms > self.max_duration_ms:
            raise ValidationError("min_duration_ms", "is greater than max_duration_ms")
        return self


@dataclass(frozen=True)
class Segment:
    """A part of the recording: samples ``[start, stop)``."""

    start: int
    stop: int
    score: float
    """How useful, 0 to 1."""
    confidence: float
    """How sure it is what it is said to be, 0 to 1."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What its kind says beside these: plain JSON, floats rounded."""
    lead: int = 0
    """So many samples at its beginning come before its sound, and may be faded."""
    before: int = 0
    """So many samples before ``start`` are also handed to what shapes it."""

    def described(self, sample_rate_hz: int) -> dict[str, Any]:
        """The segment as meta and summary have it."""
        return {
            "start_ms": in_ms(self.start, sample_rate_hz),
            "end_ms": in_ms(self.stop, sample_rate_hz),
            "score": round(self.score, 4),
            "confidence": round(self.confidence, 4),
            **self.more,
        }


def in_ms(samples: float, sample_rate_hz: int) -> float:
    """Milliseconds, to the microsecond."""
    return round(1000 * samples / sample_rate_hz, 3)


def windows(blocks: Iterable[Samples], ranges: Sequence[tuple[int, int]]) -> Iterator[Samples]:
    """The samples ``[start, stop)`` of each range, out of one pass over a recording's blocks.

    ``ranges`` are in order of their start and may overlap. What lies past the end is missing from
    the window; one that lies past it whole is ``(0, 1)`` or ``(0, channels)``. Holds one window and
    one block.
    """
    source = iter(blocks)
    held: deque[Samples] = deque()
    first = end = 0
    for start, stop in ranges:
        while True:
            while held and first + len(held[0]) <= start:
                first += len(held.popleft())
            block = next(source, None) if end < stop else None
            if block is None:
                break
            held.append(block)
            end += len(block)
        yield _joined(held, start - first, stop - first)


def _joined(held: Iterable[Samples], start: int, stop: int) -> Samples:
    """The samples ``[start, stop)`` of the blocks, counted from the first block's beginning."""
    parts: list[Samples] = []
    for block in held:
        parts.append(block[max(start, 0) : max(stop, 0)])
        start, stop = start - len(block), stop - len(block)
    return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)


_FADE_S = 0.0058
"""So long a fade no ear notices and no click survives: 256 samples at 44.1 kHz."""


def fade_samples(samples: Samples, sample_rate_hz: int) -> int:
    """How long a cut's own fade is: ``_FADE_S`` at any rate, or a quarter of what is shorter."""
    return min(len(samples) // 4, round(_FADE_S * sample_rate_hz))


def fade(samples: Samples, fade_in: int, fade_out: int) -> Samples:
    """A copy whose first and last samples rise from and fall to zero in a straight line.

    ``(samples, channels)``; ``fade_in`` and ``fade_out`` are samples, as far as there are so many.
    """
    faded = samples.copy()
    for wanted, part in ((fade_in, faded), (fade_out, faded[::-1])):
        count = min(wanted, len(faded))
        part[:count] *= (np.arange(count, dtype=np.float32) / max(count, 1))[:, None]
    return faded


def write_wav(path: Path, samples: Samples, sample_rate_hz: int) -> None:
    """24-bit PCM; float where the recording exceeds full scale, so that nothing is clipped."""
    import soundfile

    beyond = samples.size and float(np.abs(samples).max()) > 1.0
    wav = io.BytesIO()  # written to a path, soundfile would wait for the disk each time
    soundfile.write(wav, samples, sample_rate_hz, "FLOAT" if beyond else "PCM_24", format="WAV")
    data = bytearray(wav.getbuffer())
    # libsndfile writes the time of day into a float file's PEAK chunk: id, size, version, time.
    if beyond and (at := data.find(b"PEAK", 0, 256)) >= 0:
        data[at + 12 : at + 16] = bytes(4)
    path.write_bytes(data)


@dataclass(frozen=True)
class Detection:
    """What one detection found in one recording, and how its artifacts are called."""

    thing: str
    """``hit``, ``loop``, ``phrase``: kinds and names derive from it."""
    sample_rate_hz: int
    """The recording's, and that of the cut files."""
    samples: int
    """Of each of the recording's channels."""
    peaks: NDArray[np.float32]
    """The recording's outline: highest magnitudes, evenly spaced."""
    segments: Sequence[Segment]
    about: Mapping[str, Any] = field(default_factory=dict)
    """What the summary says beside its segments; short values also stand in its meta."""

    @property
    def duration_ms(self) -> int:
        """The recording's length."""
        return round(1000 * self.samples / self.sample_rate_hz)

    def name(self, index: int) -> str:
        """Of the artifact of ``segments[index]``."""
        return f"{self.thing}_{index + 1:04d}"

    def outputs(
        self,
        job: Job,
        blocks: Iterable[Samples],
        shape: Callable[[Samples, Segment], Samples],
        describe: Callable[[Samples, Segment], Mapping[str, Any]] | None = None,
    ) -> list[Output]:
        """Cut each segment, and add the summary and the picture.

        Segments are in order of ``start - before``. ``shape`` turns what was read (``before`` and
        the segment) into the segment's final samples; ``describe`` says more of it. One segment is
        in memory at a time. Raises what decoding raises.
        """
        made: list[Output] = []
        told: list[dict[str, Any]] = []
        ranges = [(segment.start - segment.before, segment.stop) for segment in self.segments]
        for index, read in enumerate(windows(blocks, ranges)):
            segment, name = self.segments[index], self.name(index)
            path = job.workdir / f"{name}.wav"
            cut = shape(read, segment)
            write_wav(path, cut, self.sample_rate_hz)
            told.append(segment.described(self.sample_rate_hz))
            if describe is not None:
                told[-1] |= describe(read, segment)
            meta = {
                **told[-1],
                "sample_rate_hz": self.sample_rate_hz,
                "channels": cut.shape[1],
            }
            made.append(Output(f"audio_{self.thing}", name, path, "audio/wav", meta))
            job.progress(0.6 + 0.35 * (index + 1) / len(ranges))
        return [*made, self._summary(job, told), self._preview(job)]

    def _summary(self, job: Job, told: Sequence[Mapping[str, Any]]) -> Output:
        """The document with a row for each segment; its meta has the head and what is short."""
        rows = [{**each, "artifact": self.name(index)} for index, each in enumerate(told)]
        head = {"duration_ms": self.duration_ms, "segment_count": len(rows)}
        path = job.workdir / f"{self.thing}s.json"
        body = {**head, **self.about, "segments": rows}
        SUMMARIES[self.thing].model_validate(body).write(path)
        short = {name: value for name, value in self.about.items() if not isinstance(value, list)}
        kind = f"audio_{self.thing}s"
        return Output(kind, f"{self.thing}s", path, "application/json", {**head, **short})

    def _preview(self, job: Job) -> Output:
        """The recording's outline with the segments marked."""
        path = job.workdir / "preview.png"
        cuts = [(cut.start / self.samples, cut.stop / self.samples) for cut in self.segments]
        title = f"{len(cuts)} {self.thing}{'' if len(cuts) == 1 else 's'}"
        draw_outline(path, self.peaks, {self.thing: cuts}, title, self.duration_ms / 1000)
        shows = f"waveform with {title} marked"
        return Output("preview", "preview", path, "image/png", {"shows": shows})
