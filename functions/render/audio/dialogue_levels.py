"""Dialogue tracks come to one loudness before they meet on their bus: a speaker a track.

Each is played once by itself to be measured. A turn is what lies within 12 dB of the track's own
loudness, pauses of up to 0.3 s included; all turns of a track share one gain, and what lies between
them is not raised (``shared.sound.leveller``).

A track is measured behind its own fader, filters and pan, and before any bus: so what its fader says
against other dialogue is levelled out, too. Loudness is BS.1770-4's, gated over the track and ungated
over 10 ms. It costs one more reading of every dialogue clip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from functions.render.audio.mix import Mixer, summed
from functions.render.audio.mix_plan import Plan, PlannedBus, PlannedTrack
from functions.render.audio.sources import Source, SourcePool
from shared.contracts.timeline_parts import Bus
from shared.sound.binned import Binned
from shared.sound.leveller import STEP_MS, Levels, Turn, level_speech
from shared.sound.loudness_meter import GATE_LUFS, LoudnessMeter, energy_lufs

ROLES = ("dialogue", "vox")
"""Of tracks that are levelled; each is taken for one speaker."""
_BELOW_LU = 12.0
"""Softer steps are between turns: more takes in breaths and bleed, less parts soft ends of words."""
_PAUSE_STEPS = 30
"""Of 10 ms: shorter pauses are within a turn."""
_SILENT_LUFS = -120.0
"""In place of -inf."""

Floats = NDArray[np.float64]


def level_dialogue(plan: Plan, found: Mapping[str, Source]) -> dict[str, Levels]:
    """Track id -> what to do to it. Tracks on which nothing is heard are left alone.

    ``found``: source id -> source. All go to the mean loudness of all their turns, none by more than the
    leveller's 12 dB; nothing where no dialogue is heard. Raises as the sources' readers do.
    """
    tracks = [track for bus in plan.buses for track in bus.tracks if track.role in ROLES]
    heard = {track.track_id: _levels_lufs(plan, track, found) for track in tracks}
    turns = {name: _turns(name, *measured) for name, measured in heard.items()}
    spoken = [name for name in heard if turns[name]]
    if not spoken:
        return {}
    # One after the other, as if they spoke in turn: then all have the same loudness to go to.
    joined = np.concatenate([heard[name][0] for name in spoken])
    starts = np.cumsum([0, *(len(heard[name][0]) for name in spoken)])
    shifted = [
        replace(turn, start_ms=turn.start_ms + STEP_MS * at, end_ms=turn.end_ms + STEP_MS * at)
        for name, at in zip(spoken, starts.tolist(), strict=False)
        for turn in turns[name]
    ]
    whole = level_speech(joined, shifted)
    assert whole is not None
    return {
        name: replace(whole, gains_db=whole.gains_db[at : at + len(heard[name][0])])
        for name, at in zip(spoken, starts.tolist(), strict=False)
    }


def _levels_lufs(
    plan: Plan, track: PlannedTrack, found: Mapping[str, Source]
) -> tuple[Floats, float]:
    """LUFS of each 10 ms of the track by itself, ``(steps,)``, at least -120; and of all of it, ``-inf`` for
    silence. A last part of less than 10 ms is left out."""
    alone = replace(plan, buses=(PlannedBus(Bus(bus_id="alone", roles=(track.role,)), (track,)),))
    mixer = Mixer(alone, SourcePool(found, plan.sample_rate_hz))
    meter = LoudnessMeter(plan.sample_rate_hz, plan.export.channels)
    steps = Binned(plan.sample_rate_hz, 1000 // STEP_MS, np.add)
    for buses in mixer.blocks():
        steps.add(meter.add(summed(buses).T))
    levels = [energy_lufs(float(mean)) for mean in steps.taken()]
    return np.maximum(np.array(levels), _SILENT_LUFS), meter.integrated_lufs()


def _turns(speaker: str, levels_lufs: Floats, loudness_lufs: float) -> list[Turn]:
    """Where the track speaks, in ms from the timeline's start; nowhere if it is at -70 LUFS or below."""
    if loudness_lufs <= GATE_LUFS:
        return []
    loud = levels_lufs > loudness_lufs - _BELOW_LU
    return [Turn(STEP_MS * a, STEP_MS * b, speaker) for a, b in _runs(np.flatnonzero(loud))]


def _runs(steps: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """First step and the one behind the last, of steps that follow each other but for short pauses."""
    for run in np.split(steps, np.flatnonzero(np.diff(steps) > _PAUSE_STEPS) + 1):
        if run.size:
            yield int(run[0]), int(run[-1]) + 1
