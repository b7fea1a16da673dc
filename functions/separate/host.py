"""The caller's side of the worker: started when the first job comes, warm for the next, and killed,
with its whole process group, when a job takes too long, when memory runs short, or when it breaks.

    started --load--> warm --job--> warm ...          one job at a time
                        |      |
                        |      +-- 300 s, memory, a crash, an error --> killed; the next job starts anew
                        +-- ten idle minutes --> it has left; likewise, and a piece has its model loaded first

As a process of its own it can be stopped in the middle of a segment, gives all its memory back with its end,
and opens weights that others made without a network, where the system allows to take it away. Its jobs and
answers are those of ``demucs_worker``.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from functions.separate.models import missing
from shared.contracts.model import Model
from shared.errors import (
    BackendFailed,
    MissingDependency,
    RushesError,
    Scarce,
    TimedOut,
    Unavailable,
)
from shared.processes import Child, Limits, collect, started

JOB_TIMEOUT_S = 300.0
"""One job: loading a model, or one piece of a recording."""
LEAST_FREE_BYTES = 200 << 20
"""With less than this left, the worker goes before the machine does."""
_TICK_S = 1.0
"""Between two looks at the lease, the memory and the time: about so late a job is stopped."""
_ENDING_S = 5.0
"""For a worker that has closed its end to be gone, so that it can be said why."""


class Loaded(Model):
    """The model that is ready, and on what."""

    model_config = ConfigDict(frozen=True)

    stems: tuple[str, ...]
    """As the model calls them, in its order."""
    sample_rate_hz: int
    """The model's; recordings are brought to it."""
    channels: int
    """That it hears at once."""
    segment_frames: int
    padding_frames: int = 0
    """By so much more than a segment it sees (demucs' ``valid_length``): some hundred where it has no
    spectrogram, more in a bag whose models have segments of several lengths, otherwise 0. Parts that are kept
    from before it was told are of the latter."""
    models: int
    """How many vote."""
    sha256: str
    """Of the weights as they are in memory."""
    device: str
    """``cuda`` or ``cpu``."""
    device_name: str | None
    """The GPU's; ``None`` on a CPU."""
    threads: int | None
    """Torch's on a CPU; ``None`` on a GPU. Another number rounds otherwise."""
    torch: str
    demucs: str

    @property
    def weights(self) -> tuple[Any, ...]:
        """Alike for all whose sums may be added, wherever they were made."""
        return self.sha256, self.stems, self.sample_rate_hz, self.segment_frames, self.models


