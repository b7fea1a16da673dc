"""The timeline as OpenTimelineIO, there and back: https://opentimelineio.readthedocs.io

What OpenTimelineIO has a place for stands there: tracks, clips, gaps, source ranges, crossfades
(transitions around the cut), speed (``LinearTimeWarp``), markers, disabled tracks. All else (gain, pan,
fades, automation, roles, buses, tags) stands in ``metadata["rushes"]`` of timeline, tracks, clips and
markers, with the field names of ``shared.contracts.timeline``. Clips of a track that overlap without
a crossfade go to further tracks with the same ``track_id``, and come back as one.

Another program may have moved a clip: its place and source range then count, not what the metadata
remembers; where nothing was moved, the exact milliseconds come back.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError as PydanticError

from shared.contracts.step_engine import SourceRef
from shared.contracts.timeline import Timeline, Track
from shared.contracts.timeline_checks import MAX_JSON_BYTES, Edges
from shared.errors import MissingDependency, ValidationError
from shared.interchange.layers import layers_of

NAMESPACE = "rushes"
MAX_OTIO_BYTES = 8 * MAX_JSON_BYTES
"""OpenTimelineIO spells out every time in three lines."""
_SAME_MS = 0.05
_PLACE = ("start_ms", "source_start_ms", "source_end_ms")

Resolve = Callable[[str, str], SourceRef | None]
"""A foreign clip's media URL and name -> what it is here."""


@dataclass(frozen=True)
class Imported:
    """A timeline that was read, and what of the file had no place in it."""

    timeline: Timeline
    notices: tuple[str, ...] = ()


def _library() -> Any:
    try:
        return importlib.import_module("opentimelineio")
    except ImportError:
        hint = "install it with `pip install opentimelineio`"
        raise MissingDependency("opentimelineio", "0.17", hint) from None


# -- writing ------------------------------------------------------------------------------------


def to_otio(timeline: Timeline, lengths_ms: Mapping[str, float]) -> str:
    """The timeline as ``.otio`` JSON. ``lengths_ms``: source id -> length, for clips without an end.

    Raises ``MissingDependency``, and ``ValidationError`` as ``Timeline.with_lengths`` does.
    """
    text: str = _Writer(timeline, lengths_ms).document().to_json_string()
    return text


class _Writer:
    def __init__(self, timeline: Timeline, lengths_ms: Mapping[str, float]) -> None:
        self._otio = _library()
        self._own = timeline
        self._whole = timeline.with_lengths(lengths_ms)
        self._rate = float(timeline.sample_rate_hz)

    def document(self) -> Any:
        schema = self._otio.schema
        document = schema.Timeline(name=self._own.name)
        document.metadata[NAMESPACE] = _plain(self._own, {"tracks", "markers", "name"})
        for own, whole in zip(self._own.tracks, self._whole.tracks, strict=True):
            for number, layer in enumerate(layers_of(whole)):
                document.tracks.append(self._track(own, layer, number))
        for marker in self._own.markers:
            span = self._range(marker.time_ms, 0.0)
            made = schema.Marker(name=marker.name, marked_range=span)
            made.metadata[NAMESPACE] = _plain(marker, {"name"})
            document.tracks.markers.append(made)
        return document

    def _track(self, own: Track, layer: Sequence[Edges], number: int) -> Any:
        schema = self._otio.schema
        made = schema.Track(name=own.name or own.track_id, kind=schema.TrackKind.Audio)
        made.enabled = not own.muted
        made.metadata[NAMESPACE] = {**_plain(own, {"clips", "muted"}), "layer": number}
        exact = {clip.clip_id: (place, clip) for place, clip in enumerate(own.clips)}
        at_ms = 0.0
        for edges, behind in zip(layer, [*layer[1:], None], strict=False):
            into_ms = edges.into.length_ms / 2 if edges.into.crossfade else 0.0
            out_ms = edges.out.length_ms / 2 if edges.out.crossfade and behind else 0.0
            start_ms = edges.clip.start_ms + into_ms
            if start_ms - at_ms > 1e-6:
                made.append(schema.Gap(source_range=self._range(0.0, start_ms - at_ms)))
            if into_ms:
                made.append(self._transition(into_ms))
            place, clip = exact[edges.clip.clip_id]
            made.append(self._clip(edges, into_ms, out_ms, {**_plain(clip, set()), "place": place}))
            assert edges.clip.duration_ms is not None
            at_ms = edges.clip.start_ms + edges.clip.duration_ms - out_ms
        return made

    def _clip(self, edges: Edges, into_ms: float, out_ms: float, about: dict[str, Any]) -> Any:
        schema, clip = self._otio.schema, edges.clip
        assert clip.duration_ms is not None
        kind = "artifact" if clip.artifact_id else "asset"
        reference = schema.ExternalReference(f"rushes:{kind}/{clip.source.identifier}")
        source_ms = clip.source_start_ms + into_ms * clip.speed
        made = schema.Clip(
            name=clip.name or clip.clip_id,
            media_reference=reference,
            source_range=self._range(source_ms, clip.duration_ms - into_ms - out_ms),
        )
        if clip.speed != 1.0:
            made.effects.append(schema.LinearTimeWarp(time_scalar=clip.speed))
        written = {name: getattr(clip, name) for name in _PLACE}
        made.metadata[NAMESPACE] = {**about, "written": written}
        return made

    def _transition(self, half_ms: float) -> Any:
        return self._otio.schema.Transition(
            transition_type=self._otio.schema.TransitionTypes.SMPTE_Dissolve,
            in_offset=self._time(half_ms),
            out_offset=self._time(half_ms),
        )

    def _time(self, ms: float) -> Any:
        return self._otio.opentime.RationalTime(ms * self._rate / 1000, self._rate)

    def _range(self, start_ms: float, duration_ms: float) -> Any:
        return self._otio.opentime.TimeRange(self._time(start_ms), self._time(duration_ms))


