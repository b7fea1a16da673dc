"""``rushes settings``: what runs on every upload of a tenant and env, how, and within which limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from infra.command.desk import Desk, at_desk, parse_params, plain_table
from infra.command.wishes import check_whole, checked_params
from shared.homes.tenant_limits import max_input_bytes, settings_path, tenant_settings
from shared.pipeline import default_steps


@click.command()
@click.option("--steps", help="Run these on every upload: a,b. 'default' for the usual ones.")
@click.option("--param", "pairs", multiple=True, metavar="STEP.NAME=VALUE", help="Set a param.")
@click.option("--unset", "unset", multiple=True, metavar="STEP.NAME", help="Set a param no more.")
@click.option(
    "--max-input-bytes",
    "limit",
    help="Refuse larger recordings. 'default': as RUSHES_MAX_INPUT_BYTES.",
)
@at_desk
def settings(
    desk: Desk, steps: str | None, pairs: tuple[str, ...], unset: tuple[str, ...], limit: str | None
) -> None:
    """Show what this tenant has set, or change it."""
    if steps or pairs or unset or limit:
        _change(desk, steps, parse_params(pairs), unset, limit)
    shown = _shown(desk)
    desk.show(shown, lambda: plain_table(("setting", "value", ""), list(_rows(shown))))


def _change(
    desk: Desk,
    steps: str | None,
    params: Mapping[str, Mapping[str, Any]],
    unset: tuple[str, ...],
    limit: str | None,
) -> None:
    names = () if steps in (None, "default") else tuple(s.strip() for s in (steps or "").split(","))
    path = settings_path(desk.ctx)
    standing = desk.home.documents.get(path)
    data: dict[str, Any] = dict(standing.data) if standing else {}
    merged = {step: dict(set_) for step, set_ in data.get("params", {}).items()}
    for step, wanted in params.items():
        merged.setdefault(step, {}).update(wanted)
    for pair in unset:
        step, _, param = pair.rpartition(".")
        if param not in merged.get(step, {}):
            raise click.UsageError(f"--unset {pair!r}: that is not set")
        del merged[step][param]
    merged = {step: wanted for step, wanted in merged.items() if wanted}
    data["params"] = checked_params(desk.home, names, merged)
    if steps is not None:
        data["steps"] = list(names)
        if steps == "default":
            del data["steps"]
    check_whole(desk.home, data.get("steps") or (), data["params"])
    if limit is not None:
        data.pop("max_input_bytes", None)
        if limit != "default":
            data["max_input_bytes"] = _bytes(limit)
    if standing is None:
        desk.home.documents.create(path, data)
    else:
        desk.home.documents.update(path, data, version=standing.version)


def _bytes(text: str) -> int:
    try:
        count = int(text.replace("_", ""))
    except ValueError:
        count = 0
    if count < 1:
        raise click.UsageError("--max-input-bytes is a number from 1, or 'default'")
    return count


def _shown(desk: Desk) -> dict[str, Any]:
    standing = tenant_settings(desk.home, desk.ctx)
    return {
        "tenant": desk.ctx.tenant_id,
        "env": desk.ctx.env,
        "steps": standing.get("steps"),
        "params": standing.get("params", {}),
        "max_input_bytes": max_input_bytes(desk.home, desk.ctx),
    }


def _rows(shown: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    chosen = shown["steps"]
    names = default_steps() if chosen is None else chosen
    rows = [("steps", ", ".join(names), "the default ones" if chosen is None else "chosen")]
    for step, params in shown["params"].items():
        rows += [(f"{step}.{name}", str(value), "set") for name, value in params.items()]
    return [*rows, ("max_input_bytes", f"{shown['max_input_bytes']:,}", "")]
