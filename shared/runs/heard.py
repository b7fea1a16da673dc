"""What was heard and seen in a recording, in few words and as layers over time: read off its documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.contracts.asr_transcript import Transcript
from shared.contracts.audio_loudness import Loudness
from shared.contracts.detections import (
    DetectedSegment,
    HitDetections,
    LoopDetections,
    PhraseDetections,
    PhraseSegment,
)
from shared.contracts.plurals import many
from shared.contracts.region_summary import RegionSummary
from shared.contracts.result_document import ResultDocument
from shared.contracts.semantic_timeline import SemanticTimeline
from shared.contracts.visual import VisualMeta

_LINE_CHARACTERS = 80
_MOST_MARKS = 4000
"""Of one layer: a page that draws more is slow, and shows no more."""


@dataclass(frozen=True)
class Findings:
    """The newest document of each sort; ``None`` where its step delivered none."""

    timeline: SemanticTimeline | None = None
    transcript: Transcript | None = None
    hits: HitDetections | None = None
    loops: LoopDetections | None = None
    phrases: PhraseDetections | None = None
    loudness: Loudness | None = None
    regions: RegionSummary | None = None
    visual: VisualMeta | None = None


FOUND: Mapping[str, type[ResultDocument]] = {
    "timeline": SemanticTimeline,
    "transcript": Transcript,
    "hits": HitDetections,
    "loops": LoopDetections,
    "phrases": PhraseDetections,
    "loudness": Loudness,
    "regions": RegionSummary,
    "visual": VisualMeta,
}
"""Field of ``Findings`` -> the document's model, which names its artifact's kind."""


@dataclass(frozen=True)
class Mark:
    """A stretch of time. ``start_ms == end_ms`` is a moment."""

    start_ms: float
    end_ms: float
    label: str


@dataclass(frozen=True)
class Layer:
    """One kind of thing over the recording's time."""

    name: str
    marks: Sequence[Mark]


def loudness_text(found: Findings, norm_stats: Mapping[str, Any] | None) -> str | None:
    """``-23.1 LUFS → -16.0 LUFS`` as normalising measured it, else ``-23.1 LUFS``, or why it is undefined.

    ``None`` where nobody measured.
    """
    if norm_stats and norm_stats.get("before") and norm_stats.get("after"):
        before_lufs, after_lufs = (
            norm_stats[side]["integrated_lufs"] for side in ("before", "after")
        )
        undefined = None
    elif found.loudness is not None:
        before_lufs, after_lufs = found.loudness.integrated_lufs, None
        undefined = found.loudness.undefined
    else:
        return None
    if before_lufs is None:
        return undefined or "silent"
    before = f"{before_lufs:.1f} LUFS"
    return before if after_lufs is None else f"{before} → {after_lufs:.1f} LUFS"


def heard(found: Findings) -> list[str]:
    """``speech 34 s``, ``music 5 s``, ``2 speakers``, ``126 BPM``, ``3 faces``: what there is of it."""
    return list(_heard(found))


def _heard(found: Findings) -> Iterator[str]:
    lasting_ms: dict[str, int] = {}
    for event in found.timeline.events if found.timeline else ():
        lasting_ms[event.kind] = lasting_ms.get(event.kind, 0) + event.end_ms - event.start_ms
    for kind in ("speech", "music"):
        if kind in lasting_ms:
            yield f"{kind} {_length(lasting_ms[kind])}"
    words = found.transcript.words if found.transcript else ()
    speakers = {word.speaker_id for word in words if word.speaker_id}
    if len(speakers) > 1:
        yield f"{len(speakers)} speakers"
    if (bpm := _tempo(found)) is not None:
        yield f"{bpm:.0f} BPM"
    if found.regions and found.regions.tracks:
        yield many(len(found.regions.tracks), "face")
    if found.visual and found.visual.shots:
        yield many(len(found.visual.shots), "shot")


def _tempo(found: Findings) -> float | None:
    """Of the loops, which are cut on it; else of the music's longest stretch. Speech has none."""
    if found.timeline and not any(event.kind == "music" for event in found.timeline.events):
        return None
    if found.loops and found.loops.segments and found.loops.bpm:
        return found.loops.bpm
    tempi = found.timeline.tempi if found.timeline else ()
    longest = max(tempi, key=lambda one: one.end_ms - one.start_ms, default=None)
    return longest.bpm if longest else None


def first_words(said: str) -> str:
    """A line of it, cut between words; what is written without spaces is cut anywhere."""
    text = " ".join(said.split())
    if len(text) <= _LINE_CHARACTERS:
        return text
    cut = text[:_LINE_CHARACTERS]
    return f"{cut.rpartition(' ')[0] or cut} …"


def layers(found: Findings) -> list[Layer]:
    """What lies where in time, for a page to draw: only layers that hold something."""
    events = found.timeline.events if found.timeline else ()
    made = [
        Layer(kind, [Mark(one.start_ms, one.end_ms, kind) for one in events if one.kind == kind])
        for kind in ("speech", "music")
    ]
    for name, detected in (
        ("phrases", found.phrases),
        ("loops", found.loops),
        ("hits", found.hits),
    ):
        segments: Sequence[DetectedSegment] = detected.segments if detected else ()
        made.append(Layer(name, [_mark(one, name, n) for n, one in enumerate(segments, 1)]))
    shots = found.visual.shots if found.visual else ()
    made.append(
        Layer("shots", [Mark(s.start_ms, s.end_ms, f"shot {n}") for n, s in enumerate(shots, 1)])
    )
    tracks = found.regions.tracks if found.regions else ()
    made.append(
        Layer("faces", [Mark(t.start_ms, t.end_ms, t.track_id.replace("_", " ")) for t in tracks])
    )
    return [Layer(one.name, one.marks[:_MOST_MARKS]) for one in made if one.marks]


def _mark(segment: DetectedSegment, name: str, number: int) -> Mark:
    said = segment.transcript if isinstance(segment, PhraseSegment) else None
    return Mark(segment.start_ms, segment.end_ms, (said or "").strip() or f"{name[:-1]} {number}")


def _length(length_ms: float) -> str:
    minutes, seconds = divmod(round(length_ms / 1000), 60)
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