def _plain(part: Any, without: set[str]) -> dict[str, Any]:
    content: dict[str, Any] = part.model_dump(mode="json", exclude=without, exclude_defaults=True)
    return content


# -- reading ------------------------------------------------------------------------------------


def from_otio(text: str, resolve: Resolve = lambda url, name: None) -> Imported:
    """Read ``.otio`` JSON, ours or another program's.

    ``resolve`` says what media of other programs are here. Raises ``MissingDependency``, and
    ``ValidationError`` for what is not OpenTimelineIO, for media that nobody knows, and for nested
    compositions.
    """
    if len(text) > MAX_OTIO_BYTES:
        raise ValidationError("otio", f"is longer than {MAX_OTIO_BYTES:,} characters")
    otio = _library()
    try:
        document = otio.adapters.read_from_string(text, "otio_json")
    except (otio.exceptions.OTIOError, ValueError, TypeError, KeyError) as error:
        raise ValidationError("otio", f"cannot be read: {str(error)[:200]}") from None
    if not isinstance(document, otio.schema.Timeline):
        raise ValidationError("otio", "holds no timeline")
    reader = _Reader(otio, resolve)
    content = reader.content(document)
    try:
        return Imported(Timeline.model_validate(content), tuple(dict.fromkeys(reader.notices)))
    except PydanticError as error:
        first = error.errors()[0]
        raise ValidationError(".".join(map(str, first["loc"])), first["msg"]) from None


@dataclass(frozen=True)
class _Joint:
    """A transition on one side of a clip, or none."""

    reach_ms: float = 0.0
    """So far the clip goes on beyond the cut."""
    length_ms: float = 0.0
    mutual: bool = False
    """There is a clip on the other side, not a gap."""


def _foreign_edges(into: _Joint, out: _Joint) -> dict[str, float]:
    """Transitions as fades, and as crossfades where they join two clips."""
    edges = {
        "fade_in_ms": 0.0 if into.mutual else into.length_ms,
        "fade_out_ms": 0.0 if out.mutual else out.length_ms,
        "crossfade_out_ms": out.length_ms if out.mutual else 0.0,
    }
    return {name: length_ms for name, length_ms in edges.items() if length_ms}


