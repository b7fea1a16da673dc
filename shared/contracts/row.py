"""One row of the pipeline table: all that is said of a step outside its engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from shared.contracts.artifact import Kind
from shared.contracts.asset import MediaInfo

if TYPE_CHECKING:  # every command reads the table, few what was heard
    from shared.contracts.audio_activity import Matter

Takes = Literal["audio", "video", "pattern", "any"]


@dataclass(frozen=True)
class Step:
    """One row. ``name`` is ``function.engine``, and the engine lives in functions/<function>/<engine>.py."""

    name: str
    title: str
    """What people call it: the name of what it gives. ``Hits``."""
    takes: Takes
    """What the recording must have for the step to make sense."""
    produces: tuple[Kind, ...]
    """The kinds of its artifacts, its main one first; a kind that several steps make is one constant."""
    path: str = ""
    """Where the HTTP API asks for it, if its users know it under another path than ``/steps/...``."""
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Earlier step -> the kinds of its artifacts whose files this step reads."""
    spares: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Step that it needs -> the param, and the param's value, with which it does not."""
    wants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Like ``needs``, but waited for only in a run that has it, and read only where it delivered."""
    shares: tuple[str, ...] = ()
    """Params that the steps needing its artifacts have, too: said of one in a run, they hold for all."""
    partial: bool = False
    """Runs as soon as one of its needs delivered, though others failed."""
    listens_to: Matter | None = None
    """What a recording must hold for the step to run where nobody asked for it; ``None``: anything."""
    default: bool = True
    """Runs on upload, unless a tenant's settings say otherwise."""
    timeout_s: int = 1800
    """After this the lease is no longer renewed, and another worker may take over."""
    machine: Literal["cpu", "gpu"] = "cpu"

    def __post_init__(self) -> None:
        """Put in the derived path where the row names none."""
        if not self.path:
            object.__setattr__(self, "path", f"/steps/{self.name.replace('.', '/')}")

    @property
    def function(self) -> str:
        """The folder below functions/, and the part of its topic's name."""
        return self.name.split(".", 1)[0]

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """Needs and wants: the earlier step -> the kinds of its artifacts."""
        return {**self.needs, **self.wants}

    def accepts(self, media: MediaInfo) -> bool:
        """Does the recording have what this step works on?"""
        has = {
            "audio": media.has_audio,
            "video": media.has_video,
            "pattern": media.is_pattern,
            "any": not media.is_pattern,
        }
        return has[self.takes]

    def concerns(self, media: MediaInfo) -> bool:
        """Is it for this sort of upload at all: patterns are performed, recordings are not?"""
        return (self.takes == "pattern") == media.is_pattern
