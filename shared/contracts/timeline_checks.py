"""What must hold in a timeline. Every error names the place: ``tracks.voice.clips.intro.fade_in_ms``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shared.contracts.timeline_parts import (
    AudioClip,
    Bus,
    FadeCurve,
    Keyframe,
    Part,
    Section,
    TimelineParts,
    Track,
)
from shared.errors import ValidationError

MAX_DURATION_MS = 3 * 3_600_000.0
MAX_JSON_BYTES = 400_000
"""A timeline travels in messages and stands in documents, which hold less than 1 MiB."""
SILENT_DB = -96.0
"""A gain that low is silence."""
TOLERANCE_MS = 0.5
"""Lengths that people or other programs rounded to milliseconds may be off by so much."""
SOURCE_TOLERANCE_MS = 100.0
"""A lossy recording's length is not known better; silence fills what is missing."""

_TIME = (0.0, MAX_DURATION_MS)
_GAIN = (SILENT_DB, 24.0)
_CUTOFF = (10.0, 24_000.0)
LANE_RANGES: Mapping[str, tuple[float, float]] = {
    "gain_db": _GAIN,
    "pan": (-1.0, 1.0),
    "lowpass_hz": _CUTOFF,
    "highpass_hz": _CUTOFF,
}
RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "clip": {
        **dict.fromkeys(("start_ms", "source_start_ms", "source_end_ms"), _TIME),
        **dict.fromkeys(("fade_in_ms", "fade_out_ms"), _TIME),
        **dict.fromkeys(("crossfade_in_ms", "crossfade_out_ms"), _TIME),
        "speed": (0.25, 4.0),
        "gain_db": _GAIN,
        "pan": (-1.0, 1.0),
    },
    "track": {"gain_db": _GAIN, "pan": (-1.0, 1.0)},
    "bus": {"gain_db": _GAIN, "pan": (-1.0, 1.0)},
    "eq": {"frequency_hz": _CUTOFF, "gain_db": (-24.0, 24.0), "q": (0.1, 20.0)},
    "duck": {
        "amount_db": (0.0, 60.0),
        "threshold_dbfs": (-90.0, 0.0),
        "attack_ms": (1.0, 5_000.0),
        "hold_ms": (0.0, 10_000.0),
        "release_ms": (1.0, 10_000.0),
    },
    "marker": {"time_ms": _TIME},
    "timeline": {"sample_rate_hz": (8_000, 192_000)},
}
"""Part -> field -> the least and the most it may be."""


def check_timeline(timeline: TimelineParts) -> None:
    """Raise ``ValidationError`` for the first thing that is wrong, in the timeline's order."""
    _in_range("", "timeline", timeline)
    if len(timeline.model_dump_json()) > MAX_JSON_BYTES:
        raise ValidationError(
            "timeline",
            f"is longer than {MAX_JSON_BYTES:,} bytes of JSON: make several timelines of it",
        )
    _unique("tracks", "track_id", [str(track.track_id) for track in timeline.tracks])
    _unique("buses", "bus_id", [bus.bus_id for bus in timeline.buses])
    for track in timeline.tracks:
        _check_track(track)
    for bus in timeline.buses:
        _check_bus(bus)
    for number, marker in enumerate(timeline.markers, 1):
        _in_range(f"markers.{number}.", "marker", marker)


def _check_track(track: Track) -> None:
    where = f"tracks.{track.track_id}."
    _in_range(where, "track", track)
    _check_lanes(where + "automation.", track.automation.lanes, MAX_DURATION_MS)
    _check_lane(where, "section_gain_db", track.section_gain_db, MAX_DURATION_MS)
    _unique(where + "clips", "clip_id", [str(clip.clip_id) for clip in track.clips])
    for clip in track.clips:
        _check_clip(f"{where}clips.{clip.clip_id}.", clip)
    for edges in edges_of(track):
        _check_fades(f"{where}clips.{edges.clip.clip_id}.", edges)


