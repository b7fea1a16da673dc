"""Child processes: bounded in time and resources, and never outliving their caller.

Every child gets a session of its own, so that its whole group can be killed, and ``setpriv`` asks
the kernel to kill it when its caller dies, SIGKILL included, and to give it no more privileges than
its caller has. A caller that died before the kernel was asked is found by a shell, which then does not
start the tool; it sets the limits, too. (A ``preexec_fn`` could do all of it, but it runs Python
between fork and exec, which deadlocks now and then where the caller has threads; a launcher of our own
would save 2 ms of the 70 that ffmpeg takes to start, and want a compiler.) Only the child itself is
covered by that, not children of its own: those end with the group, on a timeout or an error.

A child whose ``Limits`` say so runs in a network namespace of its own, where there is not even a
loopback address, on machines that allow it: as root, or with user namespaces. That costs 1 to 2 ms.
"""

from __future__ import annotations

import fcntl
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import IO

from shared.errors import BackendFailed, MissingDependency, Scarce, TimedOut
from shared.lazy_log import get_logger

STDERR_TAIL_BYTES = 4096
MAX_STDOUT_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 18
_PIPE_BYTES = 1 << 20
"""A pipe holds 64 KiB by itself, a hundredth of a picture: tool and caller would wait for each other."""
_DISK_FULL = "No space left on device"
_ISOLATE_TIMEOUT_S = 5.0
_IF_CALLED_BY, _BEGIN = '[ "$PPID" = "$0" ]', 'exec "$@"'
_REPEATED = "Last message repeated"
_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")

_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
"""Signals that no tool sends to itself, and that nobody here sends to one that is still heard."""
_MEMORY_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_NO_LIMIT_BYTES = 1 << 60
_CPU_GRACE_S = 5

_ENVIRONMENT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV"),
    *("FONTCONFIG_FILE", "FONTCONFIG_PATH", "XDG_CACHE_HOME", "XDG_DATA_HOME", "LADSPA_PATH"),
    *("OMP_NUM_THREADS", "PYTHONPATH", "TORCH_HOME", "HF_HOME", "HF_HUB_OFFLINE"),
    "CUDA_VISIBLE_DEVICES",
)
"""What a child sees of the environment: no credentials, for it reads files of strangers."""

log = get_logger()


@dataclass(frozen=True)
class Limits:
    """What one child may use, and of what. ``None``: as much as its caller."""

    data_bytes: int | None = None
    """Memory that it may allocate (address space that is only reserved does not count)."""
    file_bytes: int | None = None
    """Size of each file that it writes."""
    cpu_s: int | None = None
    """Processor time, over all its threads."""
    open_files: int | None = None
    """Files, pipes and sockets that it may hold open at once."""
    network: bool = True
    """``False``: none at all, where the system allows to take it away."""
    preload: str = ""
    """Libraries that its loader asks before all others, as ``LD_PRELOAD`` names them."""

    def set_by_shell(self) -> list[str]:
        """A shell's commands that set them, for itself and what it becomes."""
        limits = {
            "-d": self.data_bytes and self.data_bytes >> 10,
            "-f": self.file_bytes and self.file_bytes >> 9,
            # Past the first SIGXCPU comes; SIGKILL, past the second, would look like one from outside.
            "-S -t": self.cpu_s,
            "-H -t": self.cpu_s and self.cpu_s + _CPU_GRACE_S,
            "-n": self.open_files,
        }
        commands = [f"ulimit {name} {value}" for name, value in limits.items() if value is not None]
        if self.preload:  # last, and here: the programs that start the tool would ask them, too
            commands.append(f"export LD_PRELOAD={shlex.quote(self.preload)}")
        return commands


