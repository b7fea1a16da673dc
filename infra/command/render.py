"""``rushes render``: mix and master a timeline on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from infra.command.delivered import check_writable
from infra.command.desk import Desk, at_desk, stderr
from infra.command.mix_folder import MixFolder
from infra.command.names import looks_like_id, recording
from infra.command.process import show_outcome, watch_until_finished
from infra.command.wishes import checked_params
from infra.local.worker import WorkerPool
from shared.contracts.step import StepRequest
from shared.editing.timelines import LARGEST_BYTES, checked_timeline, first_asset
from shared.errors import NotFound, ValidationError
from shared.interchange.otio import MAX_OTIO_BYTES
from shared.runs.opening import requested_run_id
from shared.runs.results_folder import safe_name, stem_of
from shared.steps.preparing import publish_request

_STEP = "render.audio"
_FOREIGN = (".otio", ".edl")
"""Programs write them in capitals as well."""
_SOUNDS = ("wav", "flac", "mp3", "aac", "m4a", "opus", "ogg")
_OUT = click.Path(path_type=Path, dir_okay=False, writable=True)


@click.command()
@click.argument("timeline", type=click.Path(path_type=Path))
@click.option("--preset", "export_preset", default="default", help="podcast, music, voiceover, ...")
@click.option("--format", "format", default="wav", help="wav, flac, mp3, aac or opus.")
@click.option("--stems", "stems_export", is_flag=True, help="A stem of each bus as well.")
@click.option(
    "--structure",
    type=click.Path(path_type=Path),
    help="The piece's sections (JSON): each becomes a marker.",
)
@click.option(
    "--arrangement",
    type=click.Path(path_type=Path),
    help="Roles of tracks, and their levels in the sections (JSON).",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to leave NAME.mix/ with mix and stems. [beside TIMELINE]",
)
@click.option("--name", help="What folder, mix and stems are called. [as TIMELINE]")
@click.option("--asset", help="File the mix under this one (an id or a name). [the first clip's]")
@click.option(
    "--otio", type=_OUT, help="Write the timeline there as OpenTimelineIO, and mix nothing."
)
@click.option(
    "--edl", type=_OUT, help="Write its cuts and markers there as an EDL, and mix nothing."
)
@click.option("--frame-rate", default="25", help="Of the EDL: 23.976, 25, 29.97, 29.97df, ... 60.")
@at_desk
def render(
    desk: Desk,
    timeline: Path,
    asset: str | None,
    out: Path | None,
    name: str | None,
    **wanted: Any,
) -> None:
    """Mix and master TIMELINE (JSON, see docs/mix.md, OpenTimelineIO, or an EDL), and leave NAME.mix/."""
    otio, edl, frame_rate = (wanted.pop(name) for name in ("otio", "edl", "frame_rate"))
    content = _read(desk, timeline, frame_rate)
    if otio or edl:
        _export(desk, content, otio, edl, frame_rate)
        return
    for what in ("structure", "arrangement"):
        path = wanted.pop(what)
        if path is not None:
            wanted[what] = _read_json(what, path)
    stem = _stem(timeline.name) if name is None else _named(name)
    content.setdefault("name", stem)
    parent = _parent(timeline, out)
    asked = {"timeline": content, **wanted}
    request = StepRequest(
        tenant_id=desk.ctx.tenant_id,
        env=desk.ctx.env,
        user_id=desk.ctx.user_id,
        step=_STEP,
        asset_id=_filed_under(desk, asset, content),
        params=checked_params(desk.home, (), {_STEP: asked})[_STEP],
    )
    run_id = requested_run_id(publish_request(desk.home, request))
    with WorkerPool(desk.settings, at_first=1) as pool:
        watch_until_finished(desk, pool, [run_id])
    show_outcome(
        desk,
        {timeline.name: run_id},
        deliver=lambda run, _: MixFolder(desk, run, stem, parent),
    )


def _parent(timeline: Path, out: Path | None) -> Path:
    """Where the mix's folder goes; raises before anything is mixed where it cannot."""
    if out is not None and out.suffix[1:].lower() in _SOUNDS:
        raise click.UsageError(
            f"--out is a folder; what is in it is called by --name: {out.stem!r}"
        )
    if out is not None:
        check_writable(out)
    return out or timeline.parent


