"""``transform.loudness``: EBU R 128 in numbers. Measured once, it serves every target.

ffmpeg's ``ebur128`` does the filtering and gating (ITU-R BS.1770-4) and the oversampling for true
peak. The loudness range follows EBU Tech 3342 from its short-term values, of which those of the
first 3 s are left out: their windows are not full yet, and they would widen a short recording's
range by tens of LU.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from functions.transform.sound import TIMING, Sound, ffmpeg_backend, open_sound
from shared.contracts.audio_loudness import Loudness
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result, StepParams
from shared.errors import BackendFailed, UnsupportedMedia
from shared.media.ffmpeg import started
from shared.media.ffmpeg_filters import check_filters

METER = "apad=whole_dur=0.1,ebur128=peak=true:metadata=1,ametadata=mode=print:file=-"
"""Prints its values after every 100 ms on standard output, and a summary on standard error."""
_NUMBERS = "astats=measure_perchannel=none:measure_overall=Number_of_NaNs+Number_of_Infs"
_EXACT_FROM_HZ = 40_000
"""Below this sample rate ffmpeg's filters err by up to 0.1 LU: such sound is measured at 48 kHz."""
GATE_LUFS = -70.0
"""Absolute gate of BS.1770: nothing below it counts."""
SHORTEST_FRAMES = 4
"""A gating block is 400 ms long."""
_FULL_WINDOW_FRAMES = 30
_NO_NUMBERS = "its sound holds values that are not numbers"


class LoudnessParams(StepParams):
    """There is nothing to choose: the standard says how to measure."""


def backend() -> Backend:
    """ffmpeg's ebur128; raises ``MissingDependency``."""
    return ffmpeg_backend("loudness-2")


def run(job: Job, params: LoudnessParams, backend: Backend) -> Result:
    """Measure the first sound stream."""
    measured = measure(open_sound(job))
    path = job.workdir / "loudness.json"
    measured.write(path)
    meta = measured.content()
    return Result([Output("audio_loudness", "loudness", path, "application/json", meta)])


def measure(sound: Sound) -> Loudness:
    """One pass over the whole recording.

    Raises ``BackendFailed`` where ffmpeg's report cannot be read, ``UnsupportedMedia`` for samples
    that are not numbers, ``TimedOut`` and ``MissingDependency``.
    """
    filters = meter(sound.stream.sample_rate_hz)
    # Only a float recording can bring NaNs with it, and counting them takes as long as measuring.
    filters = f"{_NUMBERS},{filters}" if sound.exact_format in ("flt", "dbl") else filters
    check_filters(filters)
    graph = f"{sound.label}{TIMING},{filters}[out]"
    args = ["-v", "info", *sound.args, "-filter_complex", graph, "-map", "[out]", "-f", "null", "-"]
    return metered(args, timeout_s=sound.timeout_s)


def meter(sample_rate_hz: int) -> str:
    """The filters that measure sound of this sample rate."""
    return METER if sample_rate_hz >= _EXACT_FROM_HZ else f"aresample=48000,{METER}"


def metered(
    args: Sequence[str | Path],
    *,
    timeout_s: float,
    pass_fds: Sequence[int] = (),
    heard: Callable[[float], None] = lambda seconds: None,
) -> Loudness:
    """Run ffmpeg with ``meter`` somewhere in ``args``, and read what it says.

    ``heard`` is told how many seconds went by so far.
    """
    reading = Reading()
    with started(args, timeout_s=timeout_s, pass_fds=pass_fds) as child:
        for line in _lines(child.chunks()):
            reading.take(line)
            heard(reading.frames / 10)
        child.check()
        return reading.loudness(child.stderr_tail)


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    yield rest


@dataclass
class Reading:
    """Reads the meter's report, line by line (``lavfi.r128.I=-23.040``)."""

    frames: int = 0
    """Of 100 ms, the last one perhaps shorter."""
    integrated: bytes = b""
    short_term_lufs: list[float] = field(default_factory=list)

    def take(self, line: bytes) -> None:
        """One line of standard output."""
        name, _, value = line.strip().partition(b"=")
        if name == b"lavfi.r128.I":
            self.frames += 1
            self.integrated = value
        elif name == b"lavfi.r128.S" and self.frames >= _FULL_WINDOW_FRAMES - 1:
            self.short_term_lufs.append(_short_term_lufs(value))

    def loudness(self, last_words: str) -> Loudness:
        """The result, once all was read; ``last_words``: the end of standard error."""
        if not self.frames:
            raise BackendFailed("ffmpeg", "ebur128 reported nothing", stderr_tail=last_words)
        if re.search(r"Number of (NaNs|Infs): *0*[.]?0*[1-9]", last_words):
            raise UnsupportedMedia(_NO_NUMBERS)
        integrated_lufs = _as_number(self.integrated, last_words)
        true_peak_dbtp = parse_true_peak(last_words)
        range_lu = loudness_range_lu(self.short_term_lufs)
        if integrated_lufs > GATE_LUFS:
            return _measured(round(integrated_lufs, 2), range_lu, true_peak_dbtp)
        short = self.frames <= SHORTEST_FRAMES and true_peak_dbtp is not None
        why: Literal["silent", "shorter than 400 ms"] = "shorter than 400 ms" if short else "silent"
        return _measured(None, None, true_peak_dbtp, why)


def _measured(
    integrated_lufs: float | None,
    range_lu: float | None,
    true_peak_dbtp: float | None,
    undefined: Literal["silent", "shorter than 400 ms"] | None = None,
) -> Loudness:
    return Loudness(
        integrated_lufs=integrated_lufs,
        loudness_range_lu=range_lu,
        true_peak_dbtp=true_peak_dbtp,
        undefined=undefined,
    )


def _short_term_lufs(value: bytes) -> float:
    """The loudness of the last 3 s.

    ffmpeg adds each sample's power to a window's sum and takes it away again. In digital silence
    after sound the sum can end a rounding error below zero, whose logarithm is no number: silence.
    """
    return -math.inf if value.strip() in (b"nan", b"-nan") else _as_number(value, "")


def _as_number(value: bytes, last_words: str) -> float:
    try:
        number = float(value)
    except ValueError:
        said = value[:40].decode(errors="replace")
        raise BackendFailed(
            "ffmpeg", f"ebur128 reported {said!r}, which is no number", stderr_tail=last_words
        ) from None
    if math.isnan(number) or number == math.inf:
        raise UnsupportedMedia(_NO_NUMBERS)
    return number


def parse_true_peak(last_words: str) -> float | None:
    """dBTP out of ebur128's summary; ``None`` for digital silence. Raises ``BackendFailed``."""
    found = re.findall(r"True peak:\s+Peak:\s+(\S+) dBFS", last_words)
    if not found:
        raise BackendFailed("ffmpeg", "ebur128 reported no true peak", stderr_tail=last_words)
    peak_dbtp = _as_number(found[-1].encode(), last_words)
    return round(peak_dbtp, 1) if math.isfinite(peak_dbtp) else None


def loudness_range_lu(short_term_lufs: list[float]) -> float | None:
    """EBU Tech 3342: from the 10th to the 95th percentile of what is above both gates."""
    values = np.array(short_term_lufs)
    values = values[values > GATE_LUFS]
    if not values.size:
        return None
    relative_gate_lufs = 10 * np.log10(np.mean(10 ** (values / 10))) - 20
    low, high = np.percentile(values[values >= relative_gate_lufs], [10, 95])
    return round(float(high - low), 2)


ENGINE = Engine(params=LoudnessParams, backend=backend, run=run)
