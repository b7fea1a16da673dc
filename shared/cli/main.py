"""The command's entry: its commands, and how errors are shown.

An error is one readable line on stderr, with ``--json`` also the JSON object on stdout, and exit
code 1 (2 for usage).
"""

from __future__ import annotations

import json
import sys

import click

from shared.cli import act, look, process, up
from shared.cli.desk import stderr
from shared.errors import RushesError
from shared.log import configure
from shared.settings import settings


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="rushes")
def rushes() -> None:
    """Turn raw recordings into finished material."""


for command in (
    process.process,
    up.up,
    act.upload_command,
    act.reprocess,
    look.assets,
    look.artifacts,
    look.runs,
    look.show,
    look.get,
    look.explain,
    act.health,
    act.erase,
    act.dead_letters_group,
):
    rushes.add_command(command)


def main() -> None:
    """Run the command; every expected error becomes one line and an exit code."""
    try:
        configure(settings().log_level if "up" in sys.argv[1:2] else "CRITICAL")
        rushes()
    except RushesError as error:
        stderr.print(f"[red]error:[/red] {error.message}", markup=True)
        if "--json" in sys.argv:
            click.echo(json.dumps({"error": error.to_json()}, ensure_ascii=False))
        sys.exit(1)


if __name__ == "__main__":
    main()
