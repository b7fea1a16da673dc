"""What an operator mistypes is said before anything is done by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import ValidationError
from shared.settings import settings

read = settings.__wrapped__
"""Read anew: a process keeps what it has read."""


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("RUSHES_IDENTTY", "oidc", "RUSHES_IDENTTY: is no setting: did you mean RUSHES_IDENTITY"),
        ("RUSHES_MAX_INPUT_BYTE", "9", "did you mean RUSHES_MAX_INPUT_BYTES"),
        ("RUSHES_LOG_LEVEL", "loud", "RUSHES_LOG_LEVEL: Input should be 'DEBUG', 'INFO'"),
    ],
)
def test_what_is_mistyped_is_refused_by_name(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workers died as they started, one after the other; or it was silently not set."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=told):
        read()


def test_what_is_another_programs_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSHES_OF_WATER", "1")
    monkeypatch.setenv("RUSHES_LOG_LEVEL", "debug")
    assert read().log_level == "DEBUG"


def test_a_file_of_settings_that_is_no_text_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"RUSHES_TENANT=\xff\xfe")
    with pytest.raises(ValidationError, match=r"\.env: is not text in UTF-8"):
        read()
