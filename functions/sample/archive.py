"""Writing a pack: WAVs, mappings, manifest and picture into one zip whose bytes repeat."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.sample.members import SORTS, Member, packed
from functions.sample.sfz import mappings
from shared.contracts.step_engine import InputFile, Job
from shared.media.decode import audio_blocks
from shared.media.outline import draw_outline, outline_of

_OLDEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can state."""
_COLUMNS_A_SECOND = 100


@dataclass
class Pack:
    """The pack while it is being written."""

    archive: zipfile.ZipFile
    folder: str
    used: Mapping[str, Any]
    """The params as they were used."""
    outcomes: Mapping[str, Mapping[str, Any]]
    """Of each detection."""
    members: Sequence[Member] = ()

    def add_segments(self, job: Job, chosen: Mapping[str, Sequence[InputFile]]) -> None:
        """Write the WAVs."""
        count = sum(map(len, chosen.values()))
        members: list[Member] = []
        for name, segments in chosen.items():
            for index, segment in enumerate(segments, 1):
                member, wav = packed(SORTS[name], segment, index, len(segments))
                self._add(member.file, wav)
                members.append(member)
                job.progress(0.7 * len(members) / count)
        self.members = members

    def draw(self, job: Job, path: Path) -> None:
        """The recording's waveform, with what is packed marked by sort."""
        with audio_blocks(job.source, job.media) as blocks:
            peaks = outline_of(blocks, max(1, blocks.sample_rate_hz // _COLUMNS_A_SECOND))
            length_ms = max(1000 * blocks.frames / blocks.sample_rate_hz, 1e-3)
        rows = {
            name: [
                (member.segment.start_ms / length_ms, member.segment.end_ms / length_ms)
                for member in self.members
                if member.sort is sort
            ]
            for name, sort in SORTS.items()
        }
        draw_outline(path, peaks, rows, self.title, length_ms / 1000)
        job.progress(0.95)

    @property
    def title(self) -> str:
        """How many of each are in it."""
        counts = (f"{row['packed']} {step.split('.')[1]}" for step, row in self.outcomes.items())
        return ", ".join(counts)

    def add_papers(self, job: Job, manifest: Path, picture: Path) -> None:
        """Write the mappings, the manifest and the picture, and the manifest to its own file."""
        texts = mappings(self.members)
        body = self._manifest(job, sorted(texts))
        text = json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        manifest.write_text(text, "utf-8")
        papers = {name: text.encode() for name, text in texts.items()}
        papers |= {manifest.name: text.encode(), picture.name: picture.read_bytes()}
        for name in sorted(papers):
            self._add(name, papers[name])

    def _manifest(self, job: Job, sfz: Sequence[str]) -> dict[str, Any]:
        return {
            "format": "rushes.sample_pack",
            "version": 1,
            "asset_id": job.asset_id,
            "cache_key": job.cache_key,
            "duration_ms": job.media.duration_ms,
            **self.used,
            "outcomes": self.outcomes,
            "sfz": sfz,
            "segments": [member.described() for member in self.members],
        }

    def _add(self, name: str, data: bytes) -> None:
        info = zipfile.ZipInfo(f"{self.folder}/{name}", _OLDEST)
        info.create_system, info.external_attr = 3, 0o644 << 16
        self.archive.writestr(info, data)
