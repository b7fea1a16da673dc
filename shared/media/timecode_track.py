"""A camera's timecode where ffprobe finds it odd and tells none: the number in its own track.

A ``tmcd`` sample is the number of the first frame, 32 bits. Final Cut Camera marks 24 frames a second as
drop frame, of which there is none; ffprobe then leaves the whole timecode away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from shared.errors import BackendFailed
from shared.media.ffmpeg import input_args, run

_TIMEOUT_S = 10.0
_SAMPLE_BYTES = 4


def numbered_timecode(path: Path, demuxer: str, stream: Mapping[str, Any]) -> str | None:
    """Of a ``tmcd`` stream as ffprobe shows it, every frame counted; ``None`` where it cannot be read."""
    over, _, under = str(stream.get("avg_frame_rate", "")).partition("/")
    if not (over.isdigit() and under.isdigit() and int(over) and int(under)):
        return None
    nominal = round(Fraction(int(over), int(under)))
    wanted = ["-select_streams", str(stream["index"]), "-show_entries", "packet=pos,size"]
    args = [*wanted, "-of", "json", *input_args(path, demuxer)]
    try:
        packets = json.loads(run(args, tool="ffprobe", timeout_s=_TIMEOUT_S).stdout)["packets"]
    except (BackendFailed, ValueError, KeyError):
        return None
    first = packets[0] if packets else {}
    told = first.get("size") == str(_SAMPLE_BYTES) and str(first.get("pos")).isdigit()
    if nominal < 1 or not told:
        return None
    with path.open("rb") as file:
        file.seek(int(first["pos"]))
        seconds, frame = divmod(int.from_bytes(file.read(_SAMPLE_BYTES), "big"), nominal)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frame:02d}"
