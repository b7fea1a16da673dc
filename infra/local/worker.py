"""Workers of the embedded home: processes that pull messages and do what they ask.

    python -m infra.local.worker       one worker, with the settings of its environment

A worker that dies leaves its message and its leases to lapse; another takes both over.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from functions.wiring import engine_of
from infra.local.handlers import handler_of
from shared.errors import LeaseHeld, LeaseLost, RushesError
from shared.homes.bus import Bus, Delivery
from shared.homes.home import Home, consumed_topics, open_home
from shared.lazy_log import get_logger
from shared.messages.delivery import deliver
from shared.processes import tied_to_caller
from shared.settings import Settings, settings, variable
from shared.watch.log import configure
from shared.watch.surroundings import surroundings

log = get_logger()

_POLL_S = 0.5
_FIRST_BACKOFF_S = 0.5
_LONGEST_BACKOFF_S = 30.0


def work(home: Home) -> NoReturn:
    """Pull and handle messages, for ever."""
    topics = consumed_topics()
    keeper = Keeper(home.bus, home.settings.lease_s)
    while True:
        for delivery in home.bus.pull(list(topics), wait_s=_POLL_S):
            with keeper.keeping(delivery):
                settle(home, delivery, topics[delivery.subscription])


def settle(home: Home, delivery: Delivery, function: str) -> None:
    """Handle one delivery, then acknowledge it or give it back."""
    message = delivery.message
    try:
        again: Exception | None = deliver(message, home, handler_of(function))
    except Exception as error:
        log.error("handler.raised", error_type=type(error).__name__, exc_info=error)
        again = error
    if again is None:
        home.bus.ack(delivery)
    else:
        home.bus.nack(delivery, delay_s=_delay_s(again, message.delivery_attempt))


def _delay_s(error: Exception, attempt: int) -> float:
    if isinstance(error, LeaseHeld):
        return min(max(error.retry_after_s, _FIRST_BACKOFF_S), _LONGEST_BACKOFF_S)
    return float(min(_FIRST_BACKOFF_S * 2 ** min(attempt - 1, 16), _LONGEST_BACKOFF_S))


class Keeper:
    """One thread that keeps a worker's delivery, whichever it is, for as long as it is being handled."""

    def __init__(self, bus: Bus, deadline_s: float) -> None:
        self._bus = bus
        self._deadline_s = deadline_s
        self._kept: Delivery | None = None
        threading.Thread(target=self._extend, name="delivery", daemon=True).start()

    @contextmanager
    def keeping(self, delivery: Delivery) -> Iterator[None]:
        """While the context lasts, the delivery does not lapse."""
        self._kept = delivery
        try:
            yield
        finally:
            self._kept = None

    def _extend(self) -> None:
        while True:
            time.sleep(self._deadline_s / 3)
            if (delivery := self._kept) is None:
                continue
            try:
                self._bus.extend(delivery, ack_deadline_s=self._deadline_s)
            except LeaseLost:
                continue
            except RushesError as error:
                log.warning("delivery.not_extended", code=error.code)


class WorkerPool:
    """Worker processes that are replaced when they die and gone when the pool is.

    ``at_first``: so many to begin with, for who calls ``grow`` once there is work for more; ``None``: all.
    ``recordings``: so many are worked on at once; their Whispers share the cores instead of each taking all.
    """

    def __init__(
        self, config: Settings, *, at_first: int | None = None, recordings: int = 1
    ) -> None:
        cores = os.cpu_count() or 1
        self._log = config.data / "worker.log"
        self._count = config.workers or cores
        at_once = min(self._count, recordings)
        if config.whisper_threads is None and at_once > 1:
            config = config.model_copy(update={"whisper_threads": max(1, cores // at_once)})
        self._environment = {**os.environ, **worker_environment(config)}
        self._at_first = min(self._count, at_first or self._count)
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> WorkerPool:
        self._processes = [self._start() for _ in range(self._at_first)]
        return self

    def grow(self) -> None:
        """Start one worker more, unless all are there."""
        if len(self._processes) < self._count:
            self._processes.append(self._start())

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def process_ids(self) -> list[int]:
        """The living workers."""
        return [process.pid for process in self._processes if process.poll() is None]

    def replace_dead(self) -> int:
        """Start a new worker for each that died; returns how many had."""
        dead = [
            index for index, process in enumerate(self._processes) if process.poll() is not None
        ]
        for index in dead:
            log.warning("worker.died", exit_code=self._processes[index].returncode)
            self._processes[index] = self._start()
        return len(dead)

    def _start(self) -> subprocess.Popen[bytes]:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log_file:
            return subprocess.Popen(
                [*tied_to_caller(), sys.executable, "-P", "-m", "infra.local.worker"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stderr=log_file,
            )


def worker_environment(config: Settings) -> dict[str, str]:
    """What was set, as variables for another process: some defaults say that nobody has said anything."""
    stated = config.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    for name in ("data", "models"):
        if name in stated:
            stated[name] = str(Path(stated[name]).absolute())
    return {variable(name): str(value) for name, value in stated.items()}


def main() -> None:
    """Run one worker, until SIGTERM or the end of the process that started it."""
    configure(settings().log_level)

    def stop_now(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)  # unwinds: children are killed, files removed, the claim given back

    signal.signal(signal.SIGTERM, stop_now)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    surroundings()  # as they are before anything of them is imported
    work(open_home(settings(), engine_of, surroundings))


if __name__ == "__main__":
    main()
