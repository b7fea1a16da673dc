"""``transform.normalise``: to a loudness, by gain alone, under a true-peak ceiling.

    measured (by transform.loudness, once for all targets)
      -> gain = target - integrated
         peaks stay under the ceiling:  linear; the new numbers follow from the old ones
         they would not, "limit":       gain, then a true-peak limiter; measured again, and corrected
                                        until it is within 0.025 LU, at most 5 times
         they would not, "stop_short":  only as much gain as the ceiling allows

Dynamics are never levelled: what is not a peak over the ceiling keeps its place. ``norm_stats`` says
what was done, and how far it went.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from functions.transform.loudness import Loudness, measure, meter, metered
from functions.transform.sound import (
    SAMPLE_FORMATS,
    TIMING,
    WAV_ARGS,
    Clamps,
    Sound,
    check_filters,
    ffmpeg_backend,
    number,
    open_sound,
)
from shared.contracts.engine import Backend, Engine, Job, Output, Result, StepParams
from shared.contracts.step import StepState
from shared.errors import BackendFailed, ValidationError
from shared.media.ffmpeg import run as run_ffmpeg

TARGET_RANGE_LUFS = (-60.0, -5.0)
CEILING_RANGE_DBTP = (-20.0, 0.0)
MOST_ROUNDS = 5
CLOSE_ENOUGH_LU = 0.025
SHORT_FROM_LU = 0.1
"""From here on the result says that it falls short."""
LIMITER_ROOM_DB = 0.5
"""The limiter works this far below the ceiling: going back to the sample rate lifts peaks again."""
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
    """ffmpeg's gain, limiter and meter; raises ``MissingDependency``."""
    return ffmpeg_backend("normalise-1")


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
    numbers = {"before": asdict(settled.before), "after": asdict(made.after)}
    for values in numbers.values():
        del values["undefined"]
    integrated_lufs = made.after.integrated_lufs or 0.0
    return {
        **numbers,
        "after_is": "measured" if made.measured else "computed from the gain",
        "mode": made.mode,
        "gain_db": round(made.gain_db, 2),
        "limited_by_db": round(settled.excess_db, 2) if made.mode == "limited" else 0.0,
        "short_by_lu": round(max(0.0, settled.target_lufs - integrated_lufs), 2),
        "rounds": made.rounds,
    }


def earlier_measurement(job: Job) -> Loudness | None:
    """What ``transform.loudness`` found, where it ran before."""
    for file in job.inputs.get("transform.loudness", ()):
        try:
            return Loudness(**json.loads(file.path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise ValidationError("audio_loudness", "is not a measurement") from None
    return None


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
        round(before.integrated_lufs + gain_db, 2),
        before.loudness_range_lu,
        round(before.true_peak_dbtp + gain_db, 1),
    )
    mode: Literal["linear", "stopped_short"] = "stopped_short" if settled.excess_db else "linear"
    return Normalised(mode, gain_db, after, measured=False)


def _limited(job: Job, sound: Sound, settled: Settled, path: Path) -> Normalised:
    """Gain and limiter, measured and corrected. Raises ``BackendFailed`` if peaks stay too high."""
    gain_db, room_db, rounds = settled.wanted_db, LIMITER_ROOM_DB, 0
    assert settled.before.integrated_lufs is not None
    reached_lufs, stepped_db = settled.before.integrated_lufs, gain_db
    while True:
        rounds += 1
        after = _limit_once(sound, gain_db, settled.ceiling_dbtp - room_db, path)
        job.progress(rounds / MOST_ROUNDS)
        assert after.integrated_lufs is not None and after.true_peak_dbtp is not None
        over_db = after.true_peak_dbtp + _ROUNDING_DB - settled.ceiling_dbtp
        missing_lu = settled.target_lufs - after.integrated_lufs
        good = over_db <= 0 and abs(missing_lu) <= CLOSE_ENOUGH_LU
        if good or rounds == MOST_ROUNDS:
            break
        room_db += max(0.0, over_db)
        # The last round may only mend peaks, so that nothing new can come of it.
        if over_db <= 0 or rounds < MOST_ROUNDS - 1:
            # The more is limited, the less of a dB of gain arrives: as it did the last time.
            rise_lu = after.integrated_lufs - reached_lufs
            arrives = min(1.0, max(0.2, rise_lu / stepped_db)) if stepped_db > 0 else 1.0
            reached_lufs, stepped_db = after.integrated_lufs, missing_lu / arrives
            gain_db += stepped_db
    if over_db > 0:
        raise BackendFailed("ffmpeg", f"its limiter let peaks through, {over_db:.2f} dB too high")
    return Normalised("limited", gain_db, after, measured=True, rounds=rounds)


def _limit_once(sound: Sound, gain_db: float, limit_dbfs: float, path: Path) -> Loudness:
    rate = sound.stream.sample_rate_hz
    # Between samples a peak can be higher than on any of them: limit where there are more of them.
    fine_hz = rate * max(1, min(4, 192_000 // rate))
    # The limiter works at full scale, for it knows no limits below -24 dB.
    up, down = (
        f"volume={number(db)}dB:precision=double" for db in (gain_db - limit_dbfs, limit_dbfs)
    )
    graph = (
        f"{sound.label}{TIMING},aformat=sample_fmts=dblp,{up},"
        f"aresample={fine_hz},alimiter=limit=1:attack=5:release=60:level=0:latency=1,"
        f"aresample={rate},{down},asplit[out][heard];[heard]{meter(rate)}[meter]"
    )
    check_filters(graph)
    args: list[str | Path] = ["-y", "-v", "info", *sound.args, "-filter_complex", graph]
    to_file: list[str | Path] = ["-map", "[out]", "-c:a", sound.codec, *WAV_ARGS, path]
    return metered(
        [*args, *to_file, "-map", "[meter]", "-f", "null", "-"], timeout_s=3 * sound.timeout_s
    )


ENGINE = Engine(params=NormaliseParams, backend=backend, run=run)
