"""What every command has on its desk: the home, the context, and one way to show results."""

from __future__ import annotations

import functools
import gc
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from functions.wiring import engine_of
from shared.contracts.context import RequestContext
from shared.homes.home import Home, open_home
from shared.lazy_log import before_first
from shared.settings import Settings, settings
from shared.watch.surroundings import surroundings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    stdout: Console
    stderr: Console


def __getattr__(name: str) -> Any:
    """The consoles ``stdout`` and ``stderr``, made when a command first wants one: rich costs time."""
    if name not in ("stdout", "stderr"):
        raise AttributeError(name)
    from rich.console import Console

    on_error = name == "stderr"
    console = Console(stderr=on_error, highlight=False, soft_wrap=not on_error)
    globals()[name] = console
    return console


_UNBROKEN_COLUMNS = 10_000


@dataclass(frozen=True)
class Lines:
    """Text for a pipe or a file: printed as it is."""

    text: str


@dataclass(frozen=True)
class Desk:
    """A command's surroundings."""

    settings: Settings
    ctx: RequestContext
    as_json: bool

    @functools.cached_property
    def home(self) -> Home:
        """The home, opened when a command first needs it."""
        return open_home(self.settings, engine_of, surroundings)

    def show(self, content: Any, people: Callable[[], Any], *, unbroken: bool = False) -> None:
        """Print ``content`` as one JSON object, or what ``people()`` makes of it; ``unbroken``: lines as
        long as they are, for rich cuts a tree's off where the terminal ends.
        """
        if self.as_json:
            click.echo(json.dumps(content, ensure_ascii=False, indent=2))
            return
        told = people()
        if isinstance(told, Lines):
            click.echo(told.text)
        else:
            console = __getattr__("stdout")
            if unbroken:
                console.width = _UNBROKEN_COLUMNS
            console.print(told)


def at_desk(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--data --tenant --env --json``, and a ``Desk`` as its first argument."""

    @click.option("--data", type=click.Path(path_type=Path), help="The embedded home's folder.")
    @click.option("--tenant", help="Whose recordings. [RUSHES_TENANT, else 'local']")
    @click.option("--env", help="Which environment of theirs. [RUSHES_ENV, else 'dev']")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    @functools.wraps(command)
    def seated(
        *, data: Path | None, tenant: str | None, env: str | None, as_json: bool, **rest: Any
    ) -> Any:
        told = {"data": data, "tenant": tenant, "env": env}
        config = settings().model_copy(
            update={name: value for name, value in told.items() if value is not None}
        )
        before_first(_silence)  # people read the command's own words; workers log to a file
        ctx = RequestContext.of(config.tenant, config.env, config.user)
        gc.freeze()  # modules stay to the end
        gc.enable()
        return command(Desk(config, ctx, as_json), **rest)

    return seated


def _silence() -> None:
    from shared.watch.log import configure

    configure("CRITICAL")


def table(*columns: str) -> Table:
    """A plain table in the command's one style."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Lines | Table:
    """Rows for people; where nobody looks on (a pipe, a file), with tabs and every cell whole."""
    if not sys.stdout.isatty():
        return Lines("\n".join("\t".join(row) for row in (columns, *rows)))
    if _too_wide(columns, rows, sys.modules[__name__].stdout.width):
        return Lines("\n".join(_stacked(columns, rows)))
    from rich.markup import escape

    made = table(*columns)
    made.columns[0].no_wrap = True  # ids, to be copied
    for row in rows:
        made.add_row(*(escape(cell) for cell in row))
    return made


def _too_wide(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Would unbroken ids leave the other cells so little room that words, or all of them, are lost?"""
    longest = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    return sum(longest) + 2 * len(longest) > width and 4 * longest[0] > width


def _stacked(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Each row as the line of its id, and the others' below it."""
    for first, *others in (columns, *rows):
        yield first
        yield f"  {'  '.join(filter(None, others))}"


def parse_params(pairs: tuple[str, ...], *, default_step: str | None = None) -> dict[str, Any]:
    """``step.name=value`` pairs as step -> params; values are JSON, or else text.

    With ``default_step`` a pair may leave the step out: ``name=value``. Raises a usage error for a param
    that comes twice: of two lists of words the first would be passed over.
    """
    params: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        step, _, param = name.rpartition(".")
        step = step or default_step or ""
        if not (equals and step and param):
            form = "name=value" if default_step else "step.name=value"
            raise click.UsageError(f"--param {pair!r}: write it as {form}")
        if param in params.setdefault(step, {}):
            raise click.UsageError(f"--param {name} comes twice; a list is written as a,b")
        params[step][param] = _value(text)
    return params


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # of too many digits or brackets, too
        return text
