"""What the command says of a step in parts."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from infra.command.look import _run_tree
from infra.command.process import _step_lines

ERROR = {
    "code": "backend_failed",
    "message": "ffmpeg failed",
    "part": {"number": 2, "count": 3, "start_ms": 3_600_000, "end_ms": 3_660_500},
}


def part(number: int, state: str, **told: Any) -> dict[str, Any]:
    ranged = {"number": number, "start_ms": 60_000 * (number - 1), "end_ms": 60_000 * number}
    return {**ranged, "state": state, "progress": 0.0, "tries": 1, "error": None, **told}


def test_each_part_is_a_line() -> None:
    parts = [
        part(1, "done"),
        part(2, "running", progress=0.41, tries=3),
        part(3, "waiting", error={"message": "no memory [left]"}),
    ]
    faces = {"step": "detect.regions", "state": "running", "reason": None, "error": None}
    step = {**faces, "parts": parts, "at_once": 2}
    page = io.StringIO()
    shown = {"run_id": "run_1", "source": "a [b].mp4", "steps": [step]}
    Console(width=100, file=page).print(_run_tree(shown))
    said = page.getvalue()
    assert "a [b].mp4 run_1" in said and "Faces  running, 3 parts, 2 at a time" in said
    assert "1  0:00:00.0 to 0:01:00.0  done" in said
    assert "2  0:01:00.0 to 0:02:00.0  running 41%, try 3" in said
    assert "3  0:02:00.0 to 0:03:00.0  waiting  no memory [left]" in said


def test_a_failed_step_says_in_which_part_of_the_recording() -> None:
    step = {"step": "anonymise.faces", "state": "failed", "error": ERROR, "reason": None}
    (line,) = _step_lines({**step, "artifacts": []}, with_places=False)
    assert line.endswith("ffmpeg failed (part 2 of 3, 1:00:00.0 to 1:01:00.5)")
