"""The parts of a timeline: clips, fades and automation, tracks, buses, markers, sections."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, field_validator

from shared.contracts.curve_names import Curve
from shared.contracts.ids import Name
from shared.contracts.model import Model
from shared.contracts.step_engine import SourceRef

FadeCurve = Literal["linear", "exponential", "log", "s_curve", "equal_power"]
CrossfadeCurve = Literal["equal_power", "linear", "s_curve"]
"""Equal power keeps the level of two different sounds; the others that of one sound with itself."""
EqKind = Literal["highpass", "lowpass", "low_shelf", "high_shelf", "peak"]
# fmt: off
SectionKind = Literal[
    "intro", "verse", "pre_chorus", "chorus", "bridge", "drop", "breakdown", "solo", "outro", "other",
]
# fmt: on


Number = Annotated[float, AfterValidator(partial(round, ndigits=6))]
"""Six decimals are kept: a time to the nanosecond. So every JSON writer gives it back as it was."""


class Part(Model):
    """Base of all parts of a timeline: frozen, no unknown fields, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Keyframe(Part):
    """Where a lane stands at one time, and how it goes on to the next keyframe."""

    time_ms: Number
    """On a clip from the clip's start as it is heard, on a track from the timeline's start."""
    value: Number
    curve: Curve = "linear"
    """The way to the next keyframe: in decibels, in place, in octaves."""


Lane = tuple[Keyframe, ...]


class Automation(Part):
    """Lanes of keyframes. Before the first and after the last a lane stands still."""

    gain_db: Lane = ()
    """Adds to the fixed gain."""
    pan: Lane = ()
    """Replaces the fixed pan."""
    lowpass_hz: Lane = ()
    """Cutoff of a 12 dB/octave low-pass; no lane, no filter."""
    highpass_hz: Lane = ()

    @property
    def lanes(self) -> Mapping[str, Lane]:
        """The lanes that hold keyframes, by name."""
        return {name: lane for name in type(self).model_fields if (lane := getattr(self, name))}


class AudioClip(Part):
    """A window of a source, placed on its track."""

    clip_id: Name | None = None
    """``None`` becomes ``clip_1`` and so on, by place in the track's list."""
    name: str | None = None
    """For people."""
    asset_id: Name | None = None
    artifact_id: Name | None = None
    """A recording, or an artifact made of one (a stem, a hit, a phrase...): one of the two."""
    source_start_ms: Number = 0.0
    source_end_ms: Number | None = None
    """``None``: to the source's end."""
    start_ms: Number = 0.0
    """Where it begins on the timeline."""
    speed: Annotated[float, AfterValidator(partial(round, ndigits=9))] = 1.0
    """2 is twice as fast. 0.25 to 4."""
    keep_pitch: bool = True
    """At another speed voices stay as high as they are; ``False``: as a tape, 2 is an octave higher."""
    gain_db: Number = 0.0
    pan: Number = 0.0
    """-1 left to 1 right, at constant power; the middle is untouched."""
    fade_in_ms: Number = 0.0
    fade_out_ms: Number = 0.0
    fade_in_curve: FadeCurve = "linear"
    fade_out_curve: FadeCurve = "linear"
    crossfade_in_ms: Number = 0.0
    """From the clip before on this track, which must overlap by just that."""
    crossfade_out_ms: Number = 0.0
    """To the clip behind; saying it on one of the two is enough."""
    crossfade_curve: CrossfadeCurve = "equal_power"
    """Of the crossfade into this clip."""
    automation: Automation = Automation()

    @property
    def source(self) -> SourceRef:
        """What it plays."""
        return SourceRef(self.asset_id, self.artifact_id)

    @property
    def duration_ms(self) -> float | None:
        """How long it is heard; ``None`` while its source's length is not known."""
        if self.source_end_ms is None:
            return None
        return (self.source_end_ms - self.source_start_ms) / self.speed


class Track(Part):
    """Clips that share a role and a fader."""

    track_id: Name | None = None
    """``None`` becomes ``track_1`` and so on."""
    name: str | None = None
    role: Name = "music"
    """Which bus takes it: a role that one of the timeline's buses has."""
    gain_db: Number = 0.0
    pan: Number = 0.0
    muted: bool = False
    automation: Automation = Automation()
    """Sorted by time."""
    section_gain_db: Lane = ()
    """What an arrangement turned, section by section; adds to the other gains."""
    clips: tuple[AudioClip, ...] = ()

    @field_validator("clips")
    @classmethod
    def _name_clips(cls, clips: tuple[AudioClip, ...]) -> tuple[AudioClip, ...]:
        return tuple(
            clip if clip.clip_id else clip.model_copy(update={"clip_id": f"clip_{number}"})
            for number, clip in enumerate(clips, 1)
        )

    @field_validator("automation")
    @classmethod
    def _sort_lanes(cls, automation: Automation) -> Automation:
        lanes = {
            name: tuple(sorted(lane, key=lambda one: one.time_ms))
            for name, lane in automation.lanes.items()
        }
        return Automation(**lanes)


class EqBand(Part):
    """One filter of a bus's equaliser (RBJ's cookbook)."""

    kind: EqKind
    frequency_hz: Number
    gain_db: Number = 0.0
    """Of shelves and peaks."""
    q: Number = 0.7071


class Duck(Part):
    """Turn a bus down while others are heard."""

    under: tuple[Name, ...]
    """Ids of the buses that it makes way for."""
    amount_db: Number = 9.0
    threshold_dbfs: Number = -45.0
    """The level above which the others count as heard."""
    attack_ms: Number = 80.0
    hold_ms: Number = 400.0
    """It stays down so long after they fell silent, so that it does not pump between words."""
    release_ms: Number = 600.0


class Bus(Part):
    """Where tracks of some roles meet; one stem."""

    bus_id: Name
    roles: tuple[Name, ...] = ()
    gain_db: Number = 0.0
    pan: Number = 0.0
    eq: tuple[EqBand, ...] = ()
    duck: Duck | None = None


class Marker(Part):
    """A point in time with a name."""

    time_ms: Number
    name: str
    kind: SectionKind | None = None


class Tags(Part):
    """What players show."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    date: str | None = None
    genre: str | None = None
    comment: str | None = None


class Section(Part):
    """A part of a piece of music or of a programme."""

    name: str
    kind: SectionKind = "other"
    start_ms: Number
    end_ms: Number


class TimelineParts(Part):
    """What a timeline holds, before it is checked."""

    name: str = ""
    sample_rate_hz: int = 48_000
    mix_preset_id: Name = "default_mix"
    """The buses to begin with."""
    buses: tuple[Bus, ...] = ()
    """In place of the preset's buses of the same ids, or beside them."""
    tracks: tuple[Track, ...] = ()
    markers: tuple[Marker, ...] = ()
    """Sorted by time."""
    tags: Tags = Tags()