def _stem(name: str) -> str:
    """``song`` of ``song.json``, and of ``song.timeline.json``, as our own files are called."""
    return stem_of(name).removesuffix(".timeline")


def _named(name: str) -> str:
    """``--name`` as folder and files can be called; says so where that is not quite what was asked for."""
    plain = name.strip()
    ending = plain.rpartition(".")[2].lower()
    wanted = plain[: -len(ending) - 1] if ending in _SOUNDS else plain
    stem = safe_name(wanted)
    if not stem:
        raise click.UsageError(f"--name {name!r} leaves nothing that a file can be called")
    if stem != wanted:
        click.echo(f"called {stem!r}: files cannot be called {wanted!r} everywhere", err=True)
    return stem


def _filed_under(desk: Desk, asset: str | None, content: dict[str, Any]) -> str:
    if asset is not None:
        return recording(desk, asset).asset_id
    return first_asset(desk.home.documents, desk.ctx, content)


def _read(desk: Desk, path: Path, frame_rate: str) -> dict[str, Any]:
    if path.suffix.lower() in _FOREIGN and path.is_file():
        return _read_foreign(desk, path, frame_rate)
    content = _read_json("timeline", path)
    for clip in _clips(content):
        named = clip.get("asset_id")
        if isinstance(named, str) and not looks_like_id(named):
            clip["asset_id"] = recording(desk, named).asset_id
    return content


def _clips(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Those of all tracks, as far as the file is made like a timeline: the rest is checked later."""
    tracks = content.get("tracks")
    for track in tracks if isinstance(tracks, list) else ():
        clips = track.get("clips") if isinstance(track, dict) else None
        yield from (one for one in clips or () if isinstance(one, dict))


def _read_json(what: str, path: Path) -> dict[str, Any]:
    _check_file(what, path, LARGEST_BYTES)
    try:
        content = json.loads(path.read_bytes())
    except UnicodeDecodeError:
        raise ValidationError(what, f"{path} is no text, and so no JSON") from None
    except (ValueError, RecursionError) as error:
        raise ValidationError(what, f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValidationError(what, "is not a JSON object")
    return content


def _check_file(what: str, path: Path, most_bytes: int) -> None:
    if not path.is_file():
        raise NotFound("file", str(path))
    if path.stat().st_size > most_bytes:
        raise ValidationError(
            what, f"{path} is larger than {most_bytes:,} bytes: is it the right file?"
        )


def _read_foreign(desk: Desk, path: Path, frame_rate: str) -> dict[str, Any]:
    from shared.interchange.exchange import read_edl, read_otio

    _check_file("timeline", path, MAX_OTIO_BYTES)
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix.lower() == ".otio":
        imported = read_otio(desk.home, desk.ctx, text)
    else:
        imported = read_edl(desk.home, desk.ctx, text, frame_rate)
    for notice in imported.notices:
        stderr.print(f"{path.name}: {notice}", markup=False)
    return imported.timeline.model_dump(mode="json", exclude_defaults=True)


def _export(
    desk: Desk,
    content: dict[str, Any],
    otio: Path | None,
    edl: Path | None,
    frame_rate: str,
) -> None:
    from shared.interchange.exchange import write_edl, write_otio

    own, written = checked_timeline(content), []
    if otio:
        otio.write_text(write_otio(desk.home, desk.ctx, own), encoding="utf-8")
        written.append(str(otio))
    if edl:
        edl.write_text(write_edl(desk.home, desk.ctx, own, frame_rate), encoding="utf-8")
        written.append(str(edl))
    desk.show({"written": written}, lambda: "\n".join(written))