class Worker:
    """One worker process. ``lock`` it around all that belongs to one recording.

    The lock is the caller's to hold: nothing in here takes it, and jobs of two threads would mix.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._stack = ExitStack()
        self._child: Child | None = None
        self._socket: socket.socket | None = None
        self._ready: tuple[str, Path | None, Loaded] | None = None
        # The kernel ends the worker with the thread that started it: one that stays, then.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="demucs")

    @property
    def process_id(self) -> int | None:
        """Of the running worker."""
        return self._child.process.pid if self._child else None

    def load(self, model: str, folder: Path | None, tick: Callable[[], None]) -> Loaded:
        """Make the model ready; returns at once where it is.

        ``tick`` is called every second, and may raise to stop the work. Raises
        ``MissingDependency``, ``BackendFailed``, ``TimedOut``, ``Unavailable``.
        """
        job = {"do": "load", "model": model, "folder": str(folder) if folder else None}
        if self._has_left():
            self.close()
        loaded = Loaded.model_validate(self._ask(job, tick))
        self._ready = (model, folder, loaded)
        return loaded

    def separate(
        self, job: dict[str, Any], tick: Callable[[], None], told: Callable[[int], None]
    ) -> None:
        """Do one piece with the model that was loaded last, see ``demucs_worker.Separator.separate``.

        ``told``: segments that are done. ``tick`` and errors as for ``load``. A worker that has left since,
        for decoding took longer than it waits, is replaced by one that loads the same weights; others under
        that name raise ``BackendFailed``.
        """
        assert self._ready is not None
        model, folder, before = self._ready
        if self._has_left() and self.load(model, folder, tick).weights != before.weights:
            raise BackendFailed("demucs", f"{model} was replaced while a recording was separated")
        self._ask({"do": "separate", **job}, tick, told)

    def close(self) -> None:
        """Kill the worker and all that it started."""
        self._stack.close()
        self._child = self._socket = None

    def _ask(
        self,
        job: dict[str, Any],
        tick: Callable[[], None],
        told: Callable[[int], None] = lambda segments: None,
    ) -> dict[str, Any]:
        """The worker's answer to one job; whatever is raised, the worker is gone afterwards."""
        try:
            if self._child is None:
                self._starter.submit(self._start).result()
            for answer in self._answers(job, tick):
                if "error" in answer:
                    raise _error(answer, job)
                if "segments" not in answer:
                    return answer
                told(answer["segments"])
            raise self._death()
        except BaseException:
            self.close()  # whatever it was, the next job begins with a clean worker
            raise

    def _start(self) -> None:
        """A new process with one end of a socket pair, without a network; its first answer may take as long
        as importing torch does.
        """
        ours, theirs = socket.socketpair()
        self._stack.enter_context(ours)
        with theirs:
            command = [
                *(sys.executable, "-P", "-m"),
                "functions.separate.demucs_worker",
                str(theirs.fileno()),
            ]
            self._child = self._stack.enter_context(
                started(
                    command,
                    timeout_s=_ENDING_S,
                    tool="demucs",
                    limits=Limits(network=False),
                    hide={str(Path(__file__).parents[2]): "rushes", sys.prefix: "python"},
                    pass_fds=(theirs.fileno(),),
                )
            )
        self._socket = ours

    def _answers(self, job: dict[str, Any], tick: Callable[[], None]) -> Iterator[dict[str, Any]]:
        """What the worker says to a job, a line at a time, until it has closed its end.

        Raises ``TimedOut`` after ``JOB_TIMEOUT_S``, ``Scarce`` where memory runs short, and what ``tick``
        raises.
        """
        assert self._socket is not None
        deadline = time.monotonic() + JOB_TIMEOUT_S
        pending = b""
        try:
            self._socket.sendall(json.dumps(job).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            while True:
                tick()
                _check_memory()
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise TimedOut("demucs", JOB_TIMEOUT_S)
                if not selector.select(min(_TICK_S, left_s)):
                    continue
                data = _received(self._socket)
                if not data:
                    return
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    yield json.loads(line)

    def _has_left(self) -> bool:
        """Is there none, or has it closed its end, having been idle?"""
        if self._socket is None:
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return bool(selector.select(0))

    def _death(self) -> RushesError:
        """Why the worker is gone. It is not reaped before its group is: so the number stays its own."""
        child = self._child
        assert child is not None
        pid = child.process.pid
        ended_by = time.monotonic() + _ENDING_S
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            if time.monotonic() > ended_by:
                break
            time.sleep(0.01)
        os.killpg(pid, signal.SIGKILL)
        try:
            collect(child)
        except (BackendFailed, Unavailable) as error:
            return error
        return BackendFailed("demucs", "its process left in the middle of a job")


@cache
def warm_worker() -> Worker:
    """This process's worker."""
    return Worker()


def available_bytes() -> int:
    """Memory that this process and its children may still take, by the machine and by the cgroup."""
    fields = dict(line.split(":", 1) for line in _read("/proc/meminfo").splitlines())
    if "MemAvailable" not in fields:
        return sys.maxsize  # only Linux tells
    free = int(fields["MemAvailable"].split()[0]) << 10
    limit, used = _read("/sys/fs/cgroup/memory.max"), _read("/sys/fs/cgroup/memory.current")
    if limit.strip().isdigit() and used.strip().isdigit():
        stats = dict(line.split() for line in _read("/sys/fs/cgroup/memory.stat").splitlines())
        free = min(free, int(limit) - int(used) + int(stats.get("inactive_file", 0)))
    return free


def _check_memory() -> None:
    free = available_bytes()
    if free < LEAST_FREE_BYTES:
        raise Scarce(
            "memory",
            f"only {free >> 20} MiB of it were left while demucs worked; fewer workers (RUSHES_WORKERS) "
            "need less",
        )


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except ConnectionResetError:
        return b""


def _read(path: str) -> str:
    file = Path(path)
    return file.read_text() if file.is_file() else ""


def _error(answer: dict[str, Any], job: dict[str, Any]) -> RushesError:
    """The worker's error in the product's terms; paths in it become the names of the job's fields."""
    kind, reason = answer["error"], answer["reason"]
    for name, value in job.items():
        if isinstance(value, str) and value.startswith("/"):
            reason = reason.replace(value, f"<{name}>")
    if kind == "missing":
        return missing(job["model"])
    if kind == "package":
        return MissingDependency("torch", None, f"{reason}; install rushes[separate]")
    if kind == "memory":
        return Scarce("memory", f"demucs could not get enough of it ({reason[:200]})")
    told = "its weights cannot be used: " if kind == "weights" else ""
    return BackendFailed("demucs", f"{told}{reason}")