@dataclass
class Child:
    """A running tool: read ``chunks()`` to the end, then ``check()`` how it went."""

    tool: str
    """Its name in errors."""
    process: subprocess.Popen[bytes]
    timeout_s: float
    """How long, in all, its caller will wait for it. A caller's own time between chunks is free."""
    hide: Mapping[str, str] = field(default_factory=dict)
    """Paths of this machine -> the words that stand for them in errors."""
    limits: Limits = field(default_factory=Limits)
    heeding: Callable[[bytes], bytes] | None = None
    """Takes each piece of standard error, and gives what of it is to be kept for errors; set before
    anything is read."""
    _tail: bytes = b""
    _waited_s: float = 0.0

    def chunks(self) -> Iterator[bytes]:
        """Its standard output, as it comes; afterwards it has exited. Raises ``TimedOut``."""
        while (fd := self._readable()) is not None:
            if chunk := os.read(fd, _CHUNK_BYTES):
                yield chunk
            else:
                self.unread.unregister(fd)
        self.wait()

    def read_into(self, buffer: memoryview) -> int:
        """Fill ``buffer`` from its standard output, without a copy between. Raises ``TimedOut``.

        Returns the bytes that came: fewer than fit only at the end; it has exited then.
        """
        filled = 0
        while filled < len(buffer):
            if (fd := self._readable()) is None:
                self.wait()
                break
            if count := os.readv(fd, [buffer[filled:]]):
                filled += count
            else:
                self.unread.unregister(fd)
        return filled

    def check(self) -> None:
        """Raise unless it exited with 0.

        ``Unavailable`` for a full disk, and where a signal from outside ended it, which says nothing
        of its input (a kernel out of memory sends SIGKILL); otherwise ``BackendFailed``.
        """
        code, tail = self.process.returncode, self.stderr_tail
        if _DISK_FULL in tail:  # which ffmpeg finds nothing wrong with, if it was the last block
            raise Scarce("disk", f"{self.tool} found no space left on it")
        if code == 0:
            return
        if -code in _FROM_OUTSIDE:
            raise Scarce(self.tool, self._killed(signal.Signals(-code)))
        ended = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        reason = f"{ended}: {self.last_words}" if self.last_words else ended
        raise BackendFailed(self.tool, reason, exit_code=code, stderr_tail=tail)

    def _killed(self, by: signal.Signals) -> str:
        if by is not signal.SIGKILL:
            return f"it was ended by {by.name} from outside"
        own, machine = self.limits.data_bytes, memory_limit_bytes()
        bounds = [f"{own >> 20:,} MiB for each tool"] if own else []
        bounds += [f"{machine >> 20:,} MiB here in all"] if machine else []
        within = f" (memory is limited to {' and '.join(bounds)})" if bounds else ""
        return f"it was killed from outside, most likely for want of memory{within}"

    @property
    def stderr_tail(self) -> str:
        """Its last words on standard error, without paths and addresses of this machine."""
        text = _ADDRESS.sub("", self._tail.decode(errors="replace"))
        for path, word in self.hide.items():
            text = text.replace(path, word)
        return text

    @property
    def last_words(self) -> str:
        """The last line that says something; empty if there is none."""
        lines = [line.strip() for line in self.stderr_tail.splitlines()]
        return next((line for line in reversed(lines) if line and _REPEATED not in line), "")

    @property
    def _stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    @property
    def _stderr(self) -> IO[bytes]:
        assert self.process.stderr is not None
        return self.process.stderr

    @cached_property
    def unread(self) -> selectors.BaseSelector:
        """Its outputs that have not ended yet; closed when the tool is gone."""
        selector = selectors.DefaultSelector()
        for pipe in (self._stdout, self._stderr):
            selector.register(pipe, selectors.EVENT_READ)
        return selector

    def _readable(self) -> int | None:
        """Standard output, once it can be read or has ended; ``None`` when both outputs have."""
        while self.unread.get_map():
            ready = {key.fileobj: key.fd for key in self._ready()}
            if (fd := ready.get(self._stderr)) is not None:
                self._heed(os.read(fd, _CHUNK_BYTES))
            if (fd := ready.get(self._stdout)) is not None:
                return fd
        return None

    def _heed(self, chunk: bytes) -> None:
        if not chunk:
            self.unread.unregister(self._stderr)
        said = self.heeding(chunk) if self.heeding and chunk else chunk
        self._tail = (self._tail + said)[-STDERR_TAIL_BYTES:]

    def _ready(self) -> list[selectors.SelectorKey]:
        began = time.monotonic()
        ready = self.unread.select(max(0.0, self.timeout_s - self._waited_s))
        self._waited_s += time.monotonic() - began
        if not ready:
            raise TimedOut(self.tool, self.timeout_s)
        return [key for key, _ in ready]

    def wait(self) -> None:
        """Until it has exited; raises ``TimedOut``."""
        try:
            self.process.wait(max(0.1, self.timeout_s - self._waited_s))
        except subprocess.TimeoutExpired:
            raise TimedOut(self.tool, self.timeout_s) from None


