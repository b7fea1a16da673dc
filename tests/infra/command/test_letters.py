"""``rushes dead-letters``: whatever is listed can be shown, and what is not there is never "sent again"."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from infra.command.main import rushes
from shared.contracts.message import Message
from shared.errors import NotFound
from shared.messages.dead_letters import keep
from tests.toy import embedded_home


def asked(home: Path, *words: str) -> Result:
    where = ["--data", str(home), "--tenant", "t1", "--json"]
    return CliRunner().invoke(rushes, ["dead-letters", *words, *where])


def test_a_letter_that_names_no_tenant_is_shown_by_its_id(tmp_path: Path) -> None:
    letter = keep(embedded_home(tmp_path), Message("m", b"{}", {"step": "detect.hits"}))
    (listed,) = json.loads(asked(tmp_path, "list", "--unattributed").stdout)["dead_letters"]
    assert listed["letter_id"] == letter.letter_id
    assert json.loads(asked(tmp_path, "show", letter.letter_id).stdout) == listed


def test_a_letter_that_is_not_there_is_not_sent_again(tmp_path: Path) -> None:
    request = {"tenant": "t1", "env": "dev", "step": "detect.hits", "CloudPubSubDeadLetter": "x"}
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
