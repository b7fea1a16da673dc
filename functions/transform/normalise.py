"""``transform.normalise``: to a loudness, by gain alone, under a true-peak ceiling.

    measured (by transform.loudness, once for all targets)
      -> gain = target - integrated
         peaks stay under the ceiling:  linear; the new numbers follow from the old ones
         they would not, "limit":       gain, then a true-peak limiter; measured again, and corrected
                                        until it is within 0.05 LU, at most 5 times
         they would not, "stop_short":  only as much gain as the ceiling allows

Dynamics are never levelled: what is not a peak over the ceiling keeps its place. ``norm_stats`` says
what was done, and how far it went.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from functions.transform.limiting import Limiting, noted
from functions.transform.loudness import measure
from functions.transform.sound import (
    SAMPLE_FORMATS,
    TIMING,
    WAV_ARGS,
    Clamps,
    Sound,
    ffmpeg_backend,
    open_sound,
)
from shared.audio.loudnorm import find_gain_db
from shared.contracts.audio_loudness import Loudness
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result, StepParams
from shared.errors import BackendFailed
from shared.media.ffmpeg import run as run_ffmpeg
from shared.media.ffmpeg_filters import check_filters, number

TARGET_RANGE_LUFS = (-60.0, -5.0)
CEILING_RANGE_DBTP = (-20.0, 0.0)
MOST_ROUNDS = 5
CLOSE_ENOUGH_LU = 0.05
SHORT_FROM_LU = 0.1
"""From here on the result says that it falls short."""
LIMITER_ROOM_DB = 0.05
"""The limiter works this far below the ceiling: ffmpeg finds true peaks to a tenth of a decibel."""
_NOTING = 0.3
"""So much of the progress is finding the gain."""
_ROUNDING_DB = 0.05
"""True peaks are known to 0.1 dB."""


class NormaliseParams(StepParams):
    """How loud, and what may happen at the ceiling."""

    target_lufs: float = -16.0
    """Integrated loudness, clamped to -60..-5. -16 suits podcasts, -14 streamed music, -23 broadcast."""
    ceiling_dbtp: float = -1.0
    """No true peak is higher, clamped to -20..0."""
    on_ceiling: Literal["limit", "stop_short"] = "limit"
    """Where gain alone would go over the ceiling: limit those peaks, or take less gain."""


@dataclass(frozen=True)
class Settled:
    """The params within their ranges, the recording's numbers, and what follows from both."""

    target_lufs: float
    ceiling_dbtp: float
    before: Loudness

    @property
    def wanted_db(self) -> float:
        """The gain that reaches the target."""
        assert self.before.integrated_lufs is not None
        return self.target_lufs - self.before.integrated_lufs

    @property
    def excess_db(self) -> float:
        """By how much that gain would lift peaks over the ceiling; 0 if it doesn't."""
        peak_dbtp = self.before.true_peak_dbtp
        assert peak_dbtp is not None
        return max(0.0, peak_dbtp + _ROUNDING_DB + self.wanted_db - self.ceiling_dbtp)


@dataclass(frozen=True)
class Normalised:
    """What came out."""

    mode: Literal["linear", "limited", "stopped_short"]
    gain_db: float
    after: Loudness
    measured: bool
    """``after`` was measured; otherwise it follows from the gain."""
    rounds: int = 1


def backend() -> Backend:
    """ffmpeg's gain and meter, and a limiter of our own; raises ``MissingDependency``."""
    return ffmpeg_backend("normalise-2")


def run(job: Job, params: NormaliseParams, backend: Backend) -> Result:
    """Normalise; skipped, with the reason, where loudness is undefined."""
    clamps = Clamps()
    sound = open_sound(job)
    settled = Settled(
        clamps.take("target_lufs", params.target_lufs, *TARGET_RANGE_LUFS),
        clamps.take("ceiling_dbtp", params.ceiling_dbtp, *CEILING_RANGE_DBTP),
        earlier_measurement(job) or measure(sound),
    )
    if settled.before.undefined:
        reason = f"{settled.before.undefined} recording: it has no loudness to set"
        return Result((), StepState.SKIPPED, reason)
    path = job.workdir / "normalised.wav"
    made = _make(job, sound, settled, params.on_ceiling, path)
    short_lu = settled.target_lufs - (made.after.integrated_lufs or 0.0)
    meta = {
        "target_lufs": settled.target_lufs,
        "ceiling_dbtp": settled.ceiling_dbtp,
        "on_ceiling": params.on_ceiling,
        "norm_stats": norm_stats(settled, made),
        "clamped": clamps.report,
        "sample_rate_hz": sound.stream.sample_rate_hz,
        "channels": sound.stream.channels,
        "sample_format": SAMPLE_FORMATS[sound.codec],
    }
    output = Output("audio_normalised", "normalised", path, "audio/wav", meta)
    if made.mode == "limited" and short_lu > SHORT_FROM_LU:
        reason = f"{short_lu:.2f} LU short of the target: more would need heavier limiting"
        return Result([output], StepState.DEGRADED, reason)
    return Result([output])


