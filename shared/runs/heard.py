"""What was heard and seen in a recording, in few words and as layers over time: of its documents.

``documents`` everywhere: artifact kind -> its parsed JSON, the newest of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Documents = Mapping[str, Mapping[str, Any]]
_MOST_MARKS = 4000
"""Of one layer: a page that draws more is slow, and shows no more."""


@dataclass(frozen=True)
class Loudness:
    """Before and after normalising, in LUFS and dBTP; ``None`` where it is not defined (silence)."""

    before_lufs: float | None
    after_lufs: float | None
    before_dbtp: float | None = None
    after_dbtp: float | None = None

    def __str__(self) -> str:
        before, after = (_lufs(value) for value in (self.before_lufs, self.after_lufs))
        return f"{before} → {after}" if self.after_lufs is not None else before


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


def loudness_of(documents: Documents, norm_stats: Mapping[str, Any] | None) -> Loudness | None:
    """As normalising measured it, else as measuring alone did; ``None`` where nobody measured."""
    measured = documents.get("audio_loudness")
    if norm_stats and norm_stats.get("before") and norm_stats.get("after"):
        before, after = norm_stats["before"], norm_stats["after"]
        return Loudness(
            before["integrated_lufs"],
            after["integrated_lufs"],
            before["true_peak_dbtp"],
            after["true_peak_dbtp"],
        )
    if measured is None:
        return None
    return Loudness(measured["integrated_lufs"], None, measured["true_peak_dbtp"])


def heard(documents: Documents) -> list[str]:
    """``speech 34 s``, ``music 5 s``, ``2 speakers``, ``126 BPM``, ``3 faces``: what there is of it."""
    return list(_heard(documents))


def _heard(documents: Documents) -> Iterator[str]:
    timeline = documents.get("audio_semantic_timeline", {})
    lasting: dict[str, float] = {}
    for event in timeline.get("events", ()):
        length_ms = event["end_ms"] - event["start_ms"]
        lasting[event["kind"]] = lasting.get(event["kind"], 0.0) + length_ms
    yield from (
        f"{kind} {_length(lasting[kind])}" for kind in ("speech", "music") if kind in lasting
    )
    speakers = {
        one["speaker_id"]
        for one in documents.get("asr_transcript", {}).get("words", ())
        if one.get("speaker_id")
    }
    if len(speakers) > 1:
        yield f"{len(speakers)} speakers"
    if (bpm := _tempo(documents)) is not None:
        yield f"{bpm:.0f} BPM"
    faces = documents.get("video_region_summary", {}).get("tracks", ())
    if faces:
        yield _counted(len(faces), "face")
    shots = documents.get("visual_meta", {}).get("shots", ())
    if shots:
        yield _counted(len(shots), "shot")


def _tempo(documents: Documents) -> float | None:
    """Of the loops, which are cut on it; else of the music's longest stretch. Speech has none."""
    events = documents.get("audio_semantic_timeline", {}).get("events")
    if events is not None and not any(event["kind"] == "music" for event in events):
        return None
    loops = documents.get("audio_loops", {})
    if loops.get("segments") and loops.get("bpm"):
        return float(loops["bpm"])
    tempi = documents.get("audio_semantic_timeline", {}).get("tempi", ())
    longest = max(tempi, key=lambda one: one["end_ms"] - one["start_ms"], default=None)
    return float(longest["bpm"]) if longest else None


def layers(documents: Documents) -> list[Layer]:
    """What lies where in time, for a page to draw: only layers that hold something."""
    events = documents.get("audio_semantic_timeline", {}).get("events", ())
    found = [
        Layer(kind, [_mark(one, kind) for one in events if one["kind"] == kind])
        for kind in ("speech", "music")
    ]
    for name, kind in (
        ("phrases", "audio_phrases"),
        ("loops", "audio_loops"),
        ("hits", "audio_hits"),
    ):
        segments = documents.get(kind, {}).get("segments", ())
        found.append(
            Layer(name, [_mark(one, f"{name[:-1]} {n}") for n, one in enumerate(segments, 1)])
        )
    shots = documents.get("visual_meta", {}).get("shots", ())
    found.append(Layer("shots", [_mark(one, f"shot {n}") for n, one in enumerate(shots, 1)]))
    tracks = documents.get("video_region_summary", {}).get("tracks", ())
    found.append(Layer("faces", [_mark(one, one["track_id"].replace("_", " ")) for one in tracks]))
    return [Layer(one.name, one.marks[:_MOST_MARKS]) for one in found if one.marks]


def _mark(segment: Mapping[str, Any], label: str) -> Mark:
    said = str(segment.get("transcript") or "").strip()
    return Mark(segment["start_ms"], segment["end_ms"], said or label)


def spoken_text(transcript: Mapping[str, Any]) -> str:
    """What was said as plain text: a paragraph where nobody speaks for two seconds, or another does."""
    paragraphs: list[list[str]] = []
    before: Mapping[str, Any] | None = None
    for cue in transcript.get("cues", ()):
        new = before is None or (
            cue["start_ms"] - before["end_ms"] >= 2000
            or cue.get("speaker_id") != before.get("speaker_id")
        )
        if new:
            speaker = cue.get("speaker_id")
            paragraphs.append([f"{speaker.replace('_', ' ')}:"] if speaker else [])
        paragraphs[-1].append(" ".join(cue["text"].split()))
        before = cue
    return "\n\n".join(" ".join(words) for words in paragraphs) + "\n" if paragraphs else ""


def _length(length_ms: float) -> str:
    minutes, seconds = divmod(round(length_ms / 1000), 60)
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _lufs(value: float | None) -> str:
    return "silent" if value is None else f"{value:.1f} LUFS"
