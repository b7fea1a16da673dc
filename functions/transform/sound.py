"""What the transforms share: how a recording's sound is read, and how what came of it is written.

Results are WAV, with the recording's sample rate and channels. Integer and lossy recordings give
24 bits (32 where the recording has more than 24), float recordings give float. Where a result goes
beyond full scale and integers would clip it, it is written as float instead, and its meta says so.

    the recording -> timing -> [ effects in float ] -> peak meter -> WAV
                        '--> windows "before"               '--> windows "after"

The windows are short excerpts, evenly spread, for the audition picture; everything is one pass.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.contracts.asset import AudioStream
from shared.contracts.engine import Backend, Job
from shared.errors import BackendFailed, UnsupportedMedia
from shared.health import dependency, require
from shared.media.ffmpeg import input_args, run, started, timeout_for
from shared.media.filters import check_filters
from shared.media.formats import TIMED_FROM_ZERO

TIMING = "aresample=async=1:first_pts=0"
"""As ``shared.media.decode``: silence before a late stream and in its gaps, never stretching."""
WINDOW_FRAMES = 4096
_WINDOWS = 96
"""So many excerpts are kept, or up to twice as many."""

WAV_ARGS = (
    *("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"),
    *("-rf64", "auto", "-f", "wav"),
)
_LOSSLESS = ("pcm_", "flac", "alac", "wavpack", "tta", "ape", "mlp", "truehd")
SAMPLE_FORMATS = {
    "pcm_s24le": "int24",
    "pcm_s32le": "int32",
    "pcm_f32le": "float32",
    "pcm_f64le": "float64",
}
"""ffmpeg's encoder -> how meta calls what it writes."""

_SILENT_DBFS = -300.0
_NO_NUMBERS = "its sound holds values that are not numbers"

Windows = NDArray[np.float32]
"""``(windows, WINDOW_FRAMES, channels)``."""


@dataclass(frozen=True)
class Sound:
    """The recording's first sound stream, and how ffmpeg is told to read it."""

    args: tuple[str, ...]
    label: str
    """The stream in a filter graph: ``[0:1]``."""
    stream: AudioStream
    duration_ms: int | None

    @property
    def codec(self) -> str:
        """The encoder that loses nothing of it, or of a lossy one nothing audible."""
        name, depth = self.stream.codec, self.stream.bit_depth or 0
        if name.startswith("pcm_f64"):
            return "pcm_f64le"
        if name.startswith(("pcm_f32", "pcm_f16", "pcm_f24")):
            return "pcm_f32le"
        if name.startswith(_LOSSLESS) and depth > 24:
            # WavPack's 32 bits may be integers or floats; 64-bit floats hold either.
            return "pcm_f64le" if name == "wavpack" else "pcm_s32le"
        return "pcm_s24le"

    @property
    def working_format(self) -> str:
        """Samples inside a filter graph: never integers, which would clip between two filters."""
        return "fltp" if self.codec in ("pcm_s24le", "pcm_f32le") else "dblp"

    @property
    def exact_format(self) -> str:
        """Samples as the encoder takes them."""
        return {"pcm_f32le": "flt", "pcm_f64le": "dbl"}.get(self.codec, "s32")

    @property
    def timeout_s(self) -> float:
        """For one pass of effects over it."""
        return timeout_for(self.duration_ms)

    @property
    def window_step(self) -> int:
        """Every so many windows one is kept for the picture."""
        seconds = (self.duration_ms or 3_600_000) / 1000
        return max(1, int(seconds * self.stream.sample_rate_hz / WINDOW_FRAMES / _WINDOWS))


@dataclass(frozen=True)
class Rendered:
    """A result on disk, and what was learnt on the way."""

    path: Path
    sample_format: str
    peak_dbfs: float | None
    """``None``: digital silence."""
    before: Windows
    after: Windows

    @property
    def meta(self) -> dict[str, object]:
        """What the meta says of the file itself."""
        return {"sample_format": self.sample_format, "peak_dbfs": self.peak_dbfs}


class Clamps:
    """Brings values into their ranges, and remembers which were not: the meta's ``clamped``."""

    def __init__(self) -> None:
        self.report: dict[str, dict[str, float]] = {}

    def take(self, name: str, value: float, low: float, high: float) -> float:
        """``value`` within ``[low, high]``."""
        used = min(max(value, low), high)
        if used != value:
            self.report[name] = {"given": value, "used": used}
        return used


def ffmpeg_backend(revision: str) -> Backend:
    """ffmpeg, with the engine's revision (``fx-1``); raises ``MissingDependency``: there is no stub."""
    version = require("ffmpeg")
    found = {"ffmpeg": dependency("ffmpeg")}
    return Backend("ffmpeg", f"{revision}+ffmpeg-{version}", dependencies=found)


