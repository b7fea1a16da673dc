"""What errors say: of a limit, who sets it and the way out."""

from __future__ import annotations

import re

import pytest

from shared.errors import AttemptsExhausted, InputTooLarge, RushesError, TimedOut
from shared.settings import Settings, variable


@pytest.mark.parametrize(
    ("error", "setting"),
    [
        (InputTooLarge(100, 200), "RUSHES_MAX_INPUT_BYTES"),
        (AttemptsExhausted(5, None), "RUSHES_MAX_ATTEMPTS"),
        (AttemptsExhausted(0, None), "RUSHES_PATIENCE_S"),
    ],
)
def test_a_limit_that_a_setting_holds_names_the_setting(error: RushesError, setting: str) -> None:
    known = {variable(field) for field in Settings.model_fields}
    assert set(re.findall(r"RUSHES_\w+", error.message)) == {setting} <= known


def test_a_limit_says_the_way_out() -> None:
    assert "shorter files" in InputTooLarge(100, 200).message
    assert InputTooLarge(100, 200, "save it in parts").message.endswith(": save it in parts")
    assert "ask for the step again" in TimedOut("ffmpeg", 60).message


def test_one_attempt_is_one() -> None:
    assert "after 1 attempt (" in AttemptsExhausted(1, None).message
    assert "after 2 attempts (" in AttemptsExhausted(2, None).message
