"""``rushes captions``: files of captions, whoever made them, and what they break."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from infra.command.desk import Desk, Lines, at_desk
from shared.captions.caption_reading import read_captions
from shared.captions.cue_check import Breach, breaches
from shared.captions.profiles import PROFILES, profile_named, script_of
from shared.contracts.plurals import many
from shared.contracts.visual import VisualMeta
from shared.errors import NotFound

_FRAME_RATES = {".stl": 25.0, ".scc": 30_000 / 1001}
"""Formats that count in frames have a rate of their own."""


@click.group()
def captions() -> None:
    """Check files of captions."""


@captions.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--profile", default="default", help=f"Whose wishes: {', '.join(PROFILES)}.")
@click.option("--language", help="en, ja, ...: how fast it is read. [by the script]")
@click.option("--frame-rate", type=click.FloatRange(1, 240), help="Of the picture. [any usual one]")
@click.option(
    "--shots",
    type=click.Path(path_type=Path),
    help="The recording's shots (data/shots.json), to look at times near shot changes.",
)
@at_desk
def check(
    desk: Desk,
    file: Path,
    profile: str,
    language: str | None,
    frame_rate: float | None,
    shots: Path | None,
) -> None:
    """Say what FILE (SRT, VTT, ASS, TTML, SCC, EBU STL) breaks of a profile; exit code 1 if anything."""
    asked = profile_named(profile)
    for path in filter(None, (file, shots)):
        if not path.is_file():
            raise NotFound("file", str(path))
    cues = read_captions(file)
    spoken = language or script_of("".join(cue.text for cue in cues))
    shots_ms = VisualMeta.read(shots).cuts_ms if shots else []
    rate = frame_rate or _FRAME_RATES.get(file.suffix.lower())
    found = list(breaches(cues, asked.to_read(spoken), rate, shots_ms))
    content = {
        "file": str(file),
        "profile": asked.name,
        "language": spoken,
        "cue_count": len(cues),
        "breaches": [asdict(breach) for breach in found],
    }
    desk.show(
        content,
        lambda: Lines("\n".join(map(_told, found)) or f"{many(len(cues), 'cue')}, none broken"),
    )
    if found:
        raise SystemExit(1)


def _told(breach: Breach) -> str:
    return f"cue {breach.cue} at {_clock(breach.at_ms)}: {breach.told} ({breach.rule})"


def _clock(time_ms: int) -> str:
    seconds, ms = divmod(time_ms, 1000)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"
