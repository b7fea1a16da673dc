"""``transform.normalise``: to a loudness, by gain alone, under a true-peak ceiling.

    measured (by transform.loudness, once for all targets)
      -> where it is asked for, every turn of speech at one level (shared.sound.leveller)
      -> gain = target - integrated
         peaks stay under the ceiling:  linear
         they would not, "limit":       gain, then a true-peak limiter
         they would not, "stop_short":  only as much gain as the ceiling allows
      -> what comes of it is known from that measurement if it was made here, and gain alone does it;
         otherwise the result is measured, and made once more with a better gain, at most 5 times, until it
         is within 0.05 LU: gain alone moves blocks over the gates, and a limiter takes some away

Dynamics are never levelled unasked: what is not a peak over the ceiling keeps its place. ``norm_stats``
says what was done, and how far it went; ``delivery`` holds the result against the rules of the place it is
for. One that misses its target by more than 0.1 LU, or a rule, is ``degraded``, whatever the reason.

It reads ``audio_loudness`` where that was measured on the same streams, and ``audio_activity`` where speech
is levelled, or is what the target is about; it writes one ``audio_normalised``. Loudness and gates are
ITU-R BS.1770-4's, targets those of EBU R 128, ATSC A/85 and the platforms
(``shared.sound.delivery_targets``). Each round is a pass over the recording in bounded memory, but where it
can be reckoned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from functions.transform.limiting import Gain, noted
from functions.transform.loudness import measure, meter_backend
from functions.transform.normalised import Mode, Normalised, Settled, norm_stats, what_lacks
from functions.transform.sound import SAMPLE_FORMATS, Clamps, Sound, open_sound
from shared.audio.loudnorm import find_gain_db
from shared.contracts.audio_activity import AudioActivity
from shared.contracts.audio_loudness import Loudness
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Output, Progress, Result, SoundParams
from shared.errors import BackendFailed, ValidationError
from shared.sound.delivery_targets import (
    DELIVERY_TARGETS,
    USUAL_TARGET,
    Measured,
    TargetName,
    check_delivery,
    enough_dialogue,
    what_fails,
)
from shared.sound.leveller import STEP_MS, Levels, Turn, level_speech
from shared.sound.loudness_meter import FullMeter

TARGET_RANGE_LUFS = (-60.0, -5.0)
CEILING_RANGE_DBTP = (-20.0, 0.0)
MOST_ROUNDS = 5
"""Where peaks had to be limited, one to three were taken (docs/quality/loudness.md)."""
CLOSE_ENOUGH_LU = 0.05
"""Half of what is told as falling short; nearer than meters agree among themselves."""
SHORT_FROM_LU = 0.1
"""From here on the result says that it falls short."""
LIMITER_ROOM_DB = 0.1
"""The limiter works this far below the ceiling, for it moves peaks a little itself."""
METERS_DIFFER_DB = 0.05
"""By so much a meter that oversamples more may find a higher true peak: BS.1770-4, annex 2, takes four times
as many samples, between which a peak can still hide."""
_NOTING = 0.3
"""So much of the progress is measuring and finding the gain."""
_SPEECH_RANGE_LU = 30.0
"""Of steps of speech that are softer than its loudest by more, none is speech. It only finds where to begin:
the result is measured with the standard's gates."""


class NormaliseParams(SoundParams):
    """How loud, and what may happen at the ceiling."""

    target: TargetName = USUAL_TARGET
    """Where it is delivered, which says how loud and how high it may be, and by which rules it is checked."""
    target_lufs: float | None = None
    """Integrated loudness, clamped to -60..-5; ``None``: the target's. Any other is checked by no rule."""
    ceiling_dbtp: float | None = None
    """No true peak is higher, clamped to -20..0; ``None``: the target's."""
    level_speech: bool = False
    """Every turn of speech comes to one loudness first; pauses and breaths are not raised."""
    on_ceiling: Literal["limit", "stop_short"] = "limit"
    """Where gain alone would go over the ceiling: limit those peaks, or take less gain."""


