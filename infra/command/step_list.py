"""``rushes steps``: what can be done with a recording, and what can be set."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import click

from infra.command.desk import Desk, Lines, at_desk, plain_table
from infra.command.wishes import known_step
from shared.contracts.row import Step
from shared.contracts.step_engine import StepParams
from shared.pipeline import STEPS
from shared.steps.preparing import engine_for


@click.command()
@click.argument("name", required=False)
@at_desk
def steps(desk: Desk, name: str | None) -> None:
    """List the steps, or the params of the step NAME with types, ranges and defaults."""
    if name is None:
        rows = [
            (row.name, row.title, row.takes, "yes" if row.default else "", ", ".join(row.needs))
            for row in STEPS
        ]
        content = {"steps": [_step(row) for row in STEPS]}
        desk.show(
            content, lambda: plain_table(("step", "gives", "takes", "by default", "needs"), rows)
        )
        return
    row = known_step(name)
    params = list(_params(engine_for(desk.home, row).params))
    desk.show({**_step(row), "params": params}, lambda: _described(row, params))


def _step(row: Step) -> dict[str, Any]:
    return {
        "name": row.name,
        "title": row.title,
        "takes": row.takes,
        "default": row.default,
        "needs": list(row.needs),
        "wants": list(row.wants),
        "produces": [kind.name for kind in row.produces],
    }


def _params(model: type[StepParams]) -> Iterator[dict[str, Any]]:
    told, properties = (
        _docstrings(model),
        model.model_json_schema()["properties"] if model.model_fields else {},
    )
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        yield {
            "name": name,
            "type": _type(properties[name]),
            "default": _plain(default),
            "about": told.get(name, field.description or "").replace("``", ""),
        }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _type(schema: Mapping[str, Any]) -> str:
    """``number 0 to 1``, ``light | strong``: what the schema demands, in few words."""
    if "anyOf" in schema:
        return " or ".join(
            "none" if one.get("type") == "null" else _type(one) for one in schema["anyOf"]
        )
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    stated = str(schema.get("type", "object"))
    kind = {"array": "list", "boolean": "true or false", "string": "text"}.get(stated, stated)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    span = f" {low:g} to {high:g}" if low is not None and high is not None else ""
    least = f" from {low:g}" if low is not None and high is None else ""
    return kind + span + least


def _docstrings(model: type[StepParams]) -> dict[str, str]:
    """Field -> what its docstring says, ranges included; of the model and those it derives from."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not issubclass(base, StepParams):
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(body, ast.ClassDef)
        for field, after in zip(body.body, body.body[1:], strict=False):
            match field, after:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(ast.Constant(str(told))):
                    found[name] = " ".join(told.split())
    return found


def _described(row: Step, params: list[dict[str, Any]]) -> Any:
    from rich.console import Group
    from rich.markup import escape

    head = f"[bold]{row.name}[/bold]  takes {row.takes}" + (
        ", runs by default" if row.default else ""
    )
    if not params:
        return f"{head}\nnothing to set"
    rows = [
        (
            one["name"],
            one["type"],
            "" if one["default"] in (None, "") else str(one["default"]),
            one["about"],
        )
        for one in params
    ]
    table = plain_table(("param", "type", "default", "what it does"), rows)
    if isinstance(table, Lines):
        return table
    example = f"[dim]--param {row.name}.{escape(params[0]['name'])}=...[/dim]"
    return Group(head, table, example)