def _check_clip(where: str, clip: AudioClip) -> None:
    if (clip.asset_id is None) == (clip.artifact_id is None):
        raise ValidationError(where + "asset_id", "give either asset_id or artifact_id")
    _in_range(where, "clip", clip)
    if clip.source_end_ms is not None and clip.source_end_ms <= clip.source_start_ms:
        raise ValidationError(where + "source_end_ms", "must be greater than source_start_ms")
    duration_ms = clip.duration_ms
    last_ms = MAX_DURATION_MS if duration_ms is None else duration_ms
    if clip.start_ms + (duration_ms or 0.0) > MAX_DURATION_MS:
        raise ValidationError(
            where + "start_ms",
            f"it would end after {MAX_DURATION_MS:,.0f} ms, the longest mix: make several",
        )
    _check_lanes(where + "automation.", clip.automation.lanes, last_ms)


def _check_lanes(where: str, lanes: Mapping[str, Sequence[Keyframe]], last_ms: float) -> None:
    for name, lane in lanes.items():
        _check_lane(where, name, lane, last_ms)


def _check_lane(where: str, name: str, lane: Sequence[Keyframe], last_ms: float) -> None:
    low, high = LANE_RANGES[name.removeprefix("section_")]
    before_ms = -1.0
    for number, keyframe in enumerate(lane):
        place = f"{where}{name}.{number}."
        if not 0 <= keyframe.time_ms <= last_ms:
            raise ValidationError(
                place + "time_ms", f"{keyframe.time_ms:g} is not within 0 to {last_ms:g} ms"
            )
        if keyframe.time_ms == before_ms:
            raise ValidationError(place + "time_ms", f"there are two keyframes at {before_ms:g} ms")
        if keyframe.time_ms < before_ms:
            raise ValidationError(place + "time_ms", "keyframes must be in order of time")
        if not low <= keyframe.value <= high:
            raise ValidationError(
                place + "value", f"{keyframe.value:g} is not within {low:g} to {high:g}"
            )
        before_ms = keyframe.time_ms


def _check_fades(where: str, edges: Edges) -> None:
    clip, into, out = edges.clip, edges.into, edges.out
    for edge, field, fade_ms in (
        (into, "fade_in_ms", clip.fade_in_ms),
        (out, "fade_out_ms", clip.fade_out_ms),
    ):
        if fade_ms and edge.crossfade:
            raise ValidationError(
                where + field, "there is a crossfade on this edge: give one of the two"
            )
    duration_ms = clip.duration_ms
    if duration_ms is not None and into.length_ms + out.length_ms > duration_ms + TOLERANCE_MS:
        field = "fade_in_ms" if into.length_ms >= out.length_ms else "fade_out_ms"
        raise ValidationError(
            where + field,
            f"fades of {into.length_ms:g} and {out.length_ms:g} ms do not fit into "
            f"{duration_ms:g} ms",
        )


@dataclass(frozen=True)
class Edge:
    """How a clip comes or goes."""

    length_ms: float
    curve: FadeCurve
    crossfade: bool


@dataclass(frozen=True)
class Edges:
    """A clip with its fades as they are heard."""

    clip: AudioClip
    into: Edge
    out: Edge


def edges_of(track: Track) -> Iterator[Edges]:
    """Each clip in order of time, with its fades, or the crossfades in their place.

    Raises ``ValidationError`` for crossfades that contradict each other or the clips' places.
    """
    clips = in_time(track.clips)
    joints = [_crossfade(track, a, b) for a, b in pairwise([None, *clips, None])]
    for clip, into, out in zip(clips, joints, joints[1:], strict=False):
        yield Edges(
            clip,
            into or Edge(clip.fade_in_ms, clip.fade_in_curve, False),
            out or Edge(clip.fade_out_ms, clip.fade_out_curve, False),
        )


def in_time(clips: Iterable[AudioClip]) -> list[AudioClip]:
    """In the order in which they are heard."""
    return sorted(clips, key=lambda clip: (clip.start_ms, clip.clip_id))


