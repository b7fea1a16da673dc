"""A recording's sound as its edit list leaves it: as it was, or mastered.

    cut         into float samples on disk, in the recording's own rate, at most two channels
    as it was   rounded without dither: what is neither changed nor in a seam is the recording's own
    mastered    where a preset or target is named: as a mix of no buses is (``delivering``)

Reads the recording and the artifact of an ``edit_list``; writes one ``audio_render`` whose only parent is
that list. How it is cut: ``functions.render.cut``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from functions.render.audio.delivering import deliver, delivery_of, judged
from functions.render.audio.envelopes import Signal
from functions.render.audio.export_presets import export_preset
from functions.render.audio.master import Mastered, MixFile
from functions.render.audio.mix_params import AudioRenderParams
from functions.render.audio.mix_plan import Export, Plan, delivered
from functions.render.audio.wav import FLOAT, Rounding, WavWriter
from functions.render.audio.writing import ENCODERS, encode
from functions.render.cut.listed import heard_by, read_list, told
from functions.render.cut.sounding import CutSound, write_cut
from shared.contracts.edit_list import EditList
from shared.contracts.step import StepState
from shared.contracts.step_engine import Job, Output, Result
from shared.contracts.timeline_parts import Tags

_BLOCK_FRAMES = 1 << 16
_CUTTING = 0.6
"""So much of the progress is cutting."""


def cut_recording(job: Job, params: AudioRenderParams) -> Result:
    """Cut and write. Raises ``ValidationError`` for a list of something else, or that leaves nothing,
    ``InputTooLarge`` for more than WAV holds, and as ``write_cut`` and ``deliver`` do.

    Where silenced places could not be filled for lack of a quiet one, the reason says so.
    """
    assert params.edit_list is not None
    edits = read_list(job, params.edit_list)
    media, raw = heard_by(job.media, edits), job.workdir / "cut.f32"
    shape = media.heard.sample_rate_hz, params.channels or min(2, media.heard.channels)
    made = write_cut(
        raw, job.source, media, edits, shape, lambda part: job.progress(_CUTTING * part)
    )
    plan, tags = _plan(params, made), _tags(job, edits)
    done: Mastered | None = None
    if params.mastered:
        path, done = _mastered(job, raw, plan, tags)
    else:
        path = _as_it_was(job, raw, plan, tags)
    raw.unlink()
    job.progress(1.0)
    meta = {**_described(plan, done), **told(edits, made.plan)}
    meta |= {"room_heard": made.room_heard} if made.plan.silenced else {}
    content_type = ENCODERS[plan.export.format].content_type
    output = Output("audio_render", "cut", path, content_type, meta, (params.edit_list,))
    state, reason = judged(plan, done) if done else (StepState.DONE, None)
    return Result([output], state, reason or _room_notice(made))


def _room_notice(made: CutSound) -> str | None:
    if made.room_heard or not made.plan.silenced:
        return None
    return "no quiet place was found to fill silenced places from: they are digital silence"


def _plan(params: AudioRenderParams, made: CutSound) -> Plan:
    """As the master's writers want it: a mix of no buses."""
    preset = export_preset(params.export_preset)
    bits = params.bit_depth or preset.bit_depth
    export = Export(params.export_preset, preset, params.format, bits, made.channels)
    plan = Plan(made.plan.sample_rate_hz, made.plan.frames, (), (), export)
    return delivered(plan, params.target) if params.target else plan


def _mastered(job: Job, raw: Path, plan: Plan, tags: Mapping[str, str]) -> tuple[Path, Mastered]:
    """The master's file; ``raw``: float32 samples, interleaved, which are read once into a mix."""
    mix_path = job.workdir / "mix.f32"
    with MixFile(mix_path, plan.sample_rate_hz, plan.export.channels) as mix:
        for signal in _signals(raw, plan.export.channels):
            mix.write(signal)
        # A second master begins where the first one ended.
        told_at = [_CUTTING]

        def tell(part: float) -> None:
            told_at.append(max(told_at.pop(), _CUTTING + (0.99 - _CUTTING) * part))
            job.progress(told_at[0])

        found = deliver(mix, plan, tags, job.workdir, tell)
    mix_path.unlink()
    return found


def _as_it_was(job: Job, raw: Path, plan: Plan, tags: Mapping[str, str]) -> Path:
    """Not dithered: what is kept of a recording of so many bits has them already.

    Lossy formats get floats. Of a recording with more bits than are written, or of another sample
    format, samples are rounded to the nearest.
    """
    export, wav = plan.export, job.workdir / "cut.wav"
    lossless = export.format in ("wav", "flac")
    rounding = Rounding(export.bit_depth, dither=False) if lossless else None
    bits = export.bit_depth if lossless else FLOAT
    with WavWriter(wav, plan.sample_rate_hz, export.channels, bits, plan.frames) as writer:
        for signal in _signals(raw, export.channels):
            writer.write(rounding.round(signal) if rounding else signal)
        writer.close(tags=tags)
    if export.format == "wav":
        return wav
    path = encode(wav, plan, tags)
    wav.unlink()
    return path


def _tags(job: Job, edits: EditList) -> dict[str, str]:
    """The recording's own, as far as players show them; none where something is silenced for privacy, for
    they may name it.
    """
    if any(one.reason == "privacy" for one in edits.standing):
        return {}
    return {name: text for name, text in job.media.tags if name in Tags.model_fields}


def _signals(raw: Path, channels: int) -> Iterator[Signal]:
    """Blocks, ``(channels, frames)``."""
    with raw.open("rb") as file:
        while data := file.read(4 * channels * _BLOCK_FRAMES):
            yield np.frombuffer(data, "<f4").reshape(-1, channels).T


def _described(plan: Plan, done: Mastered | None) -> dict[str, Any]:
    """For the meta: what a mix tells, with ``None`` for what was not done to a cut that is not mastered."""
    export = plan.export
    meta: dict[str, Any] = {
        "stage": "cut",
        "bus_id": "cut",
        "roles": ["cut"],
        "gain_db": 0.0,
        "export_preset": export.preset_id,
        "limiter_thresh": None,
        "headroom": None,
        "loudnorm_target": None,
        "dithered": False,
        "render_profile": plan.render_profile,
        "duration_ms": round(1000 * plan.frames / plan.sample_rate_hz, 3),
        "frames": plan.frames,
        "sample_rate_hz": plan.sample_rate_hz,
        "channels": export.channels,
    }
    if done is None:
        return meta
    return meta | {
        "gain_db": round(done.headroom_gain_db + done.loudnorm_gain_db, 2),
        "limiter_thresh": export.preset.limiter_thresh,
        "headroom": export.preset.headroom,
        "loudnorm_target": export.loudnorm_target,
        "dithered": export.dithered,
        "integrated_lufs": done.integrated_lufs,
        "true_peak_dbtp": done.true_peak_dbtp,
        "limited_by_db": done.limited_by_db,
        "delivery": delivery_of(plan, done),
    }