def open_sound(job: Job) -> Sound:
    """Raises ``UnsupportedMedia`` where there is none."""
    if not job.media.audio:
        raise UnsupportedMedia("it has no sound")
    stream = job.media.audio[0]
    clock = ("-copyts",) if job.media.container in TIMED_FROM_ZERO else ()
    args = (*clock, *input_args(job.source, job.media.container))
    return Sound(args, f"[0:{stream.index}]", stream, job.media.duration_ms)


def render(job: Job, sound: Sound, chain: str, *, name: str) -> Rendered:
    """Send the sound through ``chain`` into a WAV; an empty chain copies the very samples.

    ``chain``: a piece of filter graph whose first filter takes the sound and whose last gives it.
    Raises ``MissingDependency``, ``TimedOut``, ``Unavailable``, ``BackendFailed``, and
    ``UnsupportedMedia`` for samples that are not numbers.
    """
    check_filters(chain)
    rendered = _render_as(job, sound, chain, name, sound.codec)
    clipped = rendered.peak_dbfs is not None and rendered.peak_dbfs > 0
    if clipped and sound.codec == "pcm_s24le":
        rendered = _render_as(job, sound, chain, name, "pcm_f32le")
    elif clipped and sound.codec == "pcm_s32le":
        rendered = _render_as(job, sound, chain, name, "pcm_f64le")
    return rendered


def _render_as(job: Job, sound: Sound, chain: str, name: str, codec: str) -> Rendered:
    out, before, after = (job.workdir / f"{name}{end}" for end in (".wav", ".before", ".after"))
    # Said on both sides: otherwise the excerpts' format decides for all.
    samples = f"aformat=sample_fmts={sound.working_format if chain else sound.exact_format}"
    inside = f"{chain}," if chain else ""
    # Peaks alone are quick to find. Only a float recording can bring NaNs with it.
    nans = "+Number_of_NaNs" if sound.exact_format in ("flt", "dbl") else ""
    meter = f"astats=measure_perchannel=none:measure_overall=Peak_level{nans}"
    excerpt = (
        f"asetnsamples=n={WINDOW_FRAMES},aselect='not(mod(n\\,{sound.window_step}))',"
        "asetpts=N/SR/TB"
    )
    graph = (
        f"{sound.label}{TIMING},{samples},asplit[heard][src];[src]{excerpt}[before];"
        f"[heard]{inside}{meter},{samples},asplit[out][res];[res]{excerpt}[after]"
    )
    raw = ("-c:a", "pcm_f32le", "-f", "f32le")
    done = run(
        [
            *("-y", "-v", "info", *sound.args, "-filter_complex", graph),
            *("-map", "[out]", "-c:a", codec, *WAV_ARGS, out),
            *("-map", "[before]", *raw, before),
            *("-map", "[after]", *raw, after),
        ],
        timeout_s=sound.timeout_s,
        duration_ms=sound.duration_ms,
        progress=lambda fraction: job.progress(0.95 * fraction),
    )
    peak_dbfs = parse_peak(done.stderr_tail)
    windows = [_windows(path, sound.stream.channels) for path in (before, after)]
    return Rendered(out, SAMPLE_FORMATS[codec], peak_dbfs, *windows)


def parse_peak(words: str) -> float | None:
    """The highest sample in dBFS, as ffmpeg's ``astats`` reports it; ``None``: digital silence."""
    peaks, wrong = (re.findall(rf"{name}: (\S+)", words) for name in ("Peak level dB", "NaNs"))
    try:
        peak_dbfs, nans = float(peaks[-1]), sum(map(float, wrong))
    except (IndexError, ValueError):
        raise BackendFailed("ffmpeg", "it reported no peak", stderr_tail=words) from None
    if nans or math.isnan(peak_dbfs) or peak_dbfs == math.inf:
        raise UnsupportedMedia(_NO_NUMBERS)
    return round(peak_dbfs, 2) if peak_dbfs > _SILENT_DBFS else None


def _windows(path: Path, channels: int) -> Windows:
    """Whole windows of an excerpt file, which is then gone; a short sound's only one is filled up."""
    samples = np.fromfile(path, dtype="<f4")
    path.unlink()
    size = WINDOW_FRAMES * channels
    if samples.size < size:
        samples = np.pad(samples, (0, size - samples.size))
    if not np.isfinite(samples).all():
        raise UnsupportedMedia(_NO_NUMBERS)
    whole = samples[: samples.size - samples.size % size]
    return whole.reshape(-1, WINDOW_FRAMES, channels)


def frame_count(sound: Sound) -> int:
    """How many samples each channel has, by decoding it all."""
    graph = f"{sound.label}{TIMING},pan=mono|c0=c0[out]"
    one_byte_each = ("-map", "[out]", "-c:a", "pcm_u8", "-f", "u8", "pipe:1")
    args = [*sound.args, "-filter_complex", graph, *one_byte_each]
    with started(args, timeout_s=sound.timeout_s) as child:
        count = sum(len(chunk) for chunk in child.chunks())
        child.check()
    return count


def knob_meta(values: Mapping[str, float]) -> dict[str, float]:
    """Values as meta has them: rounded, in order."""
    return {name: round(float(value), 6) for name, value in values.items()}
