"""A tenant's timeline to and from other programs: what they call media are recordings here.

.otio text, EDL -> read_otio, read_edl -> Timeline + notices
Timeline        -> write_otio, write_edl
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from shared.contracts.asset import Asset
from shared.contracts.context import RequestContext
from shared.contracts.step_engine import SourceRef
from shared.contracts.timeline import Timeline
from shared.errors import ValidationError
from shared.homes.home import Home
from shared.interchange.edl import to_edl
from shared.interchange.edl_reading import from_edl
from shared.interchange.media_clock import begins_at
from shared.interchange.otio import Imported, Resolve, from_otio, to_otio
from shared.interchange.timecode import Frames
from shared.runs.views import list_assets
from shared.steps.preparing import load_asset
from shared.steps.storing import load_artifact


def read_otio(home: Home, ctx: RequestContext, text: str) -> Imported:
    """Read ``.otio`` JSON. Media of other programs are found by their files' names.

    Raises ``ValidationError``, also where no recording, or more than one, has a file's name.
    """
    return from_otio(text, _resolver(home, ctx, "otio"))


def read_edl(home: Home, ctx: RequestContext, text: str, frame_rate: float | str = 25) -> Imported:
    """Read an EDL. Media are found by source file, or by the clip's name, as with ``read_otio``.

    Source times are those of a recording's own clock, where it has one.

    Raises ``ValidationError``.
    """
    return from_edl(text, frame_rate, _resolver(home, ctx, "edl"), partial(_begins, home, ctx))


def _begins(home: Home, ctx: RequestContext, ref: SourceRef, frames: Frames) -> int:
    """The frame at which a recording's own clock begins; what was made of one has none."""
    if ref.asset_id is None:
        return 0
    return begins_at(load_asset(home, ctx, ref.asset_id).media, frames, frames.rate)


def _resolver(home: Home, ctx: RequestContext, format: str) -> Resolve:
    """Finds recordings by their files' names, with their ending or without; our own EDLs name ids."""
    named: dict[str, set[str]] = {}
    stems: dict[str, set[str]] = {}
    for asset in list_assets(home.documents, ctx):
        named[asset.asset_id] = {asset.asset_id}
        for name in (_spelled(PurePosixPath(source.name).name) for source in asset.sources):
            named.setdefault(name, set()).add(asset.asset_id)
            stems.setdefault(PurePosixPath(name).stem, set()).add(asset.asset_id)

    def resolve(url: str, name: str) -> SourceRef | None:
        for file in map(_spelled, _file_names(url or name)):
            found = named.get(file) or stems.get(file, set())
            if len(found) > 1:
                raise ValidationError(format, f"{len(found)} recordings are called {file}")
            if found:
                return SourceRef(asset_id=min(found))
        return None

    return resolve


def _file_names(told: str) -> Iterator[str]:
    """What a file may be called whose address, path or bare name another program wrote.

    Some escape ``#``, ``?`` and ``%`` in addresses and some do not; Windows parts folders by ``\\``.
    """
    plain = [urlsplit(told).path, told] if "://" in told else [told]
    yield from (PureWindowsPath(path).name for path in (*map(unquote, plain), *plain))


def _spelled(name: str) -> str:
    """A Mac writes an umlaut as two signs, others as one."""
    return unicodedata.normalize("NFC", name)


def write_otio(home: Home, ctx: RequestContext, timeline: Timeline) -> str:
    """The timeline as ``.otio`` JSON. Raises ``ValidationError`` and ``NotFound``."""
    return to_otio(timeline, lengths_ms(home, ctx, timeline))


def write_edl(
    home: Home, ctx: RequestContext, timeline: Timeline, frame_rate: float | str = 25
) -> str:
    """Cuts and markers as an EDL, source times by each recording's own clock.

    Raises ``ValidationError`` and ``NotFound``.
    """
    frames = Frames.called(frame_rate)
    begins = {ref.identifier: _begins(home, ctx, ref, frames) for ref in timeline.sources}
    return to_edl(timeline, lengths_ms(home, ctx, timeline), frame_rate, begins=begins)


def lengths_ms(home: Home, ctx: RequestContext, timeline: Timeline) -> Mapping[str, float]:
    """Source id -> how long it is.

    How long an artifact is, its meta may say; otherwise its clips must say where they end. Raises
    ``NotFound``, and ``ValidationError`` naming the clip.
    """
    lengths: dict[str, float] = {}
    for ref in timeline.sources:
        if ref.asset_id is not None:
            known = _recorded_ms(load_asset(home, ctx, ref.asset_id))
        else:
            meta = load_artifact(home.documents, ctx, ref.identifier).meta
            known = float(meta.get("duration_ms") or 0.0)
        lengths[ref.identifier] = known or _played_ms(timeline, ref)
    return lengths


def _recorded_ms(asset: Asset) -> float:
    if not asset.media.audio:
        raise ValidationError("timeline", f"{asset.asset_id} has no sound")
    stream = asset.media.audio[asset.media.heard.streams[0]]
    return float(stream.start_ms + (stream.duration_ms or asset.media.duration_ms or 0))


def _played_ms(timeline: Timeline, ref: SourceRef) -> float:
    """Up to where its clips play it."""
    ends = []
    for track in timeline.tracks:
        for clip in track.clips:
            if clip.source == ref and clip.source_end_ms is None:
                raise ValidationError(
                    f"tracks.{track.track_id}.clips.{clip.clip_id}.source_end_ms",
                    "must be said: nothing here tells how long the artifact is",
                )
            if clip.source == ref:
                ends.append(float(clip.source_end_ms or 0.0))
    return max(ends)
