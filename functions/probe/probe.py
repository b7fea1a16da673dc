"""The probe engine: what a file holds, and what it is called in the bucket."""

from __future__ import annotations

from pathlib import Path

from shared.contracts.asset import Probed
from shared.media.formats import BRAND_BYTES, file_type
from shared.media.probe import probe


def probe_recording(path: Path) -> Probed:
    """Probe the file; its type is told by its bytes, never by its name.

    Raises ``UnsupportedMedia``, ``TimedOut`` or ``MissingDependency``.
    """
    media = probe(path)
    with path.open("rb") as file:
        called = file_type(media, file.read(BRAND_BYTES))
    return Probed(media=media, content_type=called.content_type, extension=called.extension)
