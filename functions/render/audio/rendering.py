"""One timeline on its way to files and their meta.

    planned     sources looked at, the timeline in frames (``mix_plan``)
    levelled    where asked for, each dialogue track played once by itself (``dialogue_levels``)
    mixed       in blocks: each bus into its stem, their sum into the premaster and onto disk (``mix``)
    mastered    from disk, measured, encoded, judged (``delivering``)

Written are one ``audio_render`` (the master), one ``audio_bus_stem`` a bus and another
``audio_render`` (the premaster) where they are asked for; stems and premaster are float WAV, since
their peaks may lie above full scale. A WAV holds 4 GiB: some three hours of stereo at 48 kHz as
float, and longer ones are refused as ``InputTooLarge``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from functions.render.audio.delivering import deliver, delivery_of, judged
from functions.render.audio.dialogue_levels import level_dialogue
from functions.render.audio.master import Mastered, MixFile
from functions.render.audio.mix import Mixer, summed
from functions.render.audio.mix_params import AudioRenderParams
from functions.render.audio.mix_plan import Plan, PlannedBus, delivered, plan_mix
from functions.render.audio.sources import Source, SourcePool, inspect
from functions.render.audio.wav import FLOAT, WavWriter
from functions.render.audio.writing import ENCODERS, markers_left_out
from shared.contracts.ids import artifact_id
from shared.contracts.step_engine import Job, Output, Result
from shared.errors import UnsupportedMedia
from shared.sound.leveller import Levels

PLAN_IN_META = 8_192
"""Characters; a longer plan stands in the meta by its digest alone, for metas stand in documents."""
_PREMASTER = "premaster"
_MIXING = 0.7
"""So much of the progress is the mix, the rest its master."""


def render(job: Job, params: AudioRenderParams) -> Result:
    """Plan, mix, master, write. Raises ``ValidationError``, ``UnsupportedMedia`` naming the source, and
    ``InputTooLarge``.

    A target's loudness and ceiling take the place of the preset's; all else stays the preset's.
    """
    found = {name: _inspected(name, job.sources[name]) for name in sorted(job.sources)}
    plan = plan_mix(
        params.arranged,
        {name: source.length_ms for name, source in found.items()},
        params.export_preset,
        format=params.format,
        bit_depth=params.bit_depth,
        channels=params.channels,
    )
    if params.target:
        plan = delivered(plan, params.target)
    return _Rendering(job, params, plan, found).result()


def _inspected(name: str, path: Path) -> Source:
    try:
        return inspect(path)
    except UnsupportedMedia as error:
        raise UnsupportedMedia(f"source {name}: {error.message}") from None


class _Rendering:
    """The files of one plan."""

    def __init__(
        self, job: Job, params: AudioRenderParams, plan: Plan, found: Mapping[str, Source]
    ) -> None:
        self._job, self._params, self._plan, self._found = job, params, plan, found
        self._told = 0.0
        self._levelled_db: dict[str, float] = {}
        wanted = plan.buses if params.stems_export else ()
        self._stems = {one.bus.bus_id: job.workdir / f"stem_{one.bus.bus_id}.wav" for one in wanted}
        self._premaster = job.workdir / "premaster.wav" if params.premaster_export else None

    def result(self) -> Result:
        """Do it all. Progress goes to 0.7 while mixing and from there to 0.99 while mastering."""
        job, plan = self._job, self._plan
        mix_path = job.workdir / "mix.f32"
        with MixFile(mix_path, plan.sample_rate_hz, plan.export.channels) as mix:
            self._mix(mix)
            tags = self._params.arranged.tags.model_dump(exclude_none=True)
            path, done = deliver(mix, plan, tags, job.workdir, self._master_progress)
        mix_path.unlink()
        job.progress(1.0)
        return Result(self._outputs(path, done), *judged(plan, done))

    def _master_progress(self, part: float) -> None:
        # A second master begins where the first one ended.
        self._told = max(self._told, _MIXING + (0.99 - _MIXING) * part)
        self._job.progress(self._told)

    def _mix(self, mix: MixFile) -> None:
        """Once over the plan, block by block: what is asked for is written while the mix goes to disk."""
        plan = self._plan
        levels = level_dialogue(plan, self._found) if self._params.level_dialogue else {}
        self._levelled_db = {name: round(_common_db(one), 2) for name, one in levels.items()}
        mixer = Mixer(plan, SourcePool(self._found, plan.sample_rate_hz), levels=levels)
        with ExitStack() as stack:
            stems = [stack.enter_context(self._float_wav(path)) for path in self._stems.values()]
            whole = (
                stack.enter_context(self._float_wav(self._premaster)) if self._premaster else None
            )
            for buses in mixer.blocks():
                for stem, signal in zip(stems, buses, strict=False):
                    stem.write(signal)
                total = summed(buses)
                if whole:
                    whole.write(total)
                mix.write(total)
                self._job.progress(_MIXING * mix.frames / plan.frames)

    def _float_wav(self, path: Path) -> WavWriter:
        plan = self._plan
        return WavWriter(path, plan.sample_rate_hz, plan.export.channels, FLOAT, plan.frames)

    # -- what is told about them ---------------------------------------------------------------

    def _outputs(self, path: Path, done: Mastered) -> list[Output]:
        """The master, the stems in the buses' order, the premaster. A master's and a premaster's parents are
        the sources that are heard, a stem's is the master."""
        sources = tuple(dict.fromkeys(clip.source for clip in self._plan.clips))
        content_type = ENCODERS[self._plan.export.format].content_type
        meta = self._master_meta(done)
        master = Output("audio_render", "master", path, content_type, meta, sources)
        outputs = [master, *(self._stem(one, done) for one in self._plan.buses if self._stems)]
        if self._premaster:
            meta = {**self._unmastered_meta(done), "bus_id": _PREMASTER, "roles": [_PREMASTER]}
            outputs.append(
                Output("audio_render", _PREMASTER, self._premaster, "audio/wav", meta, sources)
            )
        return outputs

    def _stem(self, one: PlannedBus, done: Mastered) -> Output:
        bus = one.bus
        master_id = artifact_id(self._job.cache_key, "audio_render", "master")
        meta = {
            **self._unmastered_meta(done),
            "bus_id": bus.bus_id,
            "roles": sorted({track.role for track in one.tracks}),
            "gain_db": bus.gain_db,
            "tracks": [track.track_id for track in one.tracks],
            "parent_master": master_id,
        }
        path = self._stems[bus.bus_id]
        return Output("audio_bus_stem", path.stem, path, "audio/wav", meta, ("master",))

    def _common_meta(self) -> dict[str, Any]:
        """What master, stems and premaster share. ``plan_sha256`` is of the plan's text in UTF-8."""
        plan, timeline = self._plan, self._params.arranged
        text = str(plan)
        return {
            "timeline_name": timeline.name,
            "export_preset": plan.export.preset_id,
            "mix_preset_id": timeline.mix_preset_id,
            "duration_ms": round(1000 * plan.frames / plan.sample_rate_hz, 3),
            "frames": plan.frames,
            "sample_rate_hz": plan.sample_rate_hz,
            "channels": plan.export.channels,
            "plan_sha256": sha256(text.encode()).hexdigest(),
        }

    def _master_meta(self, done: Mastered) -> dict[str, Any]:
        """Loudness and peaks as a player hears them: of a lossy master after decoding."""
        plan, export = self._plan, self._plan.export
        text = str(plan)
        return {
            **self._common_meta(),
            "stage": "master",
            "bus_id": "master",
            "roles": ["master"],
            "gain_db": round(done.headroom_gain_db + done.loudnorm_gain_db, 2),
            "headroom_gain_db": done.headroom_gain_db,
            "loudnorm_gain_db": done.loudnorm_gain_db,
            "limiter_thresh": export.preset.limiter_thresh,
            "headroom": export.preset.headroom,
            "loudnorm_target": export.loudnorm_target,
            "dithered": export.dithered,
            "render_profile": plan.render_profile,
            "integrated_lufs": done.integrated_lufs,
            "true_peak_dbtp": done.true_peak_dbtp,
            "limited_by_db": done.limited_by_db,
            "rounds": done.rounds,
            "delivery": delivery_of(plan, done),
            "levelled_db": self._levelled_db,
            "buses": [one.bus.bus_id for one in plan.buses],
            "markers": len(plan.markers) - markers_left_out(plan),
            "plan": text if len(text) <= PLAN_IN_META else None,
        }

    def _unmastered_meta(self, done: Mastered) -> dict[str, Any]:
        """Nothing of the master's has been done to stems: ``None`` says so."""
        plan = self._plan
        return {
            **self._common_meta(),
            "stage": "pre_master",
            "gain_db": 0.0,
            "master_gain_db": round(done.headroom_gain_db + done.loudnorm_gain_db, 2),
            "limiter_thresh": None,
            "headroom": None,
            "loudnorm_target": None,
            "dithered": False,
            "render_profile": f"wav_float_{plan.sample_rate_hz}_{plan.export.channels}ch",
        }


def _common_db(levels: Levels) -> float:
    """The gain of a track's turns, in dB: all have one, and nothing else is farther from 0."""
    return float(levels.gains_db[np.argmax(np.abs(levels.gains_db))])
