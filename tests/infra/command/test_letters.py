"""``rushes dead-letters``: whatever is listed can be shown, and what is not there is never "sent again"."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infra.command.main import rushes
from shared.contracts.message import Message
from shared.errors import NotFound, ValidationError
from shared.messages.dead_letters import keep
from tests.toy import embedded_home

FORWARDED = "CloudPubSubDeadLetter"


def asked(home: Path, *words: str) -> Result:
    where = ["--data", str(home), "--tenant", "t1", "--json"]
    return CliRunner().invoke(rushes, ["dead-letters", *words, *where])


def test_a_letter_that_names_no_tenant_is_shown_by_its_id(tmp_path: Path) -> None:
    letter = keep(embedded_home(tmp_path), Message("m", b"{}", {"step": "detect.hits"}))
    (listed,) = json.loads(asked(tmp_path, "list", "--unattributed").stdout)["dead_letters"]
    assert listed["letter_id"] == letter.letter_id
    assert json.loads(asked(tmp_path, "show", letter.letter_id).stdout) == listed


T1 = {"tenant": "t1", "env": "dev"}


@pytest.mark.parametrize(
    ("data", "attributes", "instead"),
    [
        (b"{}", {"objectId": "inbox/take.wav"}, "inbox/take.wav lies in no tenant's folder"),
        (b"{}", {"step": "detect.hits"}, "--step S --tenant T --env E"),
        (b"{}", {"step": "detect.gone", **T1}, "no step of this release"),
        (b"hello", {}, "it is not JSON, and names no step"),
        (b"hello", {"step": "detect.hits", **T1}, "not JSON: ask again: `rushes reprocess ASSET"),
        (b"[1]", {"objectId": "tenants/t1/dev/uploads/a.wav"}, "it is not JSON: upload the rec"),
    ],
)
def test_a_letter_that_would_only_be_given_up_again_says_what_to_do(
    tmp_path: Path, data: bytes, attributes: dict[str, str], instead: str
) -> None:
    home = embedded_home(tmp_path)
    letter = keep(home, Message("m", data, {**attributes, FORWARDED: "x"}))
    shown = CliRunner().invoke(
        rushes,
        ["dead-letters", "show", letter.letter_id, "--data", str(tmp_path), "--tenant", "t1"],
    )
    assert instead in shown.output.split("what to do: ")[1]
    refused = asked(tmp_path, "redrive", letter.letter_id)
    assert isinstance(refused.exception, ValidationError) and instead in str(refused.exception)
    listed = asked(tmp_path, "list")
    nobodys = not (T1.keys() <= attributes.keys() or "t1" in attributes.get("objectId", ""))
    assert ("--unattributed" in listed.stderr) is nobodys


def test_of_a_sort_those_that_would_be_given_up_again_are_left_out(tmp_path: Path) -> None:
    home = embedded_home(tmp_path)
    steps = ("detect.hits", "detect.gone")
    good, gone = (
        keep(
            home, Message("m", b"{}", {"tenant": "t1", "env": "dev", "step": step, FORWARDED: "x"})
        )
        for step in steps
    )
    sorted_out = asked(tmp_path, "redrive", "--code", "undeliverable")
    told = {"redriven": [good.letter_id], "left_out": [gone.letter_id]}
    assert (sorted_out.exit_code, json.loads(sorted_out.stdout)) == (0, told)
    refused = asked(tmp_path, "redrive", good.letter_id, gone.letter_id)
    assert isinstance(refused.exception, ValidationError)
    assert json.loads(asked(tmp_path, "show", good.letter_id).stdout)["redriven"] == 1


def test_where_none_of_a_sort_can_be_sent_the_command_fails(tmp_path: Path) -> None:
    gone = {"tenant": "t1", "env": "dev", "step": "detect.gone", FORWARDED: "x"}
    letter = keep(embedded_home(tmp_path), Message("m", b"{}", gone))
    refused = asked(tmp_path, "redrive", "--code", "undeliverable")
    told = {"redriven": [], "left_out": [letter.letter_id]}
    assert (refused.exit_code, json.loads(refused.stdout)) == (1, told)
    assert asked(tmp_path, "redrive", "--code", "not_found").exit_code == 0, "there is none"


def test_a_letter_that_is_not_there_is_not_sent_again(tmp_path: Path) -> None:
    request = {"tenant": "t1", "env": "dev", "step": "detect.hits", FORWARDED: "x"}
    letter = keep(embedded_home(tmp_path), Message("m", b"{}", request))
    refused = asked(tmp_path, "redrive", letter.letter_id, "mistyped")
    assert isinstance(refused.exception, NotFound) and "mistyped" in str(refused.exception)
    assert json.loads(asked(tmp_path, "show", letter.letter_id).stdout)["redriven"] == 0
    assert json.loads(asked(tmp_path, "redrive", letter.letter_id).stdout)["redriven"]


def test_ids_are_whole_in_a_pipe(tmp_path: Path) -> None:
    letter = keep(embedded_home(tmp_path), Message("m", b"{}", {"step": "detect.hits"}))
    words = ["dead-letters", "list", "--unattributed", "--data", str(tmp_path)]
    _, row = CliRunner().invoke(rushes, words).output.splitlines()
    assert row.split("\t")[0] == letter.letter_id