def norm_stats(settled: Settled, made: Normalised) -> dict[str, Any]:
    """What was done, in numbers."""
    integrated_lufs = made.after.integrated_lufs or 0.0
    return {
        "before": settled.before.content(without={"undefined"}),
        "after": made.after.content(without={"undefined"}),
        "after_is": "measured" if made.measured else "computed from the gain",
        "mode": made.mode,
        "gain_db": round(made.gain_db, 2),
        "limited_by_db": round(settled.excess_db, 2) if made.mode == "limited" else 0.0,
        "short_by_lu": round(max(0.0, settled.target_lufs - integrated_lufs), 2),
        "rounds": made.rounds,
    }


def earlier_measurement(job: Job) -> Loudness | None:
    """What ``transform.loudness`` found, where it ran before."""
    found = job.inputs.get("transform.loudness", ())
    return Loudness.read(found[0].path) if found else None


def _make(
    job: Job, sound: Sound, settled: Settled, on_ceiling: Literal["limit", "stop_short"], path: Path
) -> Normalised:
    if not settled.excess_db:
        return _linear(job, sound, settled, settled.wanted_db, path)
    if on_ceiling == "stop_short":
        return _linear(job, sound, settled, settled.wanted_db - settled.excess_db, path)
    return _limited(job, sound, settled, path)


def _linear(job: Job, sound: Sound, settled: Settled, gain_db: float, path: Path) -> Normalised:
    """One pass of gain: loudness and peaks move by just that, the range stays."""
    filters = (
        f"aformat=sample_fmts={sound.working_format},volume={number(gain_db)}dB:precision=double"
    )
    filters = filters if gain_db else "anull"
    check_filters(filters)
    args = [*sound.args, "-filter_complex", f"{sound.label}{TIMING},{filters}[out]"]
    run_ffmpeg(
        [*args, "-map", "[out]", "-c:a", sound.codec, *WAV_ARGS, path],
        timeout_s=sound.timeout_s,
        duration_ms=sound.duration_ms,
        progress=job.progress,
    )
    before = settled.before
    assert before.integrated_lufs is not None and before.true_peak_dbtp is not None
    after = Loudness(
        integrated_lufs=round(before.integrated_lufs + gain_db, 2),
        loudness_range_lu=before.loudness_range_lu,
        true_peak_dbtp=round(before.true_peak_dbtp + gain_db, 1),
    )
    mode: Literal["linear", "stopped_short"] = "stopped_short" if settled.excess_db else "linear"
    return Normalised(mode, gain_db, after, measured=False)


def _limited(job: Job, sound: Sound, settled: Settled, path: Path) -> Normalised:
    """Gain and limiter, measured and corrected. Raises ``BackendFailed`` if peaks stay too high."""
    notes = noted(job, lambda part: job.progress(_NOTING * part))
    heard_lufs = notes.meter.integrated_lufs()
    assert settled.before.integrated_lufs is not None
    # Surround channels weigh more by the standard, and the notes take all alike.
    aim_lufs = settled.target_lufs + heard_lufs - settled.before.integrated_lufs
    threshold_dbtp = settled.ceiling_dbtp - LIMITER_ROOM_DB
    for rounds in range(1, MOST_ROUNDS + 1):
        gain_db = find_gain_db(notes, aim_lufs, threshold_dbtp)
        limiting = Limiting(gain_db, threshold_dbtp, notes.frames)
        after = limiting.write(job, sound, path, partial(_tell, job, rounds))
        assert after.integrated_lufs is not None and after.true_peak_dbtp is not None
        over_db = max(0.0, after.true_peak_dbtp + _ROUNDING_DB - settled.ceiling_dbtp)
        missing_lu = settled.target_lufs - after.integrated_lufs
        spent = gain_db >= notes.most_gain_db(threshold_dbtp)
        if not over_db and (spent or abs(missing_lu) <= CLOSE_ENOUGH_LU):
            break
        threshold_dbtp -= over_db
        aim_lufs += missing_lu
    if over_db:
        raise BackendFailed("limiter", f"it let peaks through, {over_db:.2f} dB too high")
    return Normalised("limited", gain_db, after, measured=True, rounds=rounds)


def _tell(job: Job, rounds: int, part: float) -> None:
    job.progress(_NOTING + (1 - _NOTING) * (rounds - 1 + part) / MOST_ROUNDS)


ENGINE = Engine(params=NormaliseParams, backend=backend, run=run)
