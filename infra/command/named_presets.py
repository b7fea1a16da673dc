"""``rushes presets``: the effects and macros, listed and described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from rich.console import Group
from rich.markup import escape

from infra.command.desk import Desk, at_desk, plain_table, table
from infra.command.names import did_you_mean
from shared.errors import NotFound


@click.command()
@click.argument("preset_id", required=False)
@at_desk
def presets(desk: Desk, preset_id: str | None) -> None:
    """List the effects (`transform.fx`) and macros (`transform.macro`), or describe PRESET_ID."""
    from functions.transform import catalogue
    from functions.transform.macros import MACROS

    if preset_id is None:
        content = {"presets": catalogue.list_presets(), "macros": catalogue.list_macros()}
        desk.show(content, lambda: _listed(content))
        return
    if preset_id not in MACROS and preset_id not in (ids := _ids(catalogue.list_presets())):
        known = [*ids, *MACROS]
        error = NotFound("preset", preset_id)
        error.message += did_you_mean(preset_id, known) or "; `rushes presets` lists them"
        raise error
    describe = catalogue.describe_macro if preset_id in MACROS else catalogue.describe_preset
    found = describe(preset_id)
    desk.show(found, lambda: _described(found))


def _ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def _listed(found: Mapping[str, list[dict[str, Any]]]) -> Any:
    columns = ("preset", "step", "for", "what it does")
    steps = {"presets": "transform.fx", "macros": "transform.macro"}
    return plain_table(
        columns,
        [
            (row["id"], steps[kind], row["category"], row["does"])
            for kind, rows in found.items()
            for row in rows
        ],
    )


def _described(found: Mapping[str, Any]) -> Any:
    made = table("knob", "range", "default", "for")
    for knob in found["knobs"]:
        span = f"{knob['minimum']:g} to {knob['maximum']:g} {knob['unit']}"
        made.add_row(knob["name"], span, f"{knob['default']:g}", knob["musical_context"])
    return Group(f"[bold]{escape(found['title'])}[/bold]: {escape(found['does'])}", made)
