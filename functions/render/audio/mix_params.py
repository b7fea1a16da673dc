"""What may be asked of ``render.audio``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import model_validator

from functions.render.audio.arrangement import structure_of_bars, with_arrangement, with_structure
from functions.render.audio.export_presets import Format, export_preset, routes
from shared.contracts.ids import Name
from shared.contracts.step_engine import StepParams
from shared.contracts.timeline import Arrangement, BarStructure, Structure, Timeline
from shared.errors import ValidationError
from shared.sound.delivery_targets import TargetName

_OF_TIMELINES = (
    *("level_dialogue", "stems_export", "premaster_export", "structure", "arrangement"),
)


class AudioRenderParams(StepParams):
    """The timeline, or the edit list of a recording, and what is wanted of it."""

    timeline: Timeline | None = None
    edit_list: Name | None = None
    """In place of a timeline: the artifact of an edit list (each of its versions is one). The recording
    is cut by it, and otherwise left as it is unless a preset or target is named."""
    export_preset: str = "default"
    """``default``, ``podcast``, ``music``, ``voiceover`` or ``draft``."""
    target: TargetName | None = None
    """Where the master is delivered: its loudness, ceiling and rules in place of the preset's."""
    level_dialogue: bool = False
    """Dialogue tracks, a speaker each, come to one loudness before their bus; pauses are not raised."""
    format: Format = "wav"
    bit_depth: Literal[16, 24] | None = None
    """Of WAV and FLAC; ``None``: the preset's."""
    channels: Literal[1, 2] | None = None
    """``None``: the preset's."""
    stems_export: bool = False
    """A stem of each bus as well."""
    premaster_export: bool = False
    """The mix before mastering as well."""
    structure: Structure | BarStructure | None = None
    """The piece's sections, by times or in bars: each becomes a marker."""
    arrangement: Arrangement | None = None
    """Roles for tracks, and levels for roles in sections of the ``structure``."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        export_preset(self.export_preset)
        if (self.timeline is None) == (self.edit_list is None):
            raise ValidationError("timeline", "is needed, or an edit_list, and not both")
        if self.timeline is not None:
            routes(self.arranged)
        for name in _OF_TIMELINES if self.timeline is None else ():
            if getattr(self, name):
                raise ValidationError(name, "is for timelines, not for an edit_list")
        return self

    @property
    def mastered(self) -> bool:
        """A mix always is; a recording that is only cut, where it is asked for."""
        asked = self.target is not None or self.export_preset != "default"
        return self.timeline is not None or asked

    @cached_property
    def arranged(self) -> Timeline:
        """The timeline with the structure's markers and the arrangement's roles and levels.

        Raises ``ValidationError`` for a track, section or role that there is not.
        """
        assert self.timeline is not None
        structure = self.structure or Structure()
        if isinstance(structure, BarStructure):
            structure = structure_of_bars(structure)
        if self.arrangement is not None:
            return with_arrangement(self.timeline, structure, self.arrangement)
        return with_structure(self.timeline, structure) if structure.sections else self.timeline

    @property
    def stated(self) -> Mapping[str, Any]:
        """For the cache key: what is not asked for does not stand in it."""
        optional = ("timeline", "edit_list", "structure", "arrangement", "target")
        absent = {name for name in optional if getattr(self, name) is None}
        absent |= set() if self.level_dialogue else {"level_dialogue"}
        return self.model_dump(mode="json", exclude=absent)
