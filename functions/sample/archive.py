"""Writing a pack: WAVs, instruments, manifest and picture into one zip whose bytes repeat.

Members are stored, not deflated, for sound hardly shrinks. All have the same time and mode, so the
same segments and params give the same bytes.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from functions.sample.contact_sheet import Outline, draw_contact_sheet, outline
from functions.sample.dspreset import dspreset
from functions.sample.members import SORTS, Member, Named, packed
from functions.sample.pads import MOST_TURNS, banks, tuned
from functions.sample.sfz import sfz
from functions.sample.xpm import xpm
from shared.contracts.plurals import many
from shared.contracts.step_engine import Job

_OLDEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can state."""


@dataclass
class Pack:
    """The pack while it is being written."""

    archive: zipfile.ZipFile
    recording: str
    """Its name; instruments and the folder are called after it."""
    used: Mapping[str, Any]
    """The params as they were used."""
    outcomes: Mapping[str, Mapping[str, Any]]
    """Of each detection."""
    members: list[Member] = field(default_factory=list)
    _outlines: list[Outline] = field(default_factory=list)

    @property
    def folder(self) -> str:
        """The one folder in the zip; packs of two recordings unpack side by side."""
        return f"{self.recording} samples"

    def add_segments(self, job: Job, segments: Sequence[Named]) -> None:
        """Write the WAVs, one at a time. Raises ``UnsupportedMedia`` for one that is none."""
        for done, segment in enumerate(segments, 1):
            member, wav = packed(segment)
            self._add(member.file, wav)
            self.members.append(member)
            sounding_ms = member.segment.end_ms - member.segment.start_ms
            self._outlines.append(outline(wav, sounding_ms=sounding_ms))
            job.progress(0.9 * done / len(segments))

    def draw(self, path: Path) -> None:
        """The contact sheet of all that was added, as a PNG at ``path``."""
        shown = list(zip(self.members, self._outlines, strict=True))
        draw_contact_sheet(path, f"{self.recording}: {self.title}", shown)

    @property
    def title(self) -> str:
        """How many of each are in it, of what there is."""
        things = {sort.step: sort.thing for sort in SORTS.values()}
        packed = ((row["packed"], things[step]) for step, row in self.outcomes.items())
        return ", ".join(many(count, thing) for count, thing in packed if count)

    def add_papers(self, job: Job, manifest: Path, picture: Path) -> None:
        """Write the instruments, the manifest and the picture, and the manifest to its own file.

        In the zip they stand behind the WAVs, by name. ``picture`` is the file that ``draw`` wrote.
        """
        texts = instruments(self.recording, self.members)
        body = self._manifest(job, sorted(texts))
        text = json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        manifest.write_text(text, "utf-8")
        papers = {name: text.encode() for name, text in texts.items()}
        papers |= {manifest.name: text.encode(), "contact sheet.png": picture.read_bytes()}
        for name in sorted(papers):
            self._add(name, papers[name])

    def _manifest(self, job: Job, programs: Sequence[str]) -> dict[str, Any]:
        """What the pack holds and how it was made; ``segments`` in the order of the files."""
        return {
            "format": "rushes.sample_pack",
            "version": 2,
            "asset_id": job.asset_id,
            "cache_key": job.cache_key,
            "recording": self.recording,
            "duration_ms": job.media.duration_ms,
            **self.used,
            "outcomes": self.outcomes,
            "instruments": programs,
            "segments": [member.described() for member in self.members],
        }

    def _add(self, name: str, data: bytes) -> None:
        """A member whose bytes in the zip depend on its name and data alone."""
        info = zipfile.ZipInfo(f"{self.folder}/{name}", _OLDEST)
        info.create_system, info.external_attr = 3, 0o644 << 16
        self.archive.writestr(info, data)


def instruments(recording: str, members: Sequence[Member]) -> dict[str, str]:
    """File name -> text: SFZ, DecentSampler and MPC programs of each sort, and each bank of it.

    Hits with a pitch once more across the keyboard, for SFZ and DecentSampler: an MPC's drum
    program has no keyboard.
    """
    texts: dict[str, str] = {}
    for thing in ("hit", "loop", "phrase"):
        own = [member for member in members if member.sort.thing == thing]
        for number, pads in enumerate(banks(own), 1):
            name = f"{recording} {thing}s{f' {number}' if number > 1 else ''}"
            texts[f"{name}.sfz"] = sfz(name, thing, pads)
            texts[f"{name}.dspreset"] = dspreset(thing, pads)
            texts[f"{name}.xpm"] = xpm(name, pads)
    pitched = [member for member in members if member.pitch]
    if keyed := tuned(pitched):
        name = f"{recording} hits tuned"
        left_out = len(pitched) - sum(len(layer.takes) for pad in keyed for layer in pad.layers)
        said = f", without {left_out}: of a note {MOST_TURNS} take turns" if left_out else ""
        texts[f"{name}.sfz"] = sfz(f"{name}{said}", "tuned", keyed)
        texts[f"{name}.dspreset"] = dspreset("tuned", keyed)
    return texts
