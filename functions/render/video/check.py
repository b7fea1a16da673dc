"""A rendering looks at its own file before it is delivered.

What the header says of each stream (ffprobe) is held against the plan: size, number of pictures, length,
and that picture and sound begin and end together. A picture that was dropped, or sound that runs away
from it, is found so. No picture is decoded: one that shows something wrong is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from functions.render.video.video_plan import Plan
from shared.errors import BackendFailed
from shared.media.ffmpeg import input_args, run
from shared.media.formats import MOV
from shared.media.packets import walk_packets

_AAC_MS = 1000 * 1024 / 48_000
"""Sound comes in packets of so much."""


def check_rendering(path: Path, plan: Plan, frames: int, *, sound: bool) -> dict[str, Any]:
    """What the file is, in numbers; raises ``BackendFailed`` where it is not what was planned.

    Every frame is there; length, and how far picture and sound begin and end apart, are right within
    one frame (or one packet of sound, where that is longer). ``frames``: how many were written;
    ``sound``: must there be some? Then ``drift_ms`` is the larger of both distances.
    """
    picture, heard = _streams(path)
    frame_ms = 1000 / plan.frame_rate
    wide, high = (round(picture.get(side, 0)) for side in ("width", "height"))
    if [wide, high] != list(plan.size):
        raise _wrong("size", f"{wide}x{high}, not {plan.size[0]}x{plan.size[1]}")
    if picture.get("frames") != frames:
        raise _wrong("frame_count", f"{picture.get('frames', 0)} frames, not {frames}")
    if abs(picture["end_ms"] - plan.duration_ms) > frame_ms:
        picture = {**picture, "end_ms": _shown_until_ms(path, picture["end_ms"])}
    if abs(picture["end_ms"] - plan.duration_ms) > frame_ms:
        raise _wrong("duration", f"{picture['end_ms']:.1f} ms, not {plan.duration_ms:.1f} ms")
    found = {
        "frame_count": frames,
        "duration_ms": round(plan.duration_ms),
        "width": plan.size[0],
        "height": plan.size[1],
    }
    return {**found, **(_drift(heard, picture, max(frame_ms, _AAC_MS)) if sound else {})}


def _shown_until_ms(path: Path, told_ms: float) -> float:
    """Where the last picture ends. A header adds up the times between decoding: where the last pictures lie
    apart, as at the end of what was cut without coding it again, that is less.
    """
    times = walk_packets(path, MOV).get(0)
    return 1000 * times.end_s if times else told_ms


def _drift(
    sound: Mapping[str, float], picture: Mapping[str, float], allowed_ms: float
) -> dict[str, Any]:
    if not sound:
        raise _wrong("sound", "there is none")
    drift_ms = max(abs(sound[name] - picture[name]) for name in ("start_ms", "end_ms"))
    if drift_ms > allowed_ms:
        raise _wrong("drift", f"picture and sound are {drift_ms:.1f} ms apart")
    return {"drift_ms": round(drift_ms, 3)}


def _streams(path: Path) -> tuple[dict[str, float], dict[str, float]]:
    """What the file says of its picture and its sound, in ms and pixels; empty where there is none."""
    entries = "stream=codec_type,start_time,duration,nb_frames,width,height"
    args = ["-show_entries", entries, "-of", "json", *input_args(path, MOV)]
    rows = json.loads(run(args, tool="ffprobe", timeout_s=30.0).stdout)["streams"]
    found: dict[str, dict[str, float]] = {"video": {}, "audio": {}}
    for row in rows:
        if row["codec_type"] in found:
            start_ms = 1000 * float(row["start_time"])
            end_ms = start_ms + 1000 * float(row["duration"])
            found[row["codec_type"]] = {
                "start_ms": start_ms,
                "end_ms": end_ms,
                "frames": int(row["nb_frames"]),
                **{name: row[name] for name in ("width", "height") if name in row},
            }
    return found["video"], found["audio"]


def _wrong(check: str, reason: str) -> BackendFailed:
    """``details.check`` names it for programs: ``size, frame_count, duration, sound`` or ``drift``."""
    error = BackendFailed("render.video", f"the file's {check} is not what was planned: {reason}")
    error.fields["details"]["check"] = check
    return error
