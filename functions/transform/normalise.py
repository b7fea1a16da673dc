"""``transform.normalise``: to a loudness, by gain alone, under a true-peak ceiling.

    measured (by transform.loudness, once for all targets)
      -> gain = target - integrated
         peaks stay under the ceiling:  linear
         they would not, "limit":       gain, then a true-peak limiter
         they would not, "stop_short":  only as much gain as the ceiling allows
      -> the result is measured, and made once more with a better gain, at most 5 times, until it is
         within 0.05 LU: gain alone moves blocks over the gates, and a limiter takes some away

Dynamics are never levelled: what is not a peak over the ceiling keeps its place. ``norm_stats`` says
what was done, and how far it went; all that it says of the result was measured on the result. A result
that misses its target by more than 0.1 LU is ``degraded``, whatever the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from functions.transform.limiting import Gain, noted
from functions.transform.loudness import measure, meter_backend
from functions.transform.sound import SAMPLE_FORMATS, Clamps, Sound, open_sound
from shared.audio.loudnorm import find_gain_db
from shared.contracts.audio_loudness import Loudness
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result, SoundParams
from shared.errors import BackendFailed
from shared.sound.loudness_meter import GATE_LUFS

TARGET_RANGE_LUFS = (-60.0, -5.0)
CEILING_RANGE_DBTP = (-20.0, 0.0)
MOST_ROUNDS = 5
CLOSE_ENOUGH_LU = 0.05
SHORT_FROM_LU = 0.1
"""From here on the result says that it falls short."""
LIMITER_ROOM_DB = 0.1
"""The limiter works this far below the ceiling, for it moves peaks a little itself."""
METERS_DIFFER_DB = 0.05
"""By so much a meter that oversamples more may find a higher true peak."""
_NOTING = 0.3
"""So much of the progress is measuring and finding the gain."""
_ROUNDING_DB = 0.005
"""True peaks are told to 0.01 dB."""


class NormaliseParams(SoundParams):
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
    def most_db(self) -> float:
        """The gain that brings the highest peak up to the ceiling."""
        peak_dbtp = self.before.true_peak_dbtp
        assert peak_dbtp is not None
        return self.ceiling_dbtp - peak_dbtp - _ROUNDING_DB

    @property
    def excess_db(self) -> float:
        """By how much that gain would lift peaks over the ceiling; 0 if it doesn't."""
        return max(0.0, self.wanted_db - self.most_db)


@dataclass(frozen=True)
class Normalised:
    """What came out."""

    mode: Literal["linear", "limited", "stopped_short"]
    gain_db: float
    after: Loudness
    """Measured on the result."""
    rounds: int

    def missing_lu(self, target_lufs: float) -> float:
        """How much louder it would have to be; below 0: quieter."""
        after_lufs = self.after.integrated_lufs
        return target_lufs - (GATE_LUFS if after_lufs is None else after_lufs)


def backend() -> Backend:
    """pyloudnorm's filters, and a limiter of our own; raises ``MissingDependency``."""
    return meter_backend("normalise-3")


def run(job: Job, params: NormaliseParams, backend: Backend) -> Result:
    """Normalise; skipped, with the reason, where loudness is undefined."""
    clamps = Clamps()
    sound = open_sound(job)
    settled = Settled(
        clamps.take("target_lufs", params.target_lufs, *TARGET_RANGE_LUFS),
        clamps.take("ceiling_dbtp", params.ceiling_dbtp, *CEILING_RANGE_DBTP),
        earlier_measurement(job, sound) or measure(sound, partial(_tell_measuring, job)),
    )
    if settled.before.undefined:
        reason = f"{settled.before.undefined} recording: it has no loudness to set"
        return Result((), StepState.SKIPPED, reason)
    path = job.workdir / "normalised.wav"
    made = _make(job, sound, settled, params.on_ceiling, path)
    meta = {
        "target_lufs": settled.target_lufs,
        "ceiling_dbtp": settled.ceiling_dbtp,
        "on_ceiling": params.on_ceiling,
        "norm_stats": norm_stats(settled, made),
        "clamped": clamps.report,
        "sample_rate_hz": sound.sample_rate_hz,
        "channels": sound.channels,
        "sample_format": SAMPLE_FORMATS[sound.codec],
    }
    output = Output("audio_normalised", "normalised", path, "audio/wav", meta)
    missing_lu = made.missing_lu(settled.target_lufs)
    if abs(missing_lu) > SHORT_FROM_LU:
        return Result([output], StepState.DEGRADED, _why(made.mode, missing_lu))
    return Result([output])