def backend() -> Backend:
    """Our meter and a limiter of our own; raises ``MissingDependency``."""
    return meter_backend("normalise-7")


def run(job: Job, params: NormaliseParams, backend: Backend) -> Result:
    """Normalise; skipped, with the reason, where loudness is undefined.

    Raises ``UnsupportedMedia`` where there is no sound or samples are not numbers, ``ValidationError`` where
    ``level_speech`` lacks the activity, ``BackendFailed`` where limiting fails, and what decoding raises.
    """
    job = replace(job, progress=_rising(job.progress))
    sound = open_sound(job)
    turns = turns_of(job)
    before, heard = _measured_before(job, sound)
    if before.undefined:
        reason = f"{before.undefined}: it has no loudness to set"
        return Result((), StepState.SKIPPED, reason)
    levels = _levels(job, turns) if params.level_speech else None
    if levels:
        heard = measure(sound, partial(_tell_measuring, job), levels)
    clamps = Clamps()
    settled = _settled(params, clamps, heard.result() if heard else before, heard, levels)
    if DELIVERY_TARGETS[params.target].dialogue and params.target_lufs is None:
        settled = _for_dialogue(job, settled, turns)
    path = job.workdir / "normalised.wav"
    made = _make(job, sound, settled, params.on_ceiling, path)
    delivery = _checked(params, made, turns)
    meta = {
        "target": params.target,
        "target_lufs": settled.target_lufs,
        "ceiling_dbtp": settled.ceiling_dbtp,
        "on_ceiling": params.on_ceiling,
        "norm_stats": norm_stats(settled, before, made),
        "delivery": delivery,
        "levelled": _level_stats(levels, turns, made),
        "clamped": clamps.report,
        "sample_rate_hz": sound.sample_rate_hz,
        "channels": sound.channels,
        "sample_format": SAMPLE_FORMATS[sound.codec],
    }
    output = Output("audio_normalised", "normalised", path, "audio/wav", meta)
    missing_lu = made.missing_lu(settled)
    why = what_lacks(made.mode, missing_lu) if abs(missing_lu) > SHORT_FROM_LU else None
    reasons = [reason for reason in (why, delivery and what_fails(delivery)) if reason]
    return Result(
        [output], StepState.DEGRADED if reasons else StepState.DONE, "; ".join(reasons) or None
    )


def _rising(progress: Progress) -> Progress:
    """What is done twice does not fall back."""
    told = 0.0

    def tell(fraction: float, /) -> None:
        nonlocal told
        told = max(told, fraction)
        progress(told)

    return tell


def _settled(
    params: NormaliseParams,
    clamps: Clamps,
    before: Loudness,
    heard: FullMeter | None,
    levels: Levels | None,
) -> Settled:
    target = DELIVERY_TARGETS[params.target]
    lufs = target.lufs if params.target_lufs is None else params.target_lufs
    ceiling_dbtp = target.ceiling_dbtp if params.ceiling_dbtp is None else params.ceiling_dbtp
    return Settled(
        clamps.take("target_lufs", lufs, *TARGET_RANGE_LUFS),
        clamps.take("ceiling_dbtp", ceiling_dbtp, *CEILING_RANGE_DBTP),
        before,
        heard,
        levels,
    )


def _for_dialogue(job: Job, settled: Settled, turns: Sequence[Turn]) -> Settled:
    """The loudness is that of speech, where there is enough of it (a second); otherwise all of it stays.

    From the activity's K-weighted levels of 10 ms, as they are levelled: their mean power over the turns,
    without pauses in them. ATSC A/85 calls such speech the anchor element.
    """
    spans = _spans(turns)
    activity = _activity(job)
    if activity is None or not enough_dialogue(spans):
        return settled
    lufs = np.asarray(activity.level_lufs.values(), np.float64)
    if settled.levels is not None:
        lufs = lufs + settled.levels.gains_db[: len(lufs)]
    inside = [lufs[int(start / STEP_MS) : int(end / STEP_MS)] for start, end in spans]
    spoken = np.concatenate(inside)
    if not spoken.size:  # less sound was decoded than the turns reach over
        return settled
    heard = spoken[spoken > spoken.max() - _SPEECH_RANGE_LU]
    mean = 10 * float(np.log10(np.mean(10 ** (heard / 10))))
    return replace(settled, dialogue=spans, dialogue_lufs=mean)


