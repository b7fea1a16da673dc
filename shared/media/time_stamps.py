"""The time stamps of decoded sound, as ffmpeg says them beside the samples."""

from __future__ import annotations

import re
import secrets
from collections import deque

_OWN = secrets.token_hex(8)
"""What this process calls the filter. ffmpeg says things in a recording's own words (a codec that it does not
know, by its name), which may hold whole lines; this word no recording knows."""
STAMPING = f"ashowinfo@{_OWN},asetpts=NAN"
"""Says each run's time stamp and length, in samples, and takes the stamp away: raw output knows no
time, and its muxer would complain of time that begins again."""
_STAMP = re.compile(
    rb"\[(?:ashowinfo@)?%s @ \w+\] \[info\] n:(\d+) pts:(-?\d+|NOPTS) .*nb_samples:(\d+)"
    % _OWN.encode()
)
_LEVEL = re.compile(rb"((?:\[[^]]* @ \w+\] )*)\[(\w+)\] ")
"""Who speaks, and how grave it is: how each message begins. A tag of many lines is one message, whose
later lines, which the recording wrote, begin with spaces."""
_IMPORTANT = (b"error", b"fatal", b"panic")


class Stamps:
    """Hears an ffmpeg whose filters end in ``STAMPING``."""

    WORDS = ("-v", "level+info", "-copyts")
    """Must stand before ffmpeg's inputs."""

    def __init__(self) -> None:
        self.heard: deque[tuple[int | None, int]] = deque()
        """Time stamp (``None``: it has none) and length of each run, in samples, in order."""
        self.changes = 0
        """How often ffmpeg built its filters anew, since what came changed its form."""
        self._rest = b""

    def heed(self, chunk: bytes) -> bytes:
        """Take a piece of standard error; returns what of it tells of errors."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        kept = [line for line in lines if not self._takes(line)]
        return b"".join(_LEVEL.sub(rb"\1", line, count=1) + b"\n" for line in kept)

    def _takes(self, line: bytes) -> bool:
        stamp = _STAMP.match(line)
        if stamp is None:
            if level := _LEVEL.match(line):
                self._important = level[2] in _IMPORTANT
            elif not line.startswith(b" "):
                self._important = True
            return not line.strip() or not self._important
        number, pts, count = stamp.groups()
        self.changes += number == b"0" and self._begun
        self._begun = True
        self.heard.append((None if pts == b"NOPTS" else int(pts), int(count)))
        return True

    _begun = False
    _important = True