def _why(mode: str, missing_lu: float) -> str:
    if missing_lu < 0:
        return f"{-missing_lu:.2f} LU louder than the target: no gain comes nearer"
    of = {
        "limited": "more would need heavier limiting",
        "stopped_short": "more would lift peaks over the ceiling",
    }
    return f"{missing_lu:.2f} LU short of the target: {of.get(mode, 'no gain comes nearer')}"


def norm_stats(settled: Settled, made: Normalised) -> dict[str, Any]:
    """What was done, in numbers."""
    return {
        "before": settled.before.content(without={"undefined"}),
        "after": made.after.content(without={"undefined"}),
        "after_is": "measured",
        "mode": made.mode,
        "gain_db": round(made.gain_db, 2),
        "limited_by_db": round(settled.excess_db, 2) if made.mode == "limited" else 0.0,
        "short_by_lu": round(max(0.0, made.missing_lu(settled.target_lufs)), 2),
        "rounds": made.rounds,
    }


def earlier_measurement(job: Job, sound: Sound) -> Loudness | None:
    """What ``transform.loudness`` found, where it ran before, on the same streams."""
    streams = list(sound.media.heard.streams)
    for file in job.inputs.get("transform.loudness", ()):
        if file.meta.get("sound", {}).get("streams", streams) != streams:
            continue
        return Loudness.read(file.path)
    return None


def _make(
    job: Job, sound: Sound, settled: Settled, on_ceiling: Literal["limit", "stop_short"], path: Path
) -> Normalised:
    """By gain alone, as long as the ceiling allows it."""
    gain_db, most_db = settled.wanted_db, settled.most_db
    for rounds in range(1, MOST_ROUNDS + 1):
        if gain_db > most_db and on_ceiling == "limit":
            return _limited(job, sound, settled, path)
        stopped = gain_db > most_db
        gain_db = min(gain_db, most_db)
        after = Gain(gain_db).write(sound, path, partial(_tell, job, rounds))
        made = Normalised("stopped_short" if stopped else "linear", gain_db, after, rounds)
        missing_lu = made.missing_lu(settled.target_lufs)
        if abs(missing_lu) <= CLOSE_ENOUGH_LU or (stopped and missing_lu > 0):
            break
        gain_db += missing_lu
    return made


def _limited(job: Job, sound: Sound, settled: Settled, path: Path) -> Normalised:
    """Gain and limiter, measured and corrected. Raises ``BackendFailed`` if peaks stay too high."""
    notes = noted(sound, lambda part: job.progress(_NOTING * part))
    aim_lufs = settled.target_lufs
    threshold_dbtp = settled.ceiling_dbtp - LIMITER_ROOM_DB
    for rounds in range(1, MOST_ROUNDS + 1):
        gain_db = find_gain_db(notes, aim_lufs, threshold_dbtp)
        after = Gain(gain_db, threshold_dbtp).write(sound, path, partial(_tell, job, rounds))
        made = Normalised("limited", gain_db, after, rounds)
        peak_dbtp = after.true_peak_dbtp
        over_db = (
            0.0
            if peak_dbtp is None
            else max(0.0, peak_dbtp + METERS_DIFFER_DB - settled.ceiling_dbtp)
        )
        missing_lu = made.missing_lu(settled.target_lufs)
        spent = gain_db >= notes.most_gain_db(threshold_dbtp) and missing_lu > 0
        if not over_db and (spent or abs(missing_lu) <= CLOSE_ENOUGH_LU):
            break
        threshold_dbtp -= over_db
        aim_lufs += missing_lu
    if over_db:
        raise BackendFailed("limiter", f"it let peaks through, {over_db:.2f} dB too high")
    return made


def _tell_measuring(job: Job, part: float) -> None:
    job.progress(_NOTING * part)


def _tell(job: Job, rounds: int, part: float) -> None:
    job.progress(_NOTING + (1 - _NOTING) * (rounds - 1 + part) / MOST_ROUNDS)


ENGINE = Engine(params=NormaliseParams, backend=backend, run=run)
