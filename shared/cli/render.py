"""``rushes render``: mix and master a timeline on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError as PydanticError

from shared import plan
from shared.cli.desk import Desk, at_desk
from shared.cli.process import show_outcome, watch_until_finished
from shared.contracts.step import StepRequest
from shared.errors import NotFound, ValidationError
from shared.runtime import requested_run_id
from shared.store import load_artifact
from shared.worker import WorkerPool

_LARGEST_BYTES = 400_000


@click.command()
@click.argument("timeline", type=click.Path(path_type=Path))
@click.option("--preset", "export_preset", default="default", help="podcast, music, voiceover, ...")
@click.option("--format", "format", default="wav", help="wav, flac, mp3, aac or opus.")
@click.option("--stems", "stems_export", is_flag=True, help="A stem of each bus as well.")
@click.option("--asset", "asset_id", help="File the mix under this one. [the first clip's]")
@at_desk
def render(desk: Desk, timeline: Path, asset_id: str | None, **wanted: Any) -> None:
    """Mix and master TIMELINE (JSON, see docs/mix.md)."""
    content = _read(timeline)
    request = StepRequest(
        tenant_id=desk.ctx.tenant_id,
        env=desk.ctx.env,
        user_id=desk.ctx.user_id,
        step="render.audio",
        asset_id=asset_id or _first_asset(desk, content),
        params={"timeline": content, **wanted},
    )
    run_id = requested_run_id(plan.publish_request(desk.home, request))
    with WorkerPool(desk.settings) as pool:
        watch_until_finished(desk, pool, [run_id])
    show_outcome(desk, {run_id: run_id})


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise NotFound("file", str(path))
    if path.stat().st_size > _LARGEST_BYTES:
        raise ValidationError("timeline", f"is larger than {_LARGEST_BYTES:,} bytes")
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValidationError("timeline", f"is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValidationError("timeline", "is not a JSON object")
    return content


def _first_asset(desk: Desk, content: dict[str, Any]) -> str:
    """The recording that the first clip plays, or was made from."""
    from shared.contracts.timeline import Timeline

    try:
        refs = Timeline.model_validate(content).sources
    except PydanticError as error:
        first = error.errors()[0]
        raise ValidationError(".".join(map(str, first["loc"])), first["msg"]) from None
    if not refs:
        raise ValidationError("timeline", "plays nothing: say --asset")
    if refs[0].artifact_id is not None:
        return load_artifact(desk.home.documents, desk.ctx, refs[0].artifact_id).asset_id
    return refs[0].identifier
