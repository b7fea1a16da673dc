from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from shared.contracts.ids import digest
from shared.contracts.message import Message
from shared.errors import ValidationError
from shared.watch.log import PRIVATE, bind, configure, message_context

log = structlog.get_logger("rushes.test")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def logged(*, level: str = "INFO") -> io.StringIO:
    stream = io.StringIO()
    configure(level, stream)
    return stream


def test_a_line_has_cloud_logging_s_names() -> None:
    stream = logged()
    log.warning("step.failed", code="timeout", duration_ms=1250)
    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "severity": "WARNING",
        "message": "step.failed",
        "code": "timeout",
        "duration_ms": 1250,
    }


def test_the_standard_library_s_logging_looks_the_same() -> None:
    stream = logged()
    logging.getLogger("somebody.else").error("no %s", "luck")
    logging.getLogger("google.cloud").info("chatter")
    (line,) = lines(stream)
    assert (line["severity"], line["message"]) == ("ERROR", "no luck")


def test_the_level_holds() -> None:
    stream = logged(level="warning")
    log.info("not.shown")
    logging.getLogger("somebody.else").info("not shown")
    log.error("shown")
    assert [line["message"] for line in lines(stream)] == ["shown"]


def test_a_message_s_context_is_on_every_line_and_ends_with_it() -> None:
    stream = logged()
    with message_context(Message("m1", b"", {}, delivery_attempt=2)):
        bind(step="detect.hits", cache_key="a|b")
        log.info("step.settled")
        logging.getLogger("somebody.else").warning("hm")
    log.info("outside")
    inside, other, outside = lines(stream)
    for line in (inside, other):
        assert (line["event_id"], line["attempt"], line["step"]) == ("m1", 2, "detect.hits")
        assert line["cache_key"] == digest("a|b")
    assert not {"event_id", "attempt", "step", "cache_key"} & set(outside)


def test_contexts_nest() -> None:
    stream = logged()
    with message_context(Message("outer", b"", {})):
        with message_context(Message("inner", b"", {})):
            bind(step="x")
        log.info("back")
    (line,) = lines(stream)
    assert line["event_id"] == "outer" and "step" not in line


def test_private_things_are_dropped_wherever_they_stand() -> None:
    stream = logged()
    private = dict.fromkeys(PRIVATE, "hush")
    log.info("step.settled", **private, deep={"list": [{**private, "kept": 1}]})
    bind(tenant_id="hush")
    log.info("again")
    assert "hush" not in stream.getvalue()
    assert lines(stream)[0]["deep"] == {"list": [{"kept": 1}]}


def test_an_exception_is_one_line_with_its_traceback_and_without_its_words() -> None:
    stream, name = logged(), "Take" + " 3.wav"
    try:
        try:
            {}["what somebody said"]
        except KeyError as error:
            raise RuntimeError(f"{name} is broken") from error
    except RuntimeError as error:
        log.error("engine.raised", exc_info=error)
    (line,) = lines(stream)
    told = line["exception"]
    assert told.index("KeyError") < told.index("RuntimeError") and "test_log.py" in told
    assert name not in told


def test_a_terminal_gets_words() -> None:
    stream = Terminal()
    configure("INFO", stream)
    log.info("step.settled", outcome="done")
    assert "step.settled" in stream.getvalue()
    with pytest.raises(json.JSONDecodeError):
        json.loads(stream.getvalue())


def test_configuring_twice_does_not_log_twice() -> None:
    logged()
    stream = logged()
    log.info("once")
    assert len(lines(stream)) == 1


def test_an_unknown_level_is_an_error() -> None:
    with pytest.raises(ValidationError, match="DEBUG"):
        configure("LOUD")


def test_a_tenant_s_waiting_is_told_from_another_s_without_its_name() -> None:
    stream = logged()
    for tenant in ("zaphod", "zaphod", "trillian"):
        with message_context(Message("m", b"", {"tenant": tenant, "env": "prod"})):
            log.info("part.settled")
    told = [line["tenant_digest"] for line in lines(stream)]
    assert told[0] == told[1] == digest("zaphod", "prod")[:12] != told[2]
    assert "zaphod" not in stream.getvalue()


@pytest.mark.heavy
def test_a_function_starts_without_what_draws_on_terminals() -> None:
    code = (
        "import sys, functions.detect.main; import structlog;"
        "print([name for name in sys.modules if name.split('.')[0] == 'rich'])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
