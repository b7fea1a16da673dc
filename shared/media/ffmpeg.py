"""The one way to run ffmpeg and ffprobe.

Callers build their arguments as a list, with ``input_args`` for whatever is opened::

    run([*input_args(path, media.container), "-vn", "-y", output], timeout_s=timeout_for(...))
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.errors import BackendFailed, MissingDependency
from shared.media.formats import format_of
from shared.media.prelinking import asked_first
from shared.processes import MAX_STDOUT_BYTES, Child, Limits
from shared.processes import started as start_child
from shared.settings import settings
from shared.spent import DECODE, ENCODE, counted

MINIMUM_VERSION = "5.1"
INSTALL_HINT = "install ffmpeg, for instance with `apt install ffmpeg`"

MAX_PIXELS = 1 << 27
"""A picture that claims more is not decoded."""
_MAX_DATA_BYTES = 4 << 30
_LEAST_FILE_BYTES = 16 << 30
_FILES_TO_INPUT = 3
"""A file that a tool writes may be so many times as long as the largest recording that is let in."""
_MAX_OPEN_FILES = 256

_UNFINISHED = "Error writing trailer"
"""ffmpeg says so, and exits with 0."""

_LEAST_TIMEOUT_S = 30.0
_MOST_TIMEOUT_S = 3600.0

# Warnings and errors; the tail of a failure is then the reason and not the file's tags. A caller
# that reads a filter's report puts its own ``-v info`` behind.
_FIRST_WORDS = {
    "ffmpeg": ("-hide_banner", "-nostdin", "-nostats", "-v", "warning"),
    "ffprobe": ("-hide_banner", "-v", "warning"),
}

_TO_US = ("pipe:1", "-")
"""What ffmpeg writes there we read, and what it writes elsewhere is a file."""

Tool = Literal["ffmpeg", "ffprobe"]


@dataclass(frozen=True)
class Completed:
    """What a finished tool left."""

    stdout: bytes
    stderr_tail: str
    """At most the last 4 KiB."""


def input_args(path: Path, demuxer: str) -> list[str]:
    """Open one local file through one demuxer, and nothing else whatever the file says.

    ``demuxer`` is ``MediaInfo.container``. Raises ``UnsupportedMedia`` for one that is not allowed.
    """
    format_of(demuxer)
    return [
        *("-protocol_whitelist", "file"),
        *("-format_whitelist", demuxer),
        *("-max_pixels", str(MAX_PIXELS)),
        *("-f", demuxer.split(",", 1)[0]),
        # The prefix keeps a name with a colon from being read as a protocol's.
        *("-i", f"file:{path.absolute()}"),
    ]


def behind(junk_bytes: int) -> list[str]:
    """Words before ``input_args``: what lies in the first so many bytes is not looked at."""
    return ["-skip_initial_bytes", f"{junk_bytes}"] if junk_bytes else []


def timeout_for(duration_ms: int | None, *, realtime_factor: float = 2.0) -> float:
    """Seconds that work on a recording of ``duration_ms`` may take.

    ``realtime_factor``: seconds of work for one of recording on a slow machine. Unknown durations
    get the most that any gets, an hour.
    """
    if duration_ms is None:
        return _MOST_TIMEOUT_S
    return min(_MOST_TIMEOUT_S, _LEAST_TIMEOUT_S + realtime_factor * duration_ms / 1000)


@contextmanager
def started(
    args: Sequence[str | Path],
    *,
    timeout_s: float,
    tool: Tool = "ffmpeg",
    pass_fds: Sequence[int] = (),
    heeding: Callable[[bytes], bytes] | None = None,
) -> Iterator[Child]:
    """Start the tool, for a caller that reads its output in chunks; gone when the block is left.

    ``heeding`` takes what it says on standard error and gives what is to be kept for errors. Raises
    ``MissingDependency``; reading raises ``TimedOut``, and ``check()`` the rest.
    """
    share = DECODE if tool == "ffprobe" or args[-1] in _TO_US else ENCODE
    try:
        with (
            counted(share),
            start_child(
                [tool, *_FIRST_WORDS[tool], *args],
                timeout_s=timeout_s,
                limits=_limits(tool, timeout_s),
                hide=_names(args),
                pass_fds=pass_fds,
            ) as child,
        ):
            child.heeding = heeding
            yield child
    except FileNotFoundError as error:
        if error.args != (tool,):
            raise
        raise MissingDependency(tool, MINIMUM_VERSION, INSTALL_HINT) from None


def run(
    args: Sequence[str | Path],
    *,
    timeout_s: float,
    tool: Tool = "ffmpeg",
    pass_fds: Sequence[int] = (),
    duration_ms: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Completed:
    """Run it to its end.

    ``progress`` is told how much of ``duration_ms`` is written, 0 to 1 and never falling; standard
    output is then ffmpeg's progress report, so the result must go to a file. Whatever ``progress``
    raises stops ffmpeg. Raises ``MissingDependency``, ``TimedOut``, ``Unavailable`` for a full disk,
    and otherwise ``BackendFailed`` with the exit code and the end of standard error.
    """
    report = _Report(duration_ms, progress) if progress else None
    words = ["-progress", "pipe:1", *args] if report else list(args)
    output = bytearray()
    with started(words, timeout_s=timeout_s, tool=tool, pass_fds=pass_fds) as child:
        for chunk in child.chunks():
            if report:
                report.feed(chunk)
                continue
            output += chunk
            if len(output) > MAX_STDOUT_BYTES:
                raise BackendFailed(tool, f"it printed more than {MAX_STDOUT_BYTES:,} bytes")
        child.check()
        if _UNFINISHED in child.stderr_tail:
            raise BackendFailed(tool, _UNFINISHED, exit_code=0, stderr_tail=child.stderr_tail)
        return Completed(bytes(output), child.stderr_tail)


class _Report:
    """Reads ``-progress`` lines (``out_time_us=1250000``) and tells how far the work is."""

    def __init__(self, duration_ms: int | None, tell: Callable[[float], None]) -> None:
        self.duration_us = (duration_ms or 0) * 1000
        self.tell = tell
        self.rest = b""
        self.told = 0.0

    def feed(self, chunk: bytes) -> None:
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.partition(b"=")
            if name == b"progress" and value.strip() == b"end":
                self._advance(1.0)
            elif name == b"out_time_us" and value.strip().isdigit() and self.duration_us:
                self._advance(min(1.0, int(value) / self.duration_us))

    def _advance(self, fraction: float) -> None:
        self.told = max(self.told, fraction)
        self.tell(self.told)


def _limits(tool: Tool, timeout_s: float) -> Limits:
    program = shutil.which(tool)
    # The processor limit is for a caller that is stopped and cannot count the time itself.
    cpu_s = math.ceil(timeout_s + 1) * (os.cpu_count() or 1)
    return Limits(
        data_bytes=_MAX_DATA_BYTES,
        file_bytes=max(_LEAST_FILE_BYTES, _FILES_TO_INPUT * settings().max_input_bytes),
        cpu_s=cpu_s,
        open_files=_MAX_OPEN_FILES,
        network=False,
        preload=asked_first(program) if program else "",
    )


def _names(args: Sequence[str | Path]) -> dict[str, str]:
    """Paths of this machine in the arguments, and what stands for them in errors."""
    names = {word: "input" for word in args if isinstance(word, str) and word.startswith("file:")}
    names |= {word.removeprefix("file:"): "input" for word in names}
    return names | {str(word): "output" for word in args if isinstance(word, Path)}
