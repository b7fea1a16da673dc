"""The command's entry: its commands, and how errors are shown.

An error is one readable line on stderr, with ``--json`` also the JSON object on stdout, and exit
code 1 (2 for usage).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from difflib import get_close_matches
from typing import NoReturn

import click

from shared.errors import BackendFailed, RushesError, Unavailable

COMMANDS = {
    "process": ("process.process", "Process files, and leave the results in NAME.rushes/."),
    "up": ("up.up", "Serve the console, the HTTP API and the inbox folder."),
    "upload": ("act.upload_command", "Upload files, and leave the work to `rushes up`."),
    "reprocess": ("act.reprocess", "Do a step again, or what older backends made."),
    "cut": ("cutting_room.cut", "Cut silences, fillers, words; leave the cut and its lists."),
    "render": ("render.render", "Mix and master a timeline."),
    "perform": ("perform.perform", "Perform a pattern or MIDI file."),
    "steps": ("step_list.steps", "List the steps, or the params of one."),
    "models": ("model_weights.models", "List, install or verify the weights of models."),
    "captions": ("caption_check.captions", "Check a file of captions."),
    "presets": ("named_presets.presets", "List the effects and macros, or describe one."),
    "assets": ("look.assets", "List the recordings."),
    "artifacts": ("look.artifacts", "List what was made from a recording."),
    "runs": ("look.runs", "List the runs, newest first."),
    "show": ("look.show", "Show all that is known of a recording, artifact or run."),
    "get": ("take.get", "Copy an artifact or a recording into a file."),
    "export": ("export.export", "Leave a recording's results as a folder."),
    "explain": ("look.explain", "Show what an artifact was made from, or the parts of a run."),
    "verify": ("look.verify", "Compute an artifact once more and compare."),
    "settings": ("tenant.settings", "Show or change what runs on every upload."),
    "health": ("act.health", "Say which tools and packages are there."),
    "erase": ("act.erase", "Remove a recording and all that was made from it."),
    "dead-letters": ("letters.dead_letters_group", "List, show or send again what was given up."),
}
"""Command -> where it is, and what it does: only the one that is asked for is imported."""


_MEANT = {
    **dict.fromkeys(("serve", "server", "start", "console"), ("up",)),
    **dict.fromkeys(("delete", "remove", "rm"), ("erase",)),
    **dict.fromkeys(("list", "ls"), ("assets", "artifacts")),
    **dict.fromkeys(("download", "save"), ("get", "export")),
}
"""Other programs' words for it. By its letters ``serve`` is nearest to ``erase``, which nobody should try."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(".")
        command = getattr(importlib.import_module(f"infra.command.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's words: click would import every command for its own."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A mistyped command is told the nearest one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            word = args[0].casefold()
            near = _MEANT.get(word) or get_close_matches(word, list(COMMANDS), n=2, cutoff=0.65)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="rushes")
def rushes() -> None:
    """Turn raw recordings into finished material.

    Begin with `rushes process talk.wav`, and open talk.rushes/index.html. `rushes COMMAND --help` says what a
    command takes, `rushes steps` what can be made, docs/start how people work with it.
    """


def main() -> None:
    """Run the command; every expected error becomes one line and an exit code."""
    # Modules load, which is most of a short command: `at_desk` turns the collector on again, and
    # pydantic need not search all installed packages for plugins, which nobody here has.
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        rushes()
    except RushesError as error:
        _end(error)
    except BrokenPipeError:  # whoever read on has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        what = str(error.filename or error.filename2 or "the disk")
        _end(Unavailable(what, (error.strerror or str(error)).lower()))
    except ValueError as error:
        if not type(error).__module__.startswith("pydantic"):
            raise
        _end(BackendFailed("reading the home", f"a document is damaged: {_first(error)}"))


def _first(error: ValueError) -> str:
    """A pydantic error's model and first field: the rest is many lines."""
    lines = [line.strip() for line in str(error).splitlines()]
    return ", ".join(lines[:3])


def _end(error: RushesError) -> NoReturn:
    told = " ".join(error.message.split())
    click.echo(f"{click.style('error:', fg='red')} {told}", err=True)
    if "--json" in sys.argv:
        click.echo(json.dumps({"error": error.to_json()}, ensure_ascii=False))
    sys.exit(1)


if __name__ == "__main__":
    main()
