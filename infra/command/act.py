"""The acting commands: ``upload``, ``reprocess``, ``erase``, ``health``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from infra.command.desk import Desk, Lines, at_desk, parse_params, plain_table
from infra.command.names import looks_like_id, recording
from infra.command.process import show_outcome, watch_until_finished
from infra.command.stale import reprocess_stale
from infra.command.wishes import checked_params, known_step
from infra.local.worker import WorkerPool
from shared.contracts.step import StepRequest
from shared.runs.erasing import check_erasable, erase_asset
from shared.runs.opening import requested_run_id
from shared.runs.records import upload_run_id
from shared.runs.uploading import shown, upload
from shared.steps.preparing import publish_request
from shared.watch.health import check_all


@click.command("upload")
@click.argument("files", nargs=-1, required=True)
@at_desk
def upload_command(desk: Desk, files: tuple[str, ...]) -> None:
    """Upload FILES and leave the work to whoever serves this home (`rushes up`)."""
    begun = []
    for file in files:
        done = upload(desk.home, desk.ctx, file)
        name = shown(Path(file).name)
        begun.append({"source": name, "key": done.key, "run_id": upload_run_id(done)})
    desk.show({"uploads": begun}, lambda: "\n".join(f"{u['source']}  {u['run_id']}" for u in begun))
    if desk.settings.home == "embedded" and not desk.as_json:
        click.echo("they wait for `rushes up`, unless it is serving this home already", err=True)


@click.command()
@click.argument("asset", required=False)
@click.option("--step", help="Which step to do again.")
@click.option("--param", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a param.")
@click.option("--artifact", "artifact_id", help="Work on this artifact, not on the recording.")
@click.option("--force", is_flag=True, help="Compute again although the result is known.")
@click.option("--no-wait", is_flag=True, help="Only ask for it, for whoever serves this home.")
@click.option("--stale", is_flag=True, help="Do again what older backends made, a few at a time.")
@click.option("--dry-run", is_flag=True, help="With --stale: only list it.")
@click.option(
    "--in-flight", type=click.IntRange(1), default=2, help="With --stale: so many runs at once."
)
@click.option("--all-tenants", is_flag=True, help="With --stale: whoever's it is.")
@at_desk
def reprocess(
    desk: Desk,
    asset: str | None,
    step: str | None,
    pairs: tuple[str, ...],
    no_wait: bool,
    **wanted: Any,
) -> None:
    """Do a STEP of the recording ASSET (an id or a name) again, and what follows from it.

    With --stale, do again whatever older backend versions made: of all recordings, or of one STEP.
    """
    stale = {name: wanted.pop(name) for name in ("dry_run", "in_flight", "all_tenants")}
    if wanted.pop("stale"):
        if asset or pairs or no_wait or any(wanted.values()):
            raise click.UsageError(
                "--stale goes with --step, --dry-run, --in-flight, --all-tenants"
            )
        reprocess_stale(desk, step=step, **stale)
        return
    if asset is None or step is None:
        raise click.UsageError("name a recording and a --step, or say --stale")
    name = known_step(step).name
    params = checked_params(desk.home, (name,), parse_params(pairs, default_step=name))
    found = recording(desk, asset)
    request = StepRequest(
        tenant_id=desk.ctx.tenant_id,
        env=desk.ctx.env,
        user_id=desk.ctx.user_id,
        step=name,
        asset_id=found.asset_id,
        params=params.get(name, {}),
        **wanted,
    )
    run_id = requested_run_id(publish_request(desk.home, request))
    if no_wait:
        desk.show({"run_id": run_id}, lambda: run_id)
        return
    with WorkerPool(desk.settings, at_first=1) as pool:
        watch_until_finished(desk, pool, [run_id])
    show_outcome(desk, {found.sources[0].name: run_id}, asked=(name,))


@click.command()
@click.argument("asset")
@click.option("--yes", is_flag=True, help="Don't ask.")
@at_desk
def erase(desk: Desk, asset: str, yes: bool) -> None:
    """Remove the recording ASSET (an id or a name) and everything made from it, for good."""
    asset_id = asset if looks_like_id(asset) else recording(desk, asset, half_erased=True).asset_id
    check_erasable(desk.home, desk.ctx, asset_id)
    if not yes and not desk.as_json:
        click.confirm(f"Erase {asset} ({asset_id}) and everything made from it?", abort=True)
    erased = erase_asset(desk.home, desk.ctx, asset_id)
    desk.show(
        {"asset_id": asset_id, "run_id": erased.run_id, "removed": erased.removed},
        lambda: Lines("\n".join((f"erased: {asset}", *_removed(erased.removed), _STAY))),
    )


_STAY = "folders that its results were left in are yours, and stay"


def _removed(counts: Mapping[str, int]) -> Iterator[str]:
    """What there was of it, a line a sort."""
    for name, count in counts.items():
        if count:
            yield f"  {name.replace('_', ' ')}: {count}"


@click.command()
@at_desk
def health(desk: Desk) -> None:
    """Say which tools and packages are there, in which versions."""
    reports = check_all()
    content = {"dependencies": {report.name: asdict(report) for report in reports}}

    rows = [
        (one.name, one.status, one.version or "", one.required, one.error or one.note or "")
        for one in reports
    ]
    columns = ("dependency", "status", "version", "wanted", "")
    desk.show(content, lambda: plain_table(columns, rows))
