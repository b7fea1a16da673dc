"""Walking a file's packets: when each stream really starts and ends, and how even its frames are."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

from shared.errors import BackendFailed
from shared.media.ffmpeg import behind, input_args, started
from shared.media.formats import MATROSKA
from shared.media.joins import JOINED, Clock

FRAMES_JUDGED = 600
_EVEN_S = 0.0011
"""Containers that count milliseconds put even frames at most this far from the median spacing."""
_BASE_TIMEOUT_S = 10.0
_BYTES_PER_S = 20e6
_BACK_S, _LEAP_S = 0.1, 10.0
_LONGEST_OGG_S = 60.0
"""No Ogg packet lasts longer. Of one that lies behind the recording's end ffmpeg says 2^32 samples less what
it is too late.
"""


@dataclass
class StreamTimes:
    """What the packets of one stream say, in seconds of the file's own clock."""

    packets: int = 0
    start_s: float = float("inf")
    end_s: float = 0.0
    hidden_start_s: float = float("inf")
    """With packets that the edit list hides."""
    first_s: list[float] = field(default_factory=list)
    """Presentation times of the first frames, in stored order."""
    lasting_s: float = 0.0
    """The sum of what its packets say that they last."""
    dated: bool = False
    """Some packet is shown at another time than it is decoded: presentation times are told."""
    untimed: int = 0
    """Packets without any time: program streams tell it once a few pictures."""
    restarts: int = 0
    """How often time began again, or leapt by more than 10 s: joined files, chained streams. (Of
    sound, whose packets are stored as they are heard.)"""
    padding_samples: int = 0
    """So many at the end of its last packet are not played, though that says that it lasts so long."""
    exact: bool = False
    """It ends just where its packets do: what a header claims counts from another beginning."""
    _last_end_s: float | None = None

    def add(self, at_s: float, duration_s: float, *, hidden: bool) -> None:
        """Take one packet in."""
        self.hidden_start_s = min(self.hidden_start_s, at_s)
        if hidden:
            return
        self.packets += 1
        self.lasting_s += duration_s
        if self._last_end_s is not None:
            self.restarts += not -_BACK_S <= at_s - self._last_end_s <= _LEAP_S
        self._last_end_s = at_s + duration_s
        self.start_s = min(self.start_s, at_s)
        self.end_s = max(self.end_s, at_s + duration_s)
        if len(self.first_s) < FRAMES_JUDGED:
            self.first_s.append(at_s)

    def follow_each_other(self) -> None:
        """Let its packets end where they do one behind the other: for stamps that lie."""
        if self.lasting_s and self.end_s - self.start_s > 2 * self.lasting_s:
            self.end_s = self.start_s + self.lasting_s
            self.restarts = 0

    def end_exactly(self, rate_hz: int) -> None:
        """Let it end where its last packet does, without what is not played of that."""
        self.end_s -= self.padding_samples / rate_hz
        self.exact = True

    def find_hidden_restarts(self) -> None:
        """Links shorter than ``_BACK_S`` begin again unseen: their packets last longer than their time."""
        if not self.restarts and self.lasting_s > 2 * (self.end_s - self.start_s) + 1.0:
            self.restarts = 1

    def frame_rate_kind(self) -> Literal["constant", "variable", "unknown"]:
        """Are the first frames evenly spaced? Two or fewer, or packets without times, can't tell."""
        if self.untimed:
            return "unknown"
        # The last few may still lack a neighbour that is stored later than it is shown.
        times = sorted(self.first_s)[: FRAMES_JUDGED - 16]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        if len(gaps) < 2:
            return "unknown"
        median = sorted(gaps)[len(gaps) // 2]
        even = all(abs(gap - median) <= _EVEN_S for gap in gaps)
        return "constant" if even else "variable"

    @property
    def spacing_s(self) -> float:
        """How far apart its packets are, as a rule; 0 where there are too few to tell."""
        if self.untimed:
            return self.lasting_s / max(1, self.packets)
        gaps = sorted(later - earlier for earlier, later in pairwise(sorted(self.first_s)))
        return gaps[len(gaps) // 2] if gaps else 0.0

    def frames_per_second(self) -> float | None:
        """On average, over the whole stream."""
        length_s = self.end_s - self.start_s
        return round(self.packets / length_s, 3) if self.packets > 1 and length_s > 0 else None


def walk_packets(
    path: Path, demuxer: str, packet_bytes: int | None = None, junk_bytes: int = 0
) -> dict[int, StreamTimes]:
    """Stream index -> its times, of all packets that can be read.

    ``packet_bytes``: of plain samples in a WAV, where the demuxer cuts as it is told: 4096, unless told.
    Raises ``TimedOut``, and ``Unavailable`` where ffprobe was ended from outside: half of the packets would
    be a shorter recording.
    """
    found: dict[int, StreamTimes] = {}
    clocks: dict[int, Clock] | None = {} if demuxer in JOINED else None
    most_s = _LONGEST_OGG_S if demuxer == "ogg" else float("inf")
    timeout_s = _BASE_TIMEOUT_S + path.stat().st_size / _BYTES_PER_S
    entries = "packet=stream_index,pts_time,dts_time,duration_time,flags"
    entries += ":packet_side_data=discard_padding" if demuxer == MATROSKA else ""
    cut = [] if packet_bytes is None else ["-max_size", str(packet_bytes)]
    args = ["-show_entries", entries, "-of", "csv=p=0", *cut, *behind(junk_bytes)]
    args += input_args(path, demuxer)
    rest = b""
    with started(args, tool="ffprobe", timeout_s=timeout_s) as child:
        for chunk in child.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                _take(line, found, clocks, most_s)
        with suppress(BackendFailed):  # what is damaged is read as far as it goes
            child.check()
    for times in found.values():
        times.find_hidden_restarts()
    return found


def _take(
    line: bytes, found: dict[int, StreamTimes], clocks: dict[int, Clock] | None, most_s: float
) -> None:
    """One line: ``0,1.250000,1.240000,0.040000,K_``, each time perhaps ``N/A``, and perhaps ``,648``."""
    fields = line.rstrip(b",").split(b",")
    if not 5 <= len(fields) <= 6 or not fields[0].isdigit():
        return
    at = fields[2] if fields[1] == b"N/A" else fields[1]
    if at == b"N/A":
        if times := found.get(int(fields[0])):
            times.untimed += 1
        return
    duration_s = 0.0 if fields[3] == b"N/A" else float(fields[3])
    if duration_s > most_s:
        duration_s = 0.0
    times = found.setdefault(int(fields[0]), StreamTimes())
    times.dated |= b"N/A" not in fields[1:3] and fields[1] != fields[2]
    shift_s = 0.0
    if clocks is not None:
        dts_s = None if fields[2] == b"N/A" else float(fields[2])
        shift_s = clocks.setdefault(int(fields[0]), Clock()).shift_s(dts_s, duration_s)
    times.add(float(at) + shift_s, duration_s, hidden=b"D" in fields[4])
    times.padding_samples = int(fields[5]) if fields[5:] and fields[5].isdigit() else 0
