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

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from pydantic import ValidationError as PydanticError

from shared.contracts.model import refusal_of
from shared.contracts.nesting import nesting
from shared.contracts.step_engine import SourceRef
from shared.contracts.timeline import Timeline
from shared.contracts.timeline_checks import MAX_JSON_BYTES, Edges
from shared.contracts.timeline_parts import Track
from shared.errors import ValidationError
from shared.interchange.otio_clips import is_silent, media_url, ms, otio_library, speed, window_ms
from shared.interchange.rows import layers_of

NAMESPACE = "rushes"
MAX_OTIO_BYTES = 8 * MAX_JSON_BYTES
"""OpenTimelineIO spells out every time in three lines."""
_MOST_NESTED = 256
"""Brackets inside one another. A clip in a track in a stack lies in 8; metadata of other programs in
more. At a hundred thousand the library overruns its stack, and the process ends."""
_SAME_MS = 0.05
_HANDLE_MS = 1.0
"""By so much media may begin too late: other programs round."""
_PLACE = ("start_ms", "source_start_ms", "source_end_ms")

Resolve = Callable[[str, str], SourceRef | None]
"""A foreign clip's media URL and name -> what it is here."""


@dataclass(frozen=True)
class Imported:
    """A timeline that was read, and what of the file had no place in it."""

    timeline: Timeline
    notices: tuple[str, ...] = ()


# -- writing ------------------------------------------------------------------------------------


def to_otio(timeline: Timeline, lengths_ms: Mapping[str, float]) -> str:
    """The timeline as ``.otio`` JSON. ``lengths_ms``: source id -> length, for clips without an end.

    Raises ``MissingDependency``, and ``ValidationError`` as ``Timeline.with_lengths`` does.
    """
    text: str = _Writer(timeline, lengths_ms).document().to_json_string()
    return text


