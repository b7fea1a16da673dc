"""From timeline to plan: what will be done, in whole samples, and as one canonical string.

A pure function: the same timeline and lengths give the same plan and the same string, which names
the stages in the order in which they are done::

    fades -> automation -> bus mixing -> headroom -> loudnorm -> limiter -> dither

A clip's start and end become frames one by one, each rounded to the nearest, and not its length: so nothing
adds up, and clips that touch in ms touch in frames. Crossfades have become fades of both clips
(``edges_of``). What is muted or has no clips is not in the plan, and a mix lasts until its last clip ends:
what rings on behind it is cut off. The string is for comparing and for the meta; nobody reads it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from functions.render.audio.export_presets import (
    ExportPreset,
    Format,
    buses_of,
    export_preset,
    routes,
)
from shared.contracts.curve_names import Curve
from shared.contracts.ids import canonical_json
from shared.contracts.timeline import Timeline
from shared.contracts.timeline_checks import Edge, Edges, edges_of
from shared.contracts.timeline_parts import Automation, Bus, FadeCurve, Lane, Marker, Track
from shared.errors import ValidationError
from shared.sound.delivery_targets import DELIVERY_TARGETS, TargetName

PLAN_VERSION = 1
"""Of the string's form."""
MONO_LU = 3.0
"""BS.1770 adds up channels: one that two speakers play is measured once, 10 lg 2 dB too low."""
STAGES = ("fades", "automation", "bus mixing", "headroom", "loudnorm", "limiter", "dither")

Points = tuple[tuple[int, float, Curve], ...]
"""Frame, value, and the way to the next."""


@dataclass(frozen=True)
class PlannedClip:
    """One clip in frames of the timeline's rate."""

    clip_id: str
    source: str
    source_frame: int
    """The first frame that is read, of the source at the timeline's rate."""
    source_frames: int
    """How many of these it plays: ``frames`` times ``speed``, within rounding."""
    start: int
    """On the timeline."""
    frames: int
    """As it is heard, at least 1."""
    speed: float
    """0.25 to 4; 2 is twice as fast."""
    keep_pitch: bool
    gain_db: float
    pan: float
    """-1 left to 1 right."""
    fade_in: tuple[int, FadeCurve]
    """Its length in frames, no longer than the clip; 0: none."""
    fade_out: tuple[int, FadeCurve]
    lanes: Mapping[str, Points]
    """In frames from the clip's start."""

    @property
    def stop(self) -> int:
        """The frame behind its last."""
        return self.start + self.frames


@dataclass(frozen=True)
class PlannedTrack:
    """One track that is heard, its clips in order of time."""

    track_id: str
    role: str
    gain_db: float
    pan: float
    lanes: Mapping[str, Points]
    """In frames of the timeline; a section's gain is one of them."""
    clips: tuple[PlannedClip, ...]


@dataclass(frozen=True)
class PlannedBus:
    """A bus, and the tracks on it in the timeline's order."""

    bus: Bus
    tracks: tuple[PlannedTrack, ...]


@dataclass(frozen=True)
class Export:
    """How the master is written."""

    preset_id: str
    preset: ExportPreset
    format: Format
    bit_depth: int
    """Of WAV and FLAC, 16 or 24."""
    channels: int
    """1 or 2."""
    target: TargetName | None = None
    """Where it is delivered: then the preset's loudness and ceiling are that target's."""

    @property
    def loudnorm_target(self) -> float:
        """LUFS, as BS.1770 measures this number of channels; where it is delivered, all count alike."""
        if self.target:
            return self.preset.loudnorm_target
        return self.preset.loudnorm_target - (MONO_LU if self.channels == 1 else 0.0)

    @property
    def dithered(self) -> bool:
        """Lossy encoders take floats: nothing is rounded for them, so nothing is dithered."""
        return self.preset.dither and self.format in ("wav", "flac")


@dataclass(frozen=True)
class Plan:
    """Everything that rendering needs to know."""

    sample_rate_hz: int
    frames: int
    """Of the mix, at that rate."""
    buses: tuple[PlannedBus, ...]
    """Those that have tracks, in the order in which they are summed."""
    markers: tuple[tuple[int, str], ...]
    """Frame and name."""
    export: Export

    @property
    def render_profile(self) -> str:
        """Rate, channels and format in one word."""
        export = self.export
        depth = f"_{export.bit_depth}" if export.format in ("wav", "flac") else ""
        return f"{export.format}{depth}_{self.sample_rate_hz}_{export.channels}ch"

    @property
    def clips(self) -> Iterator[PlannedClip]:
        """All clips."""
        for bus in self.buses:
            for track in bus.tracks:
                yield from track.clips

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def plan_mix(
    timeline: Timeline,
    lengths_ms: Mapping[str, float],
    preset_id: str = "default",
    *,
    format: Format = "wav",
    bit_depth: int | None = None,
    channels: int | None = None,
) -> Plan:
    """Plan it. ``lengths_ms``: source id -> how long it is.

    ``bit_depth`` and ``channels`` take the place of the preset's where they are given.
    Raises ``ValidationError`` naming the place: an unknown preset or role, a clip behind its
    source's end, or a timeline without a clip.
    """
    preset = export_preset(preset_id)
    export = Export(
        preset_id, preset, format, bit_depth or preset.bit_depth, channels or preset.channels
    )
    whole = timeline.with_lengths(lengths_ms)
    rate = whole.sample_rate_hz
    taken_by = routes(whole)
    heard = [track for track in whole.tracks if track.clips and not track.muted]
    planned = {str(track.track_id): _plan_track(track, rate) for track in heard}
    buses = tuple(
        PlannedBus(bus, tracks)
        for bus in buses_of(whole)
        if (tracks := tuple(t for name, t in planned.items() if taken_by[name] == bus))
    )
    frames = max((clip.stop for track in planned.values() for clip in track.clips), default=0)
    if not frames:
        raise ValidationError("tracks", "there is no clip to be heard")
    return Plan(rate, frames, buses, _plan_markers(whole.markers, rate, frames), export)


