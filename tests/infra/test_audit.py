from __future__ import annotations

import pytest

from infra.audit import judge

SOUND = {"name": "a", "version": "1", "vulns": []}
UNKNOWN = {"name": "b", "skip_reason": "not found"}
BAD = {"name": "c", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"]}]}


def test_a_known_vulnerability_fails_and_says_what_mends_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert judge([SOUND, UNKNOWN, BAD]) == 1
    told = capsys.readouterr().out
    assert "c 2: CVE-1, mended in 2.1" in told
    assert "2 packages, 1 vulnerabilities; 1 not known" in told


def test_sound_packages_pass() -> None:
    assert judge([SOUND, UNKNOWN]) == 0


def test_where_nothing_can_be_known_it_says_so_and_passes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert judge([UNKNOWN, UNKNOWN]) == 0
    assert "SKIPPED" in capsys.readouterr().err
