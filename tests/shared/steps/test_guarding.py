"""What an engine raises: ours, transient where the machine is short of something, and told once."""

from __future__ import annotations

import errno
import logging

import pytest

from shared.errors import BackendFailed, Scarce, UnsupportedMedia
from shared.steps.guarding import one_of_ours


@pytest.mark.parametrize(
    "short", [MemoryError(), OSError(errno.ENOSPC, "no space left"), OSError(errno.EMFILE, "many")]
)
def test_what_a_machine_lacks_comes_again_and_is_no_error_of_ours(
    short: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Scarce) as raised, one_of_ours("toy.one", "toy", "toy-1"):
        raise short
    assert raised.value.transient and raised.value.service == "toy.one"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.allow_error_logs
def test_the_unforeseen_is_told_with_its_type_and_where_it_happened(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = "ZeroDivisionError: told to"
    with (
        pytest.raises(BackendFailed, match=told) as raised,
        one_of_ours("toy.one", "toy", "toy-1"),
    ):
        raise ZeroDivisionError("told to")
    assert (raised.value.service, raised.value.backend_version) == ("toy.one", "toy-1")
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.allow_error_logs
def test_other_trouble_of_the_system_is_not_waited_for() -> None:
    with pytest.raises(BackendFailed), one_of_ours("toy.one", "toy", None):
        raise OSError(errno.EACCES, "denied")


def test_our_own_errors_pass_and_keep_where_they_say_they_happened() -> None:
    ours = UnsupportedMedia("no sound")
    with pytest.raises(UnsupportedMedia) as raised, one_of_ours("toy.one", "toy", "toy-1"):
        raise ours.locate(service="probe", backend_version=None)
    assert raised.value is ours
    assert (ours.service, ours.backend_version) == ("probe", "toy-1")