@dataclass
class _Reader:
    otio: Any
    resolve: Resolve
    notices: list[str] = field(default_factory=list)

    def content(self, document: Any) -> dict[str, Any]:
        tracks: dict[str, dict[str, Any]] = {}
        for number, track in enumerate(self._heard(document), 1):
            about = _ours(track)
            layer = about.pop("layer", 0)
            name = str(about.get("track_id") or f"track_{number}")
            clips = list(self._clips(track, name))
            if layer and name in tracks:
                tracks[name]["clips"] += clips
                continue
            own = {"track_id": name, "name": track.name or None, **about}
            if own["name"] == name:
                own["name"] = about.get("name")
            tracks[name] = {**own, "muted": not track.enabled, "clips": clips}
        for one in tracks.values():
            one["clips"] = _in_place(one["clips"])
        markers = [self._marker(one) for one in document.tracks.markers]
        content = {"name": document.name or "", **_ours(document)}
        return {**content, "tracks": list(tracks.values()), "markers": markers}

    def _heard(self, document: Any) -> list[Any]:
        """The audio tracks; of a file that has none, all."""
        tracks = list(document.tracks)
        audio = [one for one in tracks if getattr(one, "kind", "") == "Audio"]
        if audio and len(audio) < len(tracks):
            self.notices.append("video tracks are left out")
        return audio or tracks

    def _clips(self, track: Any, name: str) -> Iterator[dict[str, Any]]:
        at_ms = 0.0
        schema = self.otio.schema
        items = list(track)
        for index, item in enumerate(items):
            if isinstance(item, schema.Transition):
                continue
            if not isinstance(item, schema.Clip | schema.Gap):
                kind = type(item).__name__
                raise ValidationError(f"tracks.{name}", f"{kind} inside a track: flatten it first")
            duration_ms = self._ms(item.duration())
            if isinstance(item, schema.Clip) and item.enabled:
                joints = self._joint(items, index, -1), self._joint(items, index, 1)
                yield self._clip(item, name, (at_ms, duration_ms), joints)
            elif isinstance(item, schema.Clip):
                self.notices.append("disabled clips are left out")
            at_ms += duration_ms

    def _joint(self, items: Sequence[Any], index: int, side: int) -> _Joint:
        """What is between an item and the one before (-1) or behind it (1)."""
        schema = self.otio.schema
        beside = items[index + side] if 0 <= index + side < len(items) else None
        if not isinstance(beside, schema.Transition):
            return _Joint()
        offsets_ms = self._ms(beside.in_offset), self._ms(beside.out_offset)
        over = items[index + 2 * side] if 0 <= index + 2 * side < len(items) else None
        mutual = isinstance(over, schema.Clip) and over.enabled
        return _Joint(offsets_ms[side == 1], sum(offsets_ms), mutual)

    def _clip(
        self, item: Any, track: str, span_ms: tuple[float, float], joints: tuple[_Joint, _Joint]
    ) -> dict[str, Any]:
        into, out = joints
        about = _ours(item)
        written = about.pop("written", {})
        speed = self._speed(item)
        source_ms = self._ms(item.trimmed_range().start_time) - into.reach_ms * speed
        heard_ms = span_ms[1] + into.reach_ms + out.reach_ms
        found = {
            "start_ms": span_ms[0] - into.reach_ms,
            "source_start_ms": max(0.0, source_ms),
            "source_end_ms": source_ms + heard_ms * speed,
        }
        if any(abs(found[name] - written.get(name, -1.0)) > _SAME_MS for name in _PLACE):
            about |= found
        if not written:
            about |= _foreign_edges(into, out)
        about["speed"] = speed
        if not about.get("asset_id") and not about.get("artifact_id"):
            about |= self._source(item, track)
        if item.name and item.name != about.get("clip_id"):
            about.setdefault("name", item.name)
        return about

    def _source(self, item: Any, track: str) -> dict[str, str]:
        url = getattr(item.media_reference, "target_url", None) or ""
        for kind in ("asset", "artifact"):
            if url.startswith(f"rushes:{kind}/"):
                return {f"{kind}_id": url.rsplit("/", 1)[1]}
        ref = self.resolve(url, item.name or "")
        if ref is None:
            raise ValidationError(
                f"tracks.{track}.clips.{item.name}.media_reference",
                f"{url or 'no media'} is not known here",
            )
        return {"artifact_id": ref.artifact_id} if ref.artifact_id else {"asset_id": ref.identifier}

    def _speed(self, item: Any) -> float:
        speed = 1.0
        for effect in item.effects:
            if type(effect) is self.otio.schema.LinearTimeWarp:
                speed *= effect.time_scalar
            else:
                self.notices.append(f"effects {effect.effect_name or effect.name!r} are left out")
        return speed

    def _marker(self, marker: Any) -> dict[str, Any]:
        at_ms = self._ms(marker.marked_range.start_time)
        about = _ours(marker)
        if abs(about.get("time_ms", -1.0) - at_ms) > _SAME_MS:
            about["time_ms"] = at_ms
        return {**about, "name": marker.name}

    def _ms(self, time: Any) -> float:
        return float(time.value / time.rate * 1000)


def _ours(part: Any) -> dict[str, Any]:
    """What stands in our namespace, as plain JSON."""
    found = part.metadata.get(NAMESPACE)
    return _untangled(found) if found else {}


def _untangled(value: Any) -> Any:
    """OpenTimelineIO's own dictionaries and lists as Python's."""
    if hasattr(value, "items"):
        return {name: _untangled(inner) for name, inner in value.items()}
    if isinstance(value, str | int | float | bool | None):
        return value
    return [_untangled(inner) for inner in value]


def _in_place(clips: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In the order they had in our list; clips that came from elsewhere behind them."""
    ordered = sorted(clips, key=lambda clip: clip.get("place", len(clips)))
    for clip in ordered:
        clip.pop("place", None)
    return ordered
