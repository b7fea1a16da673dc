"""What stands before a tool as it starts, and what pictures cost whoever reads them.

    python -m tests.bench media

- ffmpeg started by ``shared.media.ffmpeg`` (without network, tied to its caller, with limits), beside itself.
- Pictures of 1080p out of ``VideoFrames``, beside the same ffmpeg whose output goes nowhere.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from shared.media.ffmpeg import run
from shared.media.frames import VideoFrames, Wanted
from shared.media.probe import probe
from shared.processes import Limits, tied_to_caller, without_network
from tests.bench.measuring import cpu_s
from tests.bench.report import Row

STARTS, PICTURES, ROUNDS = 10, 155, 3


def measure() -> Iterator[Row]:
    """Starts, then pictures."""
    yield from starts()
    with tempfile.TemporaryDirectory() as name:
        yield pictures(film(Path(name) / "film.mp4"))


def starts() -> Iterator[Row]:
    """Of a tool that does nothing, and of ffmpeg."""
    before = [*without_network(), *tied_to_caller(Limits(open_files=256, network=False))]
    programs = sum(word in {"unshare", "setpriv", "sh"} for word in before)
    why = "one program alone would want a compiler, or Perl, and save 2 ms"
    yield Row("an ffmpeg start: programs, with ffmpeg", programs + 1, 1, "", "ours <= 2", why)

    def ours() -> None:
        for _ in range(STARTS):
            run(["-version"], timeout_s=60)

    def bare() -> None:
        for _ in range(STARTS):
            subprocess.run(["ffmpeg", "-version"], check=True, capture_output=True)

    taken = (1000 * one / STARTS for one in cpu_s(ours, bare, rounds=ROUNDS))
    yield Row("an ffmpeg start, beside ffmpeg: processor", *taken, "ms", "ratio <= 1.1")


def film(path: Path) -> Path:
    """ffmpeg's moving test picture, 1080p."""
    source = ["-f", "lavfi", "-i", f"testsrc2=s=1920x1080:r=25:d={PICTURES / 25}"]
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    subprocess.run(["ffmpeg", "-v", "error", *source, *codec, path], check=True)
    return path


def pictures(path: Path) -> Row:
    """The caller's own processor time, without ffmpeg's, beside reading as many bytes from a pipe."""
    media, wanted = probe(path), Wanted(1920, 1080)
    zeros = [
        sys.executable,
        "-c",
        f"import os\nfor _ in range({PICTURES}): os.write(1, bytes({wanted.size_bytes}))",
    ]

    def ours() -> None:
        with VideoFrames(path, media, wanted) as frames:
            assert sum(1 for _ in frames) == PICTURES

    def bare() -> None:
        subprocess.run(zeros, check=True, stdout=subprocess.PIPE)

    taken = (min(_own_s(work) for _ in range(ROUNDS)) for work in (ours, bare))
    what = f"reading {PICTURES} pictures of 1080p, the caller's share, beside subprocess and a pipe"
    return Row(f"{what}: processor", *taken, "s", "ratio <= 0.5")


def _own_s(work: object) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()  # type: ignore[operator]
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
