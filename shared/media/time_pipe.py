"""The presentation times of ffmpeg's frames, as it prints them beside its pictures."""

from __future__ import annotations

import os
import re
import threading
from queue import Empty, SimpleQueue
from typing import Self

from shared.errors import TimedOut

_TIME_WAIT_S = 60.0
_PRINTED = re.compile(rb"frame:\d+ +pts:(-?\d+) ")


class TimePipe:
    """A pipe on which ffmpeg prints a line for each frame: ``frame:7    pts:3584    pts_time:0.28``."""

    def __init__(self, late_ticks: int) -> None:
        self._late_ticks = late_ticks
        self._read_fd, self.fd = os.pipe()
        self._queue: SimpleQueue[int | None] = SimpleQueue()
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader is None:  # ffmpeg was not started
            os.close(self.fd)
            os.close(self._read_fd)
        else:
            self._reader.join()

    def begin(self) -> None:
        """Once ffmpeg has its end: close ours, and read. A full pipe would stop ffmpeg."""
        os.close(self.fd)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with os.fdopen(self._read_fd, "rb") as lines:
            for line in lines:
                if found := _PRINTED.match(line):
                    self._queue.put(int(found[1]) + self._late_ticks)
        self._queue.put(None)

    def next_ticks(self) -> int | None:
        """The next time; ``None`` after the last. Raises ``TimedOut``."""
        try:
            return self._queue.get(timeout=_TIME_WAIT_S)
        except Empty:
            raise TimedOut("ffmpeg", _TIME_WAIT_S) from None

    def rest(self) -> list[int]:
        """All that are left."""
        return list(iter(self.next_ticks, None))