def delivered(plan: Plan, target: TargetName) -> Plan:
    """The same mix, with the loudness and the ceiling of where it is delivered, and four rounds to get
    there, however many the preset has. Headroom, dither and format stay the preset's."""
    asked, export = DELIVERY_TARGETS[target], plan.export
    preset = replace(
        export.preset, loudnorm_target=asked.lufs, limiter_thresh=asked.ceiling_dbtp, rounds=4
    )
    return replace(plan, export=replace(export, preset=preset, target=target))


def _plan_track(track: Track, rate: int) -> PlannedTrack:
    lanes = _plan_lanes(track.automation, rate)
    if track.section_gain_db:
        lanes["section_gain_db"] = _points(track.section_gain_db, rate)
    clips = tuple(_plan_clip(edges, rate) for edges in edges_of(track))
    return PlannedTrack(str(track.track_id), track.role, track.gain_db, track.pan, lanes, clips)


def _plan_clip(edges: Edges, rate: int) -> PlannedClip:
    """A clip whose source's length is known, with the fades that its neighbours leave it."""
    clip = edges.clip
    assert clip.duration_ms is not None and clip.source_end_ms is not None
    start = _frame(clip.start_ms, rate)
    first = _frame(clip.source_start_ms, rate)
    frames = max(1, _frame(clip.start_ms + clip.duration_ms, rate) - start)
    into, out = (_plan_fade(edge, rate, frames) for edge in (edges.into, edges.out))
    return PlannedClip(
        str(clip.clip_id),
        clip.source.identifier,
        first,
        frames if clip.speed == 1.0 else _frame(clip.source_end_ms, rate) - first,
        start,
        frames,
        clip.speed,
        clip.keep_pitch,
        clip.gain_db,
        clip.pan,
        into,
        out,
        _plan_lanes(clip.automation, rate),
    )


def _plan_fade(edge: Edge, rate: int, frames: int) -> tuple[int, FadeCurve]:
    return min(_frame(edge.length_ms, rate), frames), edge.curve


def _plan_lanes(automation: Automation, rate: int) -> dict[str, Points]:
    return {name: _points(lane, rate) for name, lane in automation.lanes.items()}


def _points(lane: Lane, rate: int) -> Points:
    """Keyframes on samples; of several within one sample the last counts."""
    on_samples = {_frame(one.time_ms, rate): (one.value, one.curve) for one in lane}
    return tuple((frame, *rest) for frame, rest in on_samples.items())


def _plan_markers(markers: Sequence[Marker], rate: int, frames: int) -> tuple[tuple[int, str], ...]:
    """Frame and name, in the timeline's order. Raises ``ValidationError`` for one behind the mix's end."""
    for marker in markers:
        if _frame(marker.time_ms, rate) >= frames:
            raise ValidationError(
                f"markers.{marker.name}.time_ms",
                f"{marker.time_ms:g} is behind the mix's end, {1000 * frames / rate:g} ms",
            )
    return tuple((_frame(marker.time_ms, rate), marker.name) for marker in markers)


def _frame(time_ms: float, rate: int) -> int:
    return round(time_ms * rate / 1000)


def _lines(plan: Plan) -> Iterator[str]:
    """The string's lines: numbers with all their digits; buses, lanes and marker names as JSON."""
    yield f"mix {PLAN_VERSION}: {plan.sample_rate_hz} Hz, {plan.frames} frames"
    yield "order: " + " -> ".join(STAGES)
    for planned in plan.buses:
        for track in planned.tracks:
            yield f"track {track.track_id} ({track.role}) -> {planned.bus.bus_id}"
            yield from (f"  {_clip_line(clip)}" for clip in track.clips)
            yield f"  automation: {_moves(track.gain_db, track.pan, track.lanes)}"
        yield f"bus {canonical_json(planned.bus.model_dump(mode='json'))}"
    yield from (f"marker {frame} {canonical_json(name)}" for frame, name in plan.markers)
    yield from _master_lines(plan)


def _clip_line(clip: PlannedClip) -> str:
    window = f"{clip.source}[{clip.source_frame}+{clip.source_frames}]"
    fades = f"in {clip.fade_in[0]} {clip.fade_in[1]}, out {clip.fade_out[0]} {clip.fade_out[1]}"
    kept = "" if clip.speed == 1.0 else " pitch kept" if clip.keep_pitch else " as tape"
    return (
        f"clip {clip.clip_id}: {window} x{clip.speed!r}{kept} at {clip.start}+{clip.frames}; "
        f"fades: {fades}; automation: {_moves(clip.gain_db, clip.pan, clip.lanes)}"
    )


def _moves(gain_db: float, pan: float, lanes: Mapping[str, Points]) -> str:
    return f"gain {gain_db!r} dB, pan {pan!r}, {canonical_json(lanes)}"


def _master_lines(plan: Plan) -> Iterator[str]:
    export = plan.export
    yield f"headroom: peaks at most {-export.preset.headroom!r} dBFS"
    yield f"loudnorm: {export.loudnorm_target!r} LUFS, {export.channels} ch"
    yield f"limiter: {export.preset.limiter_thresh!r} dBTP"
    yield f"dither: {f'tpdf, {export.bit_depth} bits' if export.dithered else 'none'}"
    delivered = f" for {export.target}" if export.target else ""
    yield f"export: {export.preset_id}{delivered}, {plan.render_profile}"
