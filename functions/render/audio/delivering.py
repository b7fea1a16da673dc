"""From a mix to the master's file: as loud as it is to be behind its encoder, and judged.

A lossy encoder lifts peaks by a decibel or so, for it changes what they are the sum of, and takes away
sound that it thinks nobody hears, which lowers the loudness. Neither can be known before; so the file
is decoded and measured, and where it fails, the master is made once more with an allowance: a lower
threshold, a higher aim. What is told in the meta is what a player hears. In the worst case that is
as many masters as the preset has rounds, each of as many passes over the mix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from functions.render.audio.master import CLOSE_ENOUGH_LU, Allowance, Mastered, MixFile, make_master
from functions.render.audio.mix_plan import Plan
from functions.render.audio.writing import encode, heard_loudness, markers_left_out
from shared.contracts.audio_loudness import Loudness
from shared.contracts.step import StepState
from shared.sound.delivery_targets import Measured, check_delivery, what_fails

SHORT_LU = 0.5
"""A master that is farther from its target is ``degraded``; EBU R 128 allows a programme as much."""
MOST_LIFT_LU = 3.0
"""An encoder that takes more away has a mix of noise before it: that is said, not made up for."""


def deliver(
    mix: MixFile,
    plan: Plan,
    tags: Mapping[str, str],
    folder: Path,
    progress: Callable[[float], None],
) -> tuple[Path, Mastered]:
    """The master's file in ``folder``, and what was done. Where an encoder lifts peaks over the limit, or
    makes it quieter than it is to be, once more with an allowance for that: ``progress`` then begins anew.

    WAV and FLAC hold the master as it is: one try. Of a lossy file loudness and true peak are those after
    decoding, the short-term loudness the master's. Raises what ``make_master`` and ``encode`` do.
    """
    wav = folder / "master.wav"
    allowed = Allowance()
    for _ in range(plan.export.preset.rounds):
        done = make_master(mix, plan, tags, wav, progress, allowed)
        if plan.export.format == "wav":
            return wav, done
        path = encode(wav, plan, tags)
        heard = heard_loudness(path, plan)
        peak_dbtp = heard.true_peak_dbtp
        over_db = -math.inf if peak_dbtp is None else peak_dbtp
        over_db -= plan.export.preset.limiter_thresh
        lost_lu = _lost_lu(plan, done, heard)
        if plan.export.format == "flac" or (over_db <= 0 and lost_lu <= CLOSE_ENOUGH_LU):
            break
        allowed = Allowance(
            allowed.room_db + (over_db + 0.05 if over_db > 0 else 0.0),
            min(allowed.lift_lu + lost_lu, MOST_LIFT_LU),
        )
    wav.unlink()
    if done.true_peak_dbtp is None:  # an encoder's dither is no sound
        return path, done
    lufs = done.integrated_lufs if heard.undefined else heard.integrated_lufs
    return path, replace(done, true_peak_dbtp=peak_dbtp, integrated_lufs=lufs)


def _lost_lu(plan: Plan, done: Mastered, heard: Loudness) -> float:
    """How much quieter than its target the encoded master is, in LU, where the master itself got there.

    No more than the encoder took: what limiting made impossible is not asked of it. 0 for silence.
    """
    if done.integrated_lufs is None or heard.integrated_lufs is None:
        return 0.0
    lost_lu = plan.export.loudnorm_target - heard.integrated_lufs
    return max(0.0, min(lost_lu, done.integrated_lufs - heard.integrated_lufs))


def delivery_of(plan: Plan, done: Mastered) -> dict[str, Any] | None:
    """The target's rules, each with what was measured (``check_delivery``); ``None`` without a target.

    A mix is measured whole, for who speaks in it is not known.
    """
    if plan.export.target is None:
        return None
    measured = Measured(done.integrated_lufs, done.true_peak_dbtp, done.short_term_lufs)
    return check_delivery(plan.export.target, measured)


def judged(plan: Plan, done: Mastered) -> tuple[StepState, str | None]:
    """How the step settles, and why, where it is not as loud as it was to be or lacks markers.

    ``DEGRADED`` for silence, for more than half a LU off, where a target's rule is not met, and where the
    file cannot hold all markers.
    """
    if done.integrated_lufs is None:
        return StepState.DEGRADED, "the mix is silent: it has no loudness to set"
    short_lu = plan.export.loudnorm_target - done.integrated_lufs
    if abs(short_lu) > SHORT_LU:
        reason = f"{short_lu:.2f} LU short of the target: more would need heavier limiting"
        return StepState.DEGRADED, reason
    delivery = delivery_of(plan, done)
    if delivery and (failing := what_fails(delivery)):
        return StepState.DEGRADED, failing
    if left_out := markers_left_out(plan):
        told = f"{left_out} of {len(plan.markers)} markers are left out"
        return StepState.DEGRADED, f"{told}: {plan.export.format} has chapters 000 to 999"
    return StepState.DONE, None