def turns_of(job: Job) -> list[Turn]:
    """Where somebody speaks, as far as ``detect.activity`` heard it in this run."""
    activity = _activity(job)
    spans = activity.spans if activity else ()
    return [Turn(span.start_ms, span.end_ms) for span in spans if span.kind == "speech"]


def _activity(job: Job) -> AudioActivity | None:
    """What ``detect.activity`` found; ``None``: it is not among the inputs, or failed."""
    files = job.inputs.get("detect.activity", ())
    found = next((file for file in files if file.kind == AudioActivity.kind), None)
    return AudioActivity.read(found.path) if found else None


def _levels(job: Job, turns: Sequence[Turn]) -> Levels | None:
    """What to do to speech; ``None``: nobody speaks. Raises ``ValidationError`` where nobody listened."""
    activity = _activity(job)
    if activity is None:
        raise ValidationError(
            "level_speech", "needs detect.activity in the same run: add that step"
        )
    return level_speech(activity.level_lufs.values(), turns)


def _checked(
    params: NormaliseParams, made: Normalised, turns: Sequence[Turn]
) -> dict[str, Any] | None:
    """Against the target's rules; ``None``: another loudness or ceiling was asked for.

    The dialogue's loudness is measured on the result, over the same turns, where a second or more is spoken.
    """
    if params.target_lufs is not None or params.ceiling_dbtp is not None:
        return None
    meter, spans = made.meter.loudness_meter, _spans(turns)
    measured = Measured(
        made.after.integrated_lufs,
        made.after.true_peak_dbtp,
        meter.loudest_short_term_lufs(),
        meter.lufs_within(spans) if enough_dialogue(spans) else None,
    )
    return check_delivery(params.target, measured)


def _spans(turns: Sequence[Turn]) -> list[tuple[float, float]]:
    return [(turn.start_ms, turn.end_ms) for turn in turns]


def _level_stats(
    levels: Levels | None, turns: Sequence[Turn], made: Normalised
) -> dict[str, Any] | None:
    """How far apart the turns were and are, of those that last a second; ``None``: not levelled.

    The loudest less the softest, in LU, of turns of which both is known; 0 of fewer than two.
    """
    if levels is None:
        return None
    meter = made.meter.loudness_meter
    pairs = [
        (before, after)
        for turn, before in zip(turns, levels.before_lufs, strict=True)
        if turn.end_ms - turn.start_ms >= 1000
        and before is not None
        and (after := meter.lufs_within([(turn.start_ms, turn.end_ms)])) is not None
    ]
    spreads = [max(each) - min(each) for each in zip(*pairs, strict=True)] or [0.0, 0.0]
    return {
        "turns": len(turns),
        "most_gain_db": round(float(abs(levels.gains_db).max()), 2),
        "spread_before_lu": round(spreads[0], 2),
        "spread_after_lu": round(spreads[1], 2),
    }


def _measured_before(job: Job, sound: Sound) -> tuple[Loudness, FullMeter | None]:
    """The recording's numbers, and what measured them if that was here.

    An earlier measurement saves this pass, but its meter is gone: then the result has to be measured.
    """
    if earlier := earlier_measurement(job, sound):
        return earlier, None
    meter = measure(sound, partial(_tell_measuring, job))
    return meter.result(), meter


def earlier_measurement(job: Job, sound: Sound) -> Loudness | None:
    """What ``transform.loudness`` found, where it ran before, on the same streams.

    Another choice of ``stream`` is another sound, so its numbers are not taken.
    """
    streams = list(sound.media.heard.streams)
    for file in job.inputs.get("transform.loudness", ()):
        if file.meta.get("sound", {}).get("streams", streams) != streams:
            continue
        return Loudness.read(file.path)
    return None


