"""The probe engine: what a file holds, and what it is called in the bucket.

A file small enough to be a pattern is first tried as one: by its first bytes as MIDI, then as JSON
that says so. All else is media and goes to ``shared.media.probe``. Names are never looked at: they
are the uploader's, and may say anything.
"""

from __future__ import annotations

import json
from pathlib import Path

from shared.contracts.asset import MediaInfo, Probed
from shared.media.formats import BRAND_BYTES, file_type, holds_midi
from shared.media.probe import probe

MAX_PATTERN_BYTES = 4_000_000
"""A larger file is taken for media without being read whole; ``perform.pattern`` takes no larger
one."""
PATTERN_FORMAT = "rushes.pattern"
"""What a pattern's ``format`` says."""


def probe_recording(path: Path) -> Probed:
    """Probe the file; its type is told by its bytes, never by its name.

    Raises ``UnsupportedMedia``, ``TimedOut`` or ``MissingDependency``.
    """
    return _as_pattern(path) or _as_media(path)


def _as_pattern(path: Path) -> Probed | None:
    """A MIDI file or a pattern in JSON: to be performed, not decoded.

    ``None`` for what is neither.
    """
    if path.stat().st_size > MAX_PATTERN_BYTES:
        return None
    data = path.read_bytes()
    if holds_midi(data):
        media = MediaInfo(container="midi", duration_ms=None)
        return Probed(media=media, content_type="audio/midi", extension="mid")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("format") != PATTERN_FORMAT:
        return None
    media = MediaInfo(container="pattern", duration_ms=None)
    return Probed(media=media, content_type="application/json", extension="json")


def _as_media(path: Path) -> Probed:
    """What ffprobe says, and the type by container and brand; raises what ``probe`` raises."""
    media = probe(path)
    with path.open("rb") as file:
        called = file_type(media, file.read(BRAND_BYTES))
    return Probed(media=media, content_type=called.content_type, extension=called.extension)
