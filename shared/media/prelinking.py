"""Libraries that ffmpeg's loader asks first, so that it finds its symbols sooner.

    python -m shared.media.prelinking        find them out for both tools, and keep them

Debian's ffmpeg is linked with 212 libraries, and at each start the loader looks for 50,000 symbols in one
library after the other: two thirds of what a start takes. ``LD_PRELOAD`` names those in which most symbols
are found, and they are asked first. What runs is the same program, and no symbol is found elsewhere than
without: that is looked at, symbol by symbol, as the loader tells it (``ld.so(8)``, ``LD_DEBUG``), and where
it does not hold nothing is named. It takes a second, once for each state of the tool and of the libraries.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from shared.media.kept_answers import keep, recall, state_of_tool

MOST_ASKED = 100
"""Libraries named. Of ffmpeg 5.1.9 on Debian 12, 30 save 37 ms of 121, 60 save 47, 120 save 49."""
_ROUNDS = 10
_TIMEOUT_S = 30.0
_LIBRARIES_CHANGED = Path("/etc/ld.so.cache")
"""Written anew where a library is installed. Images keep whole seconds of a file's time."""
_BOUND = re.compile(r"binding file (\S+) \[0\] to (\S+) \[0\]: \w+ symbol `(.*)$", re.MULTILINE)
_LIBRARY = re.compile(r"=> (/[\w./+-]+) \(")
"""Colons and spaces would part a path from itself in ``LD_PRELOAD``."""

Bindings = Mapping[tuple[str, str], str]
"""Who asks, and for which symbol -> the file in which it is found."""


@cache
def asked_first(program: str) -> str:
    """What ``LD_PRELOAD`` is to be for this program, by its path; empty where nothing is to be named."""
    try:
        libraries = _LIBRARIES_CHANGED.stat()
        about = (
            *("asked first", f"{MOST_ASKED}", f"{libraries.st_size}", f"{int(libraries.st_mtime)}"),
            os.environ.get("LD_LIBRARY_PATH", ""),
            *state_of_tool(program),
        )
    except OSError:  # no loader that keeps such a cache
        return ""
    name = Path(program).name
    kept = recall(name, *about)
    if kept is not None:
        return kept
    try:
        found = ":".join(_order(program))
    except (OSError, subprocess.TimeoutExpired):  # of this machine's minute, not of the program
        return ""
    keep(found, name, *about)
    return found


def bindings(program: str, first: Sequence[str] = ()) -> Bindings:
    """As the loader tells them when the program starts and looks for all symbols at once."""
    with tempfile.TemporaryDirectory() as folder:
        told = {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": f"{folder}/told", "LD_BIND_NOW": "1"}
        _printed([program, "-version"], {**told, "LD_PRELOAD": ":".join(first)})
        text = "".join(path.read_text(errors="replace") for path in Path(folder).iterdir())
    return {(asking, symbol): found for asking, found, symbol in _BOUND.findall(text)}


def _order(program: str) -> list[str]:
    """The libraries to name; none where no order is found that leaves each symbol where it is found.

    Those in which most are found come first, but one that loses a symbol to another comes before that (which
    may be one that is not named: what is named brings the libraries that it needs with it).

    Raises ``OSError`` and ``TimeoutExpired`` where it could not be found out.
    """
    try:
        libraries = set(_LIBRARY.findall(_printed(["ldd", program], {})))
        before = bindings(program) if libraries else {}
        counts = Counter(found for found in before.values() if found in libraries)
        order = [library for library, _ in counts.most_common(MOST_ASKED)]
        for _ in range(_ROUNDS):
            after = bindings(program, order) if order else before
            places = {(found, after.get(key, "")) for key, found in before.items()}
            lost = {(found, taker) for found, taker in places if found != taker}
            if not lost:
                return order
            for library, taker in sorted(lost):
                if library not in libraries:
                    return []
                order = [each for each in order if each != library]
                order.insert(order.index(taker) if taker in order else len(order), library)
    except subprocess.CalledProcessError:  # a script, a static program, one that tells no version
        pass
    return []


def _printed(command: Sequence[str], environment: Mapping[str, str]) -> str:
    known = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    done = subprocess.run(
        command,
        env={**known, "PATH": os.environ.get("PATH", ""), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=_TIMEOUT_S,
        check=True,
    )
    return done.stdout.decode(errors="replace")


if __name__ == "__main__":
    for tool in ("ffmpeg", "ffprobe"):
        found = shutil.which(tool)
        named = asked_first(found).count(":") + 1 if found and asked_first(found) else 0
        sys.stdout.write(f"{tool}: {named} libraries\n")
