"""Steps and params as people type them: checked, with the nearest known name, before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from infra.command.names import did_you_mean
from shared.contracts.row import Step
from shared.errors import MissingDependency, ValidationError
from shared.homes.home import Home
from shared.pipeline import BY_NAME, PROBE
from shared.steps.preparing import check_params


def known_step(name: str) -> Step:
    """The pipeline's row; raises ``ValidationError`` with the nearest names, and all."""
    if name not in BY_NAME:
        near = _by_its_end(name) or did_you_mean(name, BY_NAME)
        raise ValidationError("step", f"{name!r} is unknown{near}; known: {', '.join(BY_NAME)}")
    return BY_NAME[name]


def _by_its_end(name: str) -> str:
    """``hits`` is meant for ``detect.hits``."""
    near = [step for step in BY_NAME if step.partition(".")[2] == name.casefold()]
    return f" (did you mean {near[0]}?)" if near else ""


def checked_params(
    home: Home, steps: Iterable[str], params: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The params as the steps take them; refuses what would be refused later.

    Raises ``ValidationError`` naming the step and param. A step whose libraries are not installed
    here is judged by whoever does it.
    """
    for name in (*steps, *params):
        if name != PROBE:
            known_step(name)
    return {
        name: dict(wanted) if name == PROBE else _checked(home, known_step(name), wanted)
        for name, wanted in params.items()
    }


def check_whole(home: Home, steps: Iterable[str], params: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise ``ValidationError`` for a step that its ``params`` are not enough for: no effect is named."""
    for name in steps:
        if name != PROBE:
            _checked(home, known_step(name), params.get(name, {}))


def _checked(home: Home, row: Step, wanted: Mapping[str, Any]) -> dict[str, Any]:
    try:
        fields = home.engine_of(row).params.model_fields
    except ImportError:
        return dict(wanted)
    for param in wanted:
        if param not in fields:
            known = ", ".join(fields) or "none"
            near = did_you_mean(param, fields)
            if not near and "knobs" in fields:
                near = f""" (a knob is set so: --param '{row.name}.knobs={{"{param}": 1}}')"""
            raise ValidationError(f"{row.name}.{param}", f"is unknown{near}; known: {known}")
    typed = {
        param: listed(value) if _takes_a_list(fields[param].annotation) else value
        for param, value in wanted.items()
    }
    try:
        check_params(home, row, typed)
    except MissingDependency:
        pass
    except ValidationError as error:
        field, _, reason = error.message.partition(": ")
        raise ValidationError(f"{row.name}.{field}", reason + _nearest_preset(wanted)) from None
    return typed


def _takes_a_list(annotation: Any) -> bool:
    return any(get_origin(kind) is tuple for kind in (annotation, *get_args(annotation)))


def listed(value: Any) -> Any:
    """``Ana,Jürgen`` is a list of two, and one value a list of one; JSON stays what it says."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [value] if isinstance(value, int | float) else value


def _nearest_preset(wanted: Mapping[str, Any]) -> str:
    """Effects and macros are params' values, of which there are many."""
    from functions.transform import catalogue

    known = [row["id"] for row in (*catalogue.list_presets(), *catalogue.list_macros())]
    asked = [value for name, value in wanted.items() if name in ("preset_id", "macro_id")]
    return "".join(did_you_mean(str(value), known) for value in asked if value not in known)
