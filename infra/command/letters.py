"""``rushes dead-letters``: what was given up, and sending it again."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from infra.command.desk import Desk, Lines, at_desk, plain_table
from shared.errors import NotFound
from shared.messages.dead_letters import DeadLetter, dead_letters, redrive, what_to_do


@click.group("dead-letters")
def dead_letters_group() -> None:
    """What was given up: list, show, or send again."""


@dead_letters_group.command("list")
@click.option("--unattributed", is_flag=True, help="Those that name no valid tenant.")
@at_desk
def list_letters(desk: Desk, unattributed: bool) -> None:
    """List the dead letters."""
    letters = list(dead_letters(desk.home.documents, None if unattributed else desk.ctx))
    content = {"dead_letters": [letter.model_dump(mode="json") for letter in letters]}

    rows = [
        (
            letter.letter_id,
            letter.code,
            letter.step or "",
            f"{_buried(letter):%Y-%m-%d %H:%M:%S}",
            f"{letter.redriven} ×" if letter.redriven else "",
        )
        for letter in letters
    ]
    columns = ("letter", "code", "step", "buried", "sent again")
    desk.show(content, lambda: plain_table(columns, rows) if rows else "none")
    others = 0 if unattributed else sum(1 for _ in dead_letters(desk.home.documents, None))
    if others:
        click.echo(
            f"{others} more name no tenant: `rushes dead-letters list --unattributed`", err=True
        )


@dead_letters_group.command("show")
@click.argument("letter_id")
@at_desk
def show_letter(desk: Desk, letter_id: str) -> None:
    """Show one dead letter whole."""
    documents = desk.home.documents
    every = (*dead_letters(documents, desk.ctx), *dead_letters(documents, None))
    found = [letter for letter in every if letter.letter_id == letter_id]
    if not found:
        raise NotFound("dead letter", letter_id)
    content = found[0].model_dump(mode="json")
    instead = what_to_do(found[0])
    told = {**content, "what to do": instead or f"rushes dead-letters redrive {letter_id}"}
    desk.show(content, lambda: Lines("\n".join(f"{name}: {value}" for name, value in told.items())))


@dead_letters_group.command("redrive")
@click.argument("letter_ids", nargs=-1)
@click.option("--code", help="All with this code.")
@click.option("--since", type=click.DateTime(), help="All buried since (UTC).")
@click.option("--until", type=click.DateTime(), help="All buried before (UTC).")
@at_desk
def redrive_letters(
    desk: Desk,
    letter_ids: tuple[str, ...],
    code: str | None,
    since: datetime | None,
    until: datetime | None,
) -> None:
    """Send dead letters again: by id, by code, by date."""
    if not (letter_ids or code or since or until):
        raise click.UsageError("say which: letter ids, --code, --since or --until")
    chosen = [
        letter
        for letter in dead_letters(desk.home.documents, desk.ctx)
        if (not letter_ids or letter.letter_id in letter_ids)
        and (code is None or letter.code == code)
        and (since is None or _buried(letter) >= since)
        and (until is None or _buried(letter) < until)
    ]
    missing = set(letter_ids) - {letter.letter_id for letter in chosen}
    nobodys = dead_letters(desk.home.documents, None) if missing else ()
    chosen += [letter for letter in nobodys if letter.letter_id in missing]
    missing -= {letter.letter_id for letter in chosen}
    if missing:
        raise NotFound("dead letter", ", ".join(sorted(missing)))
    in_vain = [letter for letter in chosen if what_to_do(letter)]
    # One that is named and cannot be sent is refused before any is; of a whole sort it is left out.
    sending = in_vain if letter_ids and in_vain else [one for one in chosen if one not in in_vain]
    for letter in sending:
        redrive(desk.home, desk.ctx, letter)
    sent, left = ([letter.letter_id for letter in some] for some in (sending, in_vain))
    told = f"sent again: {len(sent)}"
    if left:
        told += f"; not these, which `rushes dead-letters show` says why: {', '.join(left)}"
    desk.show({"redriven": sent, "left_out": left}, lambda: told)
    if left and not sent:  # whoever asked for a sort of letters got nothing of it
        raise SystemExit(1)


def _buried(letter: DeadLetter) -> datetime:
    return datetime.fromtimestamp(letter.buried_at, UTC).replace(tzinfo=None)
