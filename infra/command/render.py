"""``rushes render``: mix and master a timeline on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from infra.command.desk import Desk, at_desk, stderr
from infra.command.process import show_outcome, watch_until_finished
from shared.contracts.step import StepRequest
from shared.editing.timelines import LARGEST_BYTES, checked_timeline, first_asset
from shared.errors import NotFound, ValidationError
from shared.interchange.otio import MAX_OTIO_BYTES
from shared.messages.worker import WorkerPool
from shared.runs import planning
from shared.steps.attempt import requested_run_id

_OUT = click.Path(path_type=Path, dir_okay=False, writable=True)


@click.command()
@click.argument("timeline", type=click.Path(path_type=Path))
@click.option("--preset", "export_preset", default="default", help="podcast, music, voiceover, ...")
@click.option("--format", "format", default="wav", help="wav, flac, mp3, aac or opus.")
@click.option("--stems", "stems_export", is_flag=True, help="A stem of each bus as well.")
@click.option("--asset", "asset_id", help="File the mix under this one. [the first clip's]")
@click.option(
    "--otio", type=_OUT, help="Write the timeline there as OpenTimelineIO, and mix nothing."
)
@click.option(
    "--edl", type=_OUT, help="Write its cuts and markers there as an EDL, and mix nothing."
)
@click.option("--frame-rate", default=25, help="Of the EDL: 24, 25, 30, 50 or 60.")
@at_desk
def render(
    desk: Desk,
    timeline: Path,
    asset_id: str | None,
    otio: Path | None,
    edl: Path | None,
    frame_rate: int,
    **wanted: Any,
) -> None:
    """Mix and master TIMELINE (JSON, see docs/mix.md, or OpenTimelineIO)."""
    content = _read(desk, timeline)
    if otio or edl:
        _export(desk, content, otio, edl, frame_rate)
        return
    request = StepRequest(
        tenant_id=desk.ctx.tenant_id,
        env=desk.ctx.env,
        user_id=desk.ctx.user_id,
        step="render.audio",
        asset_id=asset_id or first_asset(desk.home.documents, desk.ctx, content),
        params={"timeline": content, **wanted},
    )
    run_id = requested_run_id(planning.publish_request(desk.home, request))
    with WorkerPool(desk.settings) as pool:
        watch_until_finished(desk, pool, [run_id])
    show_outcome(desk, {run_id: run_id})


def _read(desk: Desk, path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise NotFound("file", str(path))
    most = MAX_OTIO_BYTES if path.suffix == ".otio" else LARGEST_BYTES
    if path.stat().st_size > most:
        raise ValidationError("timeline", f"is larger than {most:,} bytes")
    if path.suffix == ".otio":
        return _read_otio(desk, path)
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValidationError("timeline", f"is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValidationError("timeline", "is not a JSON object")
    return content


def _read_otio(desk: Desk, path: Path) -> dict[str, Any]:
    from shared.interchange.exchange import read_otio

    text = path.read_text(encoding="utf-8", errors="replace")
    imported = read_otio(desk.home, desk.ctx, text)
    for notice in imported.notices:
        stderr.print(f"{path.name}: {notice}", markup=False)
    return imported.timeline.model_dump(mode="json", exclude_defaults=True)


def _export(
    desk: Desk, content: dict[str, Any], otio: Path | None, edl: Path | None, frame_rate: int
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