def _crossfade(track: Track, before: AudioClip | None, clip: AudioClip | None) -> Edge | None:
    """Between two neighbours; ``None``: there is none."""
    out_ms = before.crossfade_out_ms if before else 0.0
    into_ms = clip.crossfade_in_ms if clip else 0.0
    wanted_ms = into_ms or out_ms
    if not wanted_ms:
        return None
    side, field = (clip, "crossfade_in_ms") if clip and into_ms else (before, "crossfade_out_ms")
    place = f"tracks.{track.track_id}.clips.{side.clip_id if side else ''}.{field}"
    if before is None or clip is None:
        raise ValidationError(place, "there is no clip to crossfade with")
    if into_ms and out_ms and into_ms != out_ms:
        raise ValidationError(
            place, f"{into_ms:g} ms conflicts with {out_ms:g} ms of clip {before.clip_id!r}"
        )
    if before.duration_ms is not None:
        overlap_ms = before.start_ms + before.duration_ms - clip.start_ms
        if abs(overlap_ms - wanted_ms) > TOLERANCE_MS:
            raise ValidationError(
                place,
                f"clips {before.clip_id!r} and {clip.clip_id!r} must overlap by {wanted_ms:g} ms, "
                f"and do by {overlap_ms:g} ms",
            )
    return Edge(wanted_ms, clip.crossfade_curve, True)


def resolved_clip(track: Track, clip: AudioClip, lengths_ms: Mapping[str, float]) -> AudioClip:
    """The clip with its end, within its source; raises ``ValidationError`` where it is not."""
    length_ms = lengths_ms[clip.source.identifier]
    where = f"tracks.{track.track_id}.clips.{clip.clip_id}."
    if clip.source_start_ms >= length_ms:
        raise ValidationError(
            where + "source_start_ms", f"is behind the source's end, {length_ms:g} ms"
        )
    if clip.source_end_ms is None:
        return clip.model_copy(update={"source_end_ms": length_ms})
    if clip.source_end_ms > length_ms + SOURCE_TOLERANCE_MS:
        raise ValidationError(
            where + "source_end_ms",
            f"{clip.source_end_ms:g} is behind the source's end, {length_ms:g} ms",
        )
    return clip


def _check_bus(bus: Bus) -> None:
    where = f"buses.{bus.bus_id}."
    _in_range(where, "bus", bus)
    for number, band in enumerate(bus.eq):
        _in_range(f"{where}eq.{number}.", "eq", band)
    if bus.duck:
        _in_range(where + "duck.", "duck", bus.duck)
        if bus.bus_id in bus.duck.under:
            raise ValidationError(where + "duck.under", "a bus cannot make way for itself")


def clamped_sections(sections: Sequence[Section]) -> tuple[Section, ...]:
    """In order of time, each ending where the next begins at the latest. Raises ``ValidationError``."""
    ordered = sorted(sections, key=lambda one: one.start_ms)
    for one in ordered:
        if not 0 <= one.start_ms < one.end_ms <= MAX_DURATION_MS:
            raise ValidationError(
                f"sections.{one.name}.end_ms", "must be after start_ms, within 3 h"
            )
    for one, following in pairwise(ordered):
        if one.start_ms == following.start_ms:
            raise ValidationError(
                f"sections.{following.name}.start_ms", f"is that of section {one.name!r}"
            )
    ends_ms = [*(one.start_ms for one in ordered[1:]), MAX_DURATION_MS]
    return tuple(
        one.model_copy(update={"end_ms": min(one.end_ms, end_ms)})
        for one, end_ms in zip(ordered, ends_ms, strict=True)
    )


def _in_range(where: str, kind: str, part: Part) -> None:
    for field, (low, high) in RANGES[kind].items():
        value = getattr(part, field)
        if value is not None and not low <= value <= high:
            raise ValidationError(where + field, f"{value:g} is not within {low:g} to {high:g}")


def _unique(where: str, field: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValidationError(f"{where}.{name}.{field}", "is there twice")
        seen.add(name)
