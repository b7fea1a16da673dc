"""What one part of ``transcribe.words`` leaves for the join of them all. It is no artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import ConfigDict, Field

from shared.contracts.model import Model
from shared.contracts.spoken_word import SpokenWord


class Recognised(Model):
    """What was recognised in a stretch, before its times are moved to the sound's."""

    model_config = ConfigDict(frozen=True)

    words: tuple[tuple[SpokenWord, ...], ...] = ()
    """Of each voice."""
    languages: dict[str, int] = Field(default_factory=dict)
    """Language -> how many words."""
    suppressed: int = 0

    @classmethod
    def read(cls, path: Path) -> Self:
        """As it was written."""
        return cls.model_validate_json(path.read_bytes())

    def write(self, path: Path) -> None:
        """As JSON, the words as they are said in the document of them all."""
        path.write_text(self.model_dump_json(exclude_unset=True))