class _Writer:
    def __init__(self, timeline: Timeline, lengths_ms: Mapping[str, float]) -> None:
        self._otio = otio_library()
        self._own = timeline
        self._whole = timeline.with_lengths(lengths_ms)
        self._lengths_ms = lengths_ms
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
        reference = schema.ExternalReference(
            f"rushes:{kind}/{clip.source.identifier}",
            self._range(0.0, self._lengths_ms[clip.source.identifier]),
        )
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
    ``ValidationError`` naming the clip for what is not OpenTimelineIO, for media that nobody knows or
    whose window is not said, for nested compositions, and for time effects other than a speed.
    """
    if len(text) > MAX_OTIO_BYTES:
        raise ValidationError(
            "otio", f"is longer than {MAX_OTIO_BYTES:,} characters: export fewer sequences at once"
        )
    if nesting(text.encode(errors="replace")) > _MOST_NESTED:
        raise ValidationError("otio", f"is nested more than {_MOST_NESTED} deep")
    otio = otio_library()
    try:
        document = otio.adapters.read_from_string(text, "otio_json")
    except (otio.exceptions.OTIOError, ValueError, TypeError, KeyError) as error:
        raise ValidationError("otio", f"cannot be read: {str(error)[:200]}") from None
    document = _timeline_in(otio, document)
    reader = _Reader(otio, resolve)
    content = reader.content(document)
    try:
        return Imported(Timeline.model_validate(content), tuple(dict.fromkeys(reader.notices)))
    except PydanticError as error:
        raise refusal_of(error, "otio") from None


def _timeline_in(otio: Any, document: Any) -> Any:
    """The timeline, or the only one of a collection."""
    found = [document]
    if isinstance(document, otio.schema.SerializableCollection):
        found = [one for one in document if isinstance(one, otio.schema.Timeline)]
    if len(found) > 1:
        raise ValidationError("otio", f"holds {len(found)} timelines: save the one that is meant")
    if not found or not isinstance(found[0], otio.schema.Timeline):
        raise ValidationError("otio", "holds no timeline")
    return found[0]


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
            clips = list(self._clips(track, name, self._cut_ms(document.tracks, "tracks")))
            if layer and name in tracks:
                tracks[name]["clips"] += clips
                continue
            own = {"track_id": name, "name": track.name or None, **about}
            if own["name"] == name:
                own["name"] = about.get("name")
            tracks[name] = {**own, "muted": not track.enabled, "clips": clips}
        for one in tracks.values():
            one["clips"] = _in_place(one["clips"])
        from_ms, _ = self._cut_ms(document.tracks, "tracks")
        markers = [self._marker(one, from_ms) for one in document.tracks.markers]
        content = {"name": document.name or "", **_ours(document)}
        return {**content, "tracks": list(tracks.values()), "markers": markers}

    def _heard(self, document: Any) -> list[Any]:
        """The audio tracks; of a file that has none, all."""
        tracks = list(document.tracks)
        for number, one in enumerate(tracks, 1):
            where = f"tracks.{one.name or number}"
            if not isinstance(one, self.otio.schema.Track):
                raise ValidationError(where, f"{type(one).__name__} among tracks: flatten it first")
            if one.effects:
                speed(self.otio, one, where, self.notices)
        audio = [one for one in tracks if one.kind == "Audio"]
        if audio and len(audio) < len(tracks):
            self.notices.append("video tracks are left out")
        return audio or tracks

    def _cut_ms(self, composition: Any, where: str) -> tuple[float, float]:
        """From where to where a composition is heard, on its own clock."""
        window = composition.source_range
        if window is None:
            return 0.0, inf
        from_ms = ms(window.start_time, where)
        return from_ms, from_ms + ms(window.duration, where)

    def _clips(
        self, track: Any, name: str, heard_ms: tuple[float, float]
    ) -> Iterator[dict[str, Any]]:
        """The track's clips, placed; ``heard_ms``: what of the track the timeline plays."""
        own_ms = self._cut_ms(track, f"tracks.{name}")
        at_ms = -own_ms[0] - heard_ms[0]
        end_ms = min(own_ms[1] - own_ms[0], heard_ms[1]) - heard_ms[0]
        schema = self.otio.schema
        items = list(track)
        for index, item in enumerate(items):
            if isinstance(item, schema.Transition):
                continue
            if not isinstance(item, schema.Clip | schema.Gap):
                kind = type(item).__name__
                raise ValidationError(f"tracks.{name}", f"{kind} inside a track: flatten it first")
            where = f"tracks.{name}.clips.{item.name or index + 1}"
            if isinstance(item, schema.Gap):
                at_ms += ms(item.duration(), where)
                continue
            window = window_ms(item, where, self.notices)
            if not item.enabled:
                self.notices.append("disabled clips are left out")
            elif not is_silent(self.otio, item):
                if at_ms < -_SAME_MS or at_ms + window[1] > end_ms + _SAME_MS:
                    raise ValidationError(where, "is cut by its track's range: flatten it first")
                joints = self._joint(items, index, -1), self._joint(items, index, 1)
                yield self._clip(item, where, (max(0.0, at_ms), *window), joints)
            at_ms += window[1]

    def _joint(self, items: Sequence[Any], index: int, side: int) -> _Joint:
        """What is between an item and the one before (-1) or behind it (1)."""
        schema = self.otio.schema
        beside = items[index + side] if 0 <= index + side < len(items) else None
        if not isinstance(beside, schema.Transition):
            return _Joint()
        offsets_ms = ms(beside.in_offset, "transition"), ms(beside.out_offset, "transition")
        over = items[index + 2 * side] if 0 <= index + 2 * side < len(items) else None
        mutual = isinstance(over, schema.Clip) and over.enabled and not is_silent(self.otio, over)
        return _Joint(offsets_ms[side == 1], sum(offsets_ms), mutual)

    def _clip(
        self,
        item: Any,
        where: str,
        window: tuple[float, float, float],
        joints: tuple[_Joint, _Joint],
    ) -> dict[str, Any]:
        """``window``: place on the timeline, place in the media, length on the timeline (ms)."""
        at_ms, media_ms, length_ms = window
        into, out = joints
        about = _ours(item)
        written = about.pop("written", {})
        pace = speed(self.otio, item, where, self.notices)
        source_ms = media_ms - into.reach_ms * pace
        if source_ms < -_HANDLE_MS:
            raise ValidationError(where, f"its media begin {-source_ms:,.0f} ms too late for it")
        found = {
            "start_ms": at_ms - into.reach_ms,
            "source_start_ms": max(0.0, source_ms),
            "source_end_ms": source_ms + (length_ms + into.reach_ms + out.reach_ms) * pace,
        }
        if any(abs(found[name] - written.get(name, -1.0)) > _SAME_MS for name in _PLACE):
            about |= found
        if not written:
            about |= _foreign_edges(into, out)
        about["speed"] = pace
        if item.markers:
            self.notices.append("markers of clips are left out")
        if not about.get("asset_id") and not about.get("artifact_id"):
            about |= self._source(item, where)
        if item.name and item.name != about.get("clip_id"):
            about.setdefault("name", item.name)
        return about

    def _source(self, item: Any, where: str) -> dict[str, str]:
        url = media_url(self.otio, item, where)
        for kind in ("asset", "artifact"):
            if url.startswith(f"rushes:{kind}/"):
                return {f"{kind}_id": url.rsplit("/", 1)[1]}
        ref = self.resolve(url, item.name or "")
        if ref is None:
            unnamed = f"the clip names none, and no recording is called {item.name!r}"
            told = f"{url} is not known here: process it first" if url else unnamed
            raise ValidationError(f"{where}.media_reference", told)
        return {"artifact_id": ref.artifact_id} if ref.artifact_id else {"asset_id": ref.identifier}

    def _marker(self, marker: Any, from_ms: float) -> dict[str, Any]:
        at_ms = ms(marker.marked_range.start_time, f"markers.{marker.name}") - from_ms
        about = _ours(marker)
        if abs(about.get("time_ms", -1.0) - at_ms) > _SAME_MS:
            about["time_ms"] = at_ms
        return {**about, "name": marker.name}


def _ours(part: Any) -> dict[str, Any]:
    """What stands in our namespace, as plain JSON."""
    found = part.metadata.get(NAMESPACE)
    return _untangled(found) if hasattr(found, "items") else {}


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