@contextmanager
def started(
    command: Sequence[str | Path],
    *,
    timeout_s: float,
    tool: str | None = None,
    limits: Limits | None = None,
    hide: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[Child]:
    """Start a tool; on leaving, however that happens, it and its whole group are gone.

    Raises ``FileNotFoundError`` where the tool is not installed.
    """
    words = [str(word) for word in command]
    program = shutil.which(words[0])
    if program is None:
        raise FileNotFoundError(words[0])
    limits = limits or Limits()
    apart = () if limits.network else without_network()
    process = subprocess.Popen(
        [*apart, *tied_to_caller(limits), program, *words[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=pass_fds,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
    )
    assert process.stdout is not None
    widen(process.stdout.fileno())
    child = Child(tool or Path(program).name, process, timeout_s, hide or {}, limits)
    try:
        yield child
    finally:
        child.unread.close()
        _end(process)


def memory_limit_bytes() -> int | None:
    """What this container, or machine, has in all; ``None`` where that is not told."""
    for path in _MEMORY_LIMITS:
        try:
            told = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if told.isdigit() and int(told) < _NO_LIMIT_BYTES:
            return int(told)
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return pages * page_bytes if pages > 0 and page_bytes > 0 else None


def collect(child: Child) -> bytes:
    """All its output; raises ``TimedOut``, ``BackendFailed`` or ``Unavailable``, as ``check`` does."""
    output = bytearray()
    for chunk in child.chunks():
        output += chunk
        if len(output) > MAX_STDOUT_BYTES:
            raise BackendFailed(child.tool, f"it printed more than {MAX_STDOUT_BYTES:,} bytes")
    child.check()
    return bytes(output)


def tied_to_caller(limits: Limits | None = None) -> list[str]:
    """The words that tie a command's life to its caller's, this process's, and limit what it may use.

    Only Linux has such a tie. Raises ``MissingDependency`` where its tool is not installed.
    """
    limited = (limits or Limits()).set_by_shell()
    if sys.platform != "linux":
        return ["sh", "-c", " && ".join([*limited, _BEGIN]), "sh"] if limited else []
    if shutil.which("setpriv") is None:
        raise MissingDependency("setpriv", None, "install the package util-linux")
    begin = " && ".join([_IF_CALLED_BY, *limited, _BEGIN])
    tied = ["setpriv", "--pdeathsig", "KILL", "--no-new-privs"]
    return [*tied, "sh", "-c", begin, str(os.getpid())]


def widen(pipe: int) -> None:
    """Let a pipe, by either end, hold more than its 64 KiB, as far as this system lets one user."""
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


@cache
def without_network() -> tuple[str, ...]:
    """The words that take the network from a command; none where this machine does not allow it.

    As root a namespace of its own is enough; others need a user namespace around it, which some
    systems and container runtimes forbid. Tried once in a process.
    """
    for words in (("unshare", "--net", "--"), ("unshare", "--user", "--net", "--")):
        try:
            tried = subprocess.run(
                [*words, "true"], capture_output=True, timeout=_ISOLATE_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if tried.returncode == 0:
            return words
    log.info("process.network_not_taken_away")
    return ()


def _end(process: subprocess.Popen[bytes]) -> None:
    # While the leader is not reaped its number cannot have gone to another group.
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
