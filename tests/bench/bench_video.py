"""The video engines side by side with the tools that people use.

    python -m tests.bench video

deface and scenedetect run out of what `make bench` installs for that, or out of ``BENCH_TOOLS``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from functions.anonymise import faces
from functions.detect import regions
from shared.contracts.step_engine import Engine, Job, Result
from shared.media.probe import probe
from tests.bench.bench_detect import OURS
from tests.bench.measuring import Cost, cheapest, cost_of, cpu_s, with_tools
from tests.bench.report import Row
from tests.functions import video

SMALL, HD, UHD = (640, 360), (1920, 1080), (3840, 2160)
DEFACE = "import sys\nfrom deface.deface import main\nmain()"
GRAPH = "[0:v]split[a][b];[b]crop={w}:{h}:{x}:{y},scale=4:5:flags=area,scale={w}:{h}[c];[a][c]overlay={x}:{y}"
"""A blur of a box that stays where it is."""
ENCODE = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-threads", "4", "-c:a", "copy")


def measure() -> Iterator[Row]:
    """360 and 1080 lines, six seconds each; 2160, two. Last what others must be installed for."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = {size: clip(folder / f"{size[1]}.mp4", size, 6.0) for size in (SMALL, HD)}
        ours_s = {}
        for size, made in clips.items():
            find, cover = ours(made, folder)
            taken = cpu_s(find, cover, lambda: blur(made, folder, size), rounds=2)  # noqa: B023
            ours_s[size] = taken[0] + taken[1]
            why = "two ffmpegs, with pictures over a pipe between them, and a look at what was written"
            what = f"anonymise of {size[0]}x{size[1]}, 6 s, beside ffmpeg: processor"
            yield Row(what, *taken[1:], "s", "ratio <= 1.1", why)
        yield from memory(folder, (("2 s", 2.0),))
        yield from beside_scenedetect(clips[HD], rounds=2)
        for (size, made), goal in zip(clips.items(), (0.2, 0.1), strict=True):
            words = [sys.executable, "-c", DEFACE, made, "-o", folder / "deface.mp4", "-k"]
            deface = cost_of(words, with_tools())
            what = f"regions and anonymise of {size[0]}x{size[1]}, 6 s, beside deface: processor"
            why = (
                "every second look is a full one, for the hold of 400 ms to cover who comes between"
            )
            yield Row(what, ours_s[size], deface.cpu_s, "s", f"ratio <= {goal}", why)


def measure_long() -> Iterator[Row]:
    """What 4K holds as it gets longer."""
    with tempfile.TemporaryDirectory() as name:
        yield from memory(Path(name), (("10 s", 10.0), ("60 s", 60.0)))


def clip(path: Path, size: tuple[int, int], seconds: float) -> Path:
    """A portrait that moves as ``swaying`` does, made larger."""
    small = video.moving(path.with_suffix(".small.mp4"), video.MOTIONS["swaying"], seconds)
    scaled = ["-vf", f"scale={size[0]}:{size[1]}", "-c:v", "libx264", "-preset", "veryfast"]
    words = ["-i", small.path, *scaled, "-crf", "20", "-c:a", "copy", path]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *words], check=True)
    return path


def ours(source: Path, folder: Path) -> tuple[Callable[[], Result], Callable[[], Result]]:
    """Looking for faces, and covering those of one look."""
    media, places = probe(source), iter(range(1000))
    ran = video.run(regions.ENGINE, source, folder / f"{source.stem} first")
    summary = {"detect.regions": [ran.as_input("video_region_summary")]}

    def run(engine: Engine) -> Result:
        workdir = folder / f"{source.stem} {next(places)}"
        workdir.mkdir()
        job = Job(source, media, workdir, lambda done: None, summary)
        return engine.run(job, engine.params(), engine.backend())

    return lambda: run(regions.ENGINE), lambda: run(faces.ENGINE)


def blur(source: Path, folder: Path, size: tuple[int, int]) -> None:
    """What covering costs who knows the place, with the encoder as anonymise has it."""
    wide, high = size[0] // 4, size[1] // 2
    graph = GRAPH.format(w=wide, h=high, x=wide, y=high // 2)
    words = ["-i", source, "-filter_complex", graph, *ENCODE, folder / "blurred.mp4"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *words], check=True)


def beside_scenedetect(source: Path, rounds: int) -> Iterator[Row]:
    """Its command, with the detector that it recommends, beside a process that finds cuts."""
    ours_ = "import sys\nfrom pathlib import Path\nfrom functions.detect.shots import find_cuts\n"
    ours_ += "from shared.media.probe import probe\n"
    ours_ += "find_cuts(Path(sys.argv[1]), probe(Path(sys.argv[1])))"
    words = [sys.executable, "-m", "scenedetect", "-q", "-i", source, "detect-adaptive"]
    mine, theirs = cheapest(
        lambda: cost_of([sys.executable, "-c", ours_, source]),
        lambda: cost_of(words, with_tools()),
        rounds=rounds,
    )
    what = "shots of 1080p, 6 s, beside scenedetect: processor"
    why = "two fifths are imports and the four programs that probe the file, for any length"
    yield Row(what, mine.cpu_s, theirs.cpu_s, "s", "ratio <= 1.0", why)


def memory(folder: Path, lengths: tuple[tuple[str, float], ...]) -> Iterator[Row]:
    """The largest process of each video step at 4K; a longer recording beside a shorter one."""
    before: dict[str, Cost] = {}
    for length, seconds in lengths:
        source = clip(folder / f"{length}.mp4", UHD, seconds)
        for steps in ("detect.regions", "detect.regions,anonymise.faces", "detect.visual_meta"):
            with tempfile.TemporaryDirectory(dir=folder) as work:
                cost = cost_of([sys.executable, "-c", OURS, source, work, steps])
            what = f"{steps.replace(',', ' and ')} of {length} of 4K: memory of the largest process"
            shorter = before[steps].peak_mib if steps in before else None
            goal = "ratio <= 1.2" if shorter else "ours <= 600"
            why = "x264 holds three times a picture for each that waits"
            yield Row(what, cost.peak_mib, shorter, "MiB", goal, why)
            before[steps] = cost