def _make(
    job: Job, sound: Sound, settled: Settled, on_ceiling: Literal["limit", "stop_short"], path: Path
) -> Normalised:
    """By gain alone, as long as the ceiling allows it.

    A gain moves some blocks over the gates, so the loudness need not move by as much; each round adds what
    was missing in the one before. Where the meter that heard the recording is at hand, rounds are reckoned
    and the file is written once, at the end; otherwise each round writes it.
    """
    gain_db, most_db = settled.wanted_db, settled.most_db
    for rounds in range(1, MOST_ROUNDS + 1):
        if gain_db > most_db and on_ceiling == "limit":
            return _limited(job, sound, settled, path)
        stopped = gain_db > most_db
        gain_db = min(gain_db, most_db)
        gain = Gain(gain_db, levels=settled.levels)
        mode: Mode = "stopped_short" if stopped else "linear"
        if settled.heard:
            meter = settled.heard.louder(gain_db)
            made = Normalised(mode, gain_db, meter.result(), meter, rounds, "reckoned")
        else:
            meter = gain.measured(sound, path, partial(_tell, job, rounds))
            made = Normalised(mode, gain_db, meter.result(), meter, rounds)
        missing_lu = made.missing_lu(settled)
        if abs(missing_lu) <= CLOSE_ENOUGH_LU or (stopped and missing_lu > 0):
            break
        gain_db += missing_lu
    if settled.heard:
        gain.write(sound, path, partial(_tell, job, MOST_ROUNDS))
    return made


def _limited(job: Job, sound: Sound, settled: Settled, path: Path) -> Normalised:
    """Gain and limiter, measured and corrected. Raises ``BackendFailed`` if peaks stay too high.

    Each round moves the aim by what was missing and the threshold by what peaks were over. It ends when both
    fit, when more gain would be more limiting than is allowed (``Notes.most_gain_db``), or after the last
    round, with what that gave. For speech there is no reckoning, and the gain itself is corrected.
    """
    notes = noted(path, sound, settled.levels, lambda part: job.progress(_NOTING * part))
    aim_lufs, gain_db = settled.target_lufs, settled.wanted_db
    threshold_dbtp = settled.ceiling_dbtp - LIMITER_ROOM_DB
    for rounds in range(1, MOST_ROUNDS + 1):
        if not settled.dialogue:
            gain_db = find_gain_db(notes, aim_lufs, threshold_dbtp)
        gain = Gain(gain_db, threshold_dbtp, settled.levels)
        meter = gain.measured(sound, path, partial(_tell, job, rounds))
        made = Normalised("limited", gain_db, meter.result(), meter, rounds)
        peak_dbtp = made.after.true_peak_dbtp
        over_db = (
            0.0
            if peak_dbtp is None
            else max(0.0, peak_dbtp + METERS_DIFFER_DB - settled.ceiling_dbtp)
        )
        missing_lu = made.missing_lu(settled)
        spent = gain_db >= notes.most_gain_db(threshold_dbtp) and missing_lu > 0
        if not over_db and (spent or abs(missing_lu) <= CLOSE_ENOUGH_LU):
            break
        threshold_dbtp -= over_db
        aim_lufs += missing_lu
        gain_db += missing_lu
    if over_db:
        raise BackendFailed("limiter", f"it let peaks through, {over_db:.2f} dB too high")
    return made


def _tell_measuring(job: Job, part: float) -> None:
    job.progress(_NOTING * part)


def _tell(job: Job, rounds: int, part: float) -> None:
    """``part``, 0 to 1, of the round; rounds that are not needed are jumped over."""
    job.progress(_NOTING + (1 - _NOTING) * (rounds - 1 + part) / MOST_ROUNDS)


ENGINE = Engine(params=NormaliseParams, backend=backend, run=run)
