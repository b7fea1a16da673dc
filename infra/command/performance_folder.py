"""What ``rushes perform --out`` leaves: a results folder of a performance on this machine."""

from __future__ import annotations

import errno
import hashlib
import mimetypes
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from shared.contracts.asset import Asset, MediaInfo, Source
from shared.contracts.context import RequestContext
from shared.contracts.ids import asset_id
from shared.contracts.step import StepState
from shared.errors import Scarce, Unavailable
from shared.runs.results_folder import stem_of
from shared.runs.results_page import Listed, Page, results_page
from shared.runs.standing import Standing

if TYPE_CHECKING:
    from functions.perform.pattern_rendering import Rendering

_PICTURE = "pictures/pattern.png"
_PAPERS = {
    "loudness.json": "data/loudness.json",
    "automation.json": "data/automation.json",
    "pattern.png": _PICTURE,
}
"""As the results folder of an uploaded pattern calls them."""
_SHOWS = "the pattern's lanes, its automation, and the loudness of each beat"


@dataclass(frozen=True)
class Performed:
    """What now lies on the disk."""

    folder: Path
    files: Mapping[str, Path]
    """``master`` and each stem's name -> its file."""


def leave_performance(
    ctx: RequestContext, pattern: Path, rendering: Rendering, made: Path, out: Path
) -> Performed:
    """Move what ``perform_file`` wrote to ``made`` into ``out/NAME.rushes/``, or ``NAME (2).rushes/``.

    Every performance has a folder of its own: none overwrites another. Raises ``Scarce`` where the disk is
    full, ``Unavailable`` where ``out`` cannot be written.
    """
    stem = stem_of(pattern.name)
    places = {
        path: f"{stem} performance.wav" if name == "master" else f"stems/{stem} {path.name}"
        for name, path in rendering.files.items()
    }
    places |= {made / name: place for name, place in _PAPERS.items()}
    try:
        folder = _new_folder(out, stem)
        for path, place in places.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / place)
        page = results_page(_page(ctx, pattern, rendering, folder, places.values()))
        (folder / "index.html").write_text(page, "utf-8")
    except OSError as error:
        kind = Scarce if error.errno in (errno.ENOSPC, errno.EDQUOT) else Unavailable
        reason = (error.strerror or "I/O error").lower()
        raise kind(f"the results folder in {out}", reason) from error
    return Performed(folder, {name: folder / places[p] for name, p in rendering.files.items()})


def _new_folder(out: Path, stem: str) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        more = f" ({number})" if number > 1 else ""
        folder = out / f"{stem}{more}.rushes"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("numbers do not end")


def _page(
    ctx: RequestContext, pattern: Path, rendering: Rendering, folder: Path, places: Iterable[str]
) -> Page:
    files = [
        Listed(
            place,
            (folder / place).stat().st_size,
            mimetypes.guess_type(place)[0] or "",
            _SHOWS if place == _PICTURE else "",
        )
        for place in places
    ]
    beats = float(rendering.score.length_beats)
    facts = [f"{rendering.tempo_bpm:g} BPM", f"{beats:g} beat{'' if beats == 1 else 's'}"]
    if rendering.integrated_lufs is not None:
        facts.append(f"{rendering.integrated_lufs:.1f} LUFS")
    facts += rendering.score.notices
    standing = [Standing("perform.pattern", StepState.DONE)]
    return Page(stem_of(pattern.name), _asset(ctx, pattern, rendering), standing, files, facts)


def _asset(ctx: RequestContext, pattern: Path, rendering: Rendering) -> Asset:
    """The pattern as its upload would be known."""
    data = pattern.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    return Asset(
        asset_id=asset_id(ctx.tenant_id, ctx.env, sha256),
        tenant_id=ctx.tenant_id,
        env=ctx.env,
        sha256=sha256,
        bytes=len(data),
        content_type="application/octet-stream",
        key="",
        media=MediaInfo(container="pattern", duration_ms=round(1000 * rendering.duration_s)),
        sources=(Source(key="", generation=0, name=pattern.name),),
    )
