"""The timeline: tracks of clips, their fades and automation, buses, markers; and who plays when.

    Timeline
    ├── tracks    Track: a role, gain, pan, automation
    │   └── clips     AudioClip: a window of a recording or artifact, placed in time
    ├── buses     Bus: takes the tracks of its roles; changes or extends the mix preset's
    └── markers   Marker: a point with a name; a chapter in what is exported

Times are milliseconds, floats where a sample matters. Whatever stands in a ``Timeline`` has been
checked (``timeline_checks``); an error names track, clip and field: ``tracks.voice.clips.intro.pan``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field, field_validator, model_validator

from shared.contracts.ids import Name
from shared.contracts.step_engine import SourceRef
from shared.contracts.timeline_checks import check_timeline, clamped_sections, resolved_clip
from shared.contracts.timeline_parts import (
    Marker,
    Number,
    Part,
    Section,
    SectionKind,
    TimelineParts,
    Track,
)


class Timeline(TimelineParts):
    """All that a mix is made of."""

    @field_validator("tracks")
    @classmethod
    def _name_tracks(cls, tracks: tuple[Track, ...]) -> tuple[Track, ...]:
        return tuple(
            track if track.track_id else track.model_copy(update={"track_id": f"track_{number}"})
            for number, track in enumerate(tracks, 1)
        )

    @field_validator("markers")
    @classmethod
    def _sort_markers(cls, markers: tuple[Marker, ...]) -> tuple[Marker, ...]:
        return tuple(sorted(markers, key=lambda one: (one.time_ms, one.name)))

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_timeline(self)
        return self

    @property
    def sources(self) -> tuple[SourceRef, ...]:
        """What its clips play, each once, in the order of first mention."""
        clips = (clip for track in self.tracks for clip in track.clips)
        return tuple(dict.fromkeys(clip.source for clip in clips))

    def with_lengths(self, lengths_ms: Mapping[str, float]) -> Timeline:
        """The same with every clip's end known, checked again against the sources' lengths.

        ``lengths_ms``: source id -> its length. Raises ``ValidationError`` also for a clip that ends
        behind its source.
        """
        tracks = [
            track.model_copy(
                update={"clips": tuple(resolved_clip(track, c, lengths_ms) for c in track.clips)}
            )
            for track in self.tracks
        ]
        return Timeline.model_validate({**dict(self), "tracks": tuple(tracks)})


class Structure(Part):
    """The sections of a piece. One that reaches into the next is cut where that begins."""

    sections: tuple[Section, ...] = ()

    @field_validator("sections")
    @classmethod
    def _check(cls, sections: tuple[Section, ...]) -> tuple[Section, ...]:
        return clamped_sections(sections)


class BarStructure(Part):
    """The sections of a piece as musicians write them down: one behind the other, in bars."""

    bars: tuple[tuple[SectionKind, int], ...] = Field(min_length=1)
    """Kind and length of each section: ``[["intro", 4], ["verse", 8]]``."""
    tempo_bpm: Number = Field(gt=0)
    beats_per_bar: int = Field(4, ge=1)


class SectionLevel(Part):
    """How loud a role is in a section."""

    section: str
    """A section's name, or a kind: all sections of that kind."""
    role: Name
    gain_db: Number
    ramp_ms: Number = 20.0
    """It gets there in so long from the section's start, or by its end."""


class Arrangement(Part):
    """Which track plays which role, and which role plays where."""

    roles: Mapping[Name, Name] = {}
    """Track id -> role."""
    levels: tuple[SectionLevel, ...] = ()
    """Of two that speak of one section and role, the later counts. 0 dB where none does."""
