"""The time stamps of decoded sound, as ffmpeg says them beside the samples."""

from __future__ import annotations

import re
from collections import deque

STAMPING = "ashowinfo,asetpts=NAN"
"""Says each run's time stamp and length, in samples, and takes the stamp away: raw output knows no
time, and its muxer would complain of time that begins again."""
_STAMP = re.compile(rb"n:(\d+) pts:(-?\d+|NOPTS) .*nb_samples:(\d+)")
_UNIMPORTANT = (b"[info]", b"[warning]", b"[verbose]")
_LEVEL = re.compile(rb"\[(?:error|fatal|panic)\] ")


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
        return b"".join(_LEVEL.sub(b"", line) + b"\n" for line in kept)

    def _takes(self, line: bytes) -> bool:
        stamp = _STAMP.search(line)
        if stamp is None:
            return not line.strip() or any(level in line for level in _UNIMPORTANT)
        number, pts, count = stamp.groups()
        self.changes += number == b"0" and self._begun
        self._begun = True
        self.heard.append((None if pts == b"NOPTS" else int(pts), int(count)))
        return True

    _begun = False
