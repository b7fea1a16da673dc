"""The command's entry: its commands, and how errors are shown.

An error is one readable line on stderr, with ``--json`` also the JSON object on stdout, and exit
code 1 (2 for usage).
"""

from __future__ import annotations

import importlib
import json
import sys

import click

from shared.errors import RushesError

COMMANDS = {
    "process": "process.process",
    "up": "up.up",
    "upload": "act.upload_command",
    "reprocess": "act.reprocess",
    "render": "render.render",
    "perform": "perform.perform",
    "models": "models.models",
    "presets": "named_presets.presets",
    "assets": "look.assets",
    "artifacts": "look.artifacts",
    "runs": "look.runs",
    "show": "look.show",
    "get": "look.get",
    "explain": "look.explain",
    "verify": "look.verify",
    "health": "act.health",
    "erase": "act.erase",
    "dead-letters": "act.dead_letters_group",
}
"""Command -> where it is. Only the one that is asked for is imported."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(".")
        command = getattr(importlib.import_module(f"infra.command.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="rushes")
def rushes() -> None:
    """Turn raw recordings into finished material."""


def main() -> None:
    """Run the command; every expected error becomes one line and an exit code."""
    try:
        rushes()
    except RushesError as error:
        click.echo(f"{click.style('error:', fg='red')} {error.message}", err=True)
        if "--json" in sys.argv:
            click.echo(json.dumps({"error": error.to_json()}, ensure_ascii=False))
        sys.exit(1)


if __name__ == "__main__":
    main()
