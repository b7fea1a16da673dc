"""Long videos in parts: one worker beside two, and what each process holds of a very large file.

    python -m tests.bench parts          four minutes of faces, one worker and two
    python -m tests.bench long parts     an hour of them, and a file of 3 GB step by step

A recording is loops of the clips of faces in ``../shared/media``, 1280x720, 25 pictures a second; it goes
through faces and covers by ``rushes process``, into a fresh home each time. A tenant's words are not asked
for. Wall times are of use on a machine that does nothing else. What comes out must be the same to the byte.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.bench.measuring import Cost, cost_of
from tests.bench.report import Row
from tests.functions import video

FACES = sorted((video.REAL / "faces_video").glob("*.mkv"))
STEPS = ("probe", "transform.loudness", "detect.visual_meta", "detect.regions", "anonymise.faces")
SIDE_BY_SIDE = "ratio <= 0.5556"
"""1.8 times as fast."""
MAX_INPUT_BYTES = 20 * 10**9
_LOOKED_S = 0.05
_MIB = 1 << 20


def measure() -> Iterator[Row]:
    """Four minutes: four parts of faces, two of covers."""
    with tempfile.TemporaryDirectory() as name:
        yield from beside(Path(name), 4)


def measure_long() -> Iterator[Row]:
    """An hour, and 3 GB."""
    with tempfile.TemporaryDirectory() as name:
        yield from beside(Path(name), 60)
    with tempfile.TemporaryDirectory() as name:
        yield from held(Path(name), 3.0)


def beside(folder: Path, minutes: float, frame_rate: int = 25) -> Iterator[Row]:
    """Faces and covers by one worker and by two: wall and processor seconds."""
    source = recording(folder / "faces.mp4", minutes, frame_rate)
    (one, alone), (two, together) = (
        processed(source, folder, "anonymise.faces", workers=number) for number in (1, 2)
    )
    if alone != together:
        raise AssertionError("two workers made other bytes than one")
    what = f"faces and covers of {minutes:g} min of 720p, two workers beside one"
    yield Row(f"{what}: wall", two.wall_s, one.wall_s, "s", SIDE_BY_SIDE)
    yield Row(f"{what}: processor", two.cpu_s, one.cpu_s, "s", "ratio <= 1.05")
    yield Row(f"{what}: memory of the largest process", two.peak_mib, one.peak_mib, "MiB")


def held(folder: Path, gigabytes: float) -> Iterator[Row]:
    """Of a file of raw pictures and sound, step by step: the most that each kind of process held."""
    source = raw(folder / "raw.mkv", gigabytes)
    size = source.stat().st_size
    for step in STEPS:
        watched = Watched()
        cost, _ = processed(source, folder, step, workers=1, watched=watched)
        kinds = ", ".join(f"{kind} {mib:.0f}" for kind, mib in sorted(watched.peaks_mib.items()))
        what = f"{step} of {size / 1e9:.2f} GB, its largest process (MiB by kind: {kinds})"
        yield Row(what, cost.peak_mib, None, "MiB", "ours <= 600")


def recording(path: Path, minutes: float, frame_rate: int) -> Path:
    """The clips, one after the other, over and over."""
    once = path.with_suffix(".once.mp4")
    inputs = [word for clip in FACES for word in ("-i", str(clip))]
    each = "".join(f"[{at}:v]scale=1280:720,setsar=1[v{at}];" for at in range(len(FACES)))
    joined = "".join(f"[v{at}]" for at in range(len(FACES)))
    graph = f"{each}{joined}concat=n={len(FACES)},fps={frame_rate}[v]"
    codec = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p"]
    _ffmpeg(*inputs, "-filter_complex", graph, "-map", "[v]", *codec, once)
    tone = ["-f", "lavfi", "-i", "sine=220:r=48000"]
    looped = ["-stream_loop", "-1", "-i", once, *tone, "-map", "0:v", "-map", "1:a"]
    _ffmpeg(*looped, "-t", f"{60 * minutes}", "-c:v", "copy", "-c:a", "aac", path)
    once.unlink()
    return path


def raw(path: Path, gigabytes: float) -> Path:
    """720p as it was decoded, 25 pictures a second, with a tone: 35 MB a second."""
    seconds = gigabytes * 1e9 / (1280 * 720 * 1.5 * 25)
    small = recording(path.with_suffix(".mp4"), seconds / 60, 25)
    _ffmpeg("-i", small, "-c:v", "rawvideo", "-c:a", "pcm_s16le", path)
    small.unlink()
    return path


def _ffmpeg(*words: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, words)], check=True)


class Watched:
    """The most that each kind of process held, by the kernel's high-water mark; looked at now and then."""

    def __init__(self) -> None:
        self.peaks_mib: dict[str, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._over.wait(_LOOKED_S):
            for process in own.children(recursive=True):
                try:
                    kind, held_mib = _kind(process.cmdline()), _most_held_mib(process.pid)
                except (psutil.Error, OSError, IndexError):
                    continue  # it has ended meanwhile
                self.peaks_mib[kind] = max(held_mib, self.peaks_mib.get(kind, 0.0))


def _kind(words: list[str]) -> str:
    """`ffmpeg`, `ffprobe`, `infra.local.worker`, or whatever it is."""
    return words[2] if words[1:2] == ["-m"] else Path(words[0]).name


def _most_held_mib(process_id: int) -> float:
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / _MIB
    return 0.0


def processed(
    source: Path, folder: Path, step: str, *, workers: int, watched: Watched | None = None
) -> tuple[Cost, dict[str, str]]:
    """``rushes process`` into a home that has seen nothing: its cost, and artifact -> digest of its bytes."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        home, told = Path(name) / "home", Path(name) / "told.json"
        environment = {
            "RUSHES_WORKERS": f"{workers}",
            "RUSHES_MAX_INPUT_BYTES": f"{MAX_INPUT_BYTES}",
        }
        words = [sys.executable, "-c", _PROCESS, told, source, "--steps", step]
        with watched or Watched():
            cost = cost_of([*words, "--data", home, "--out", name, "--json"], environment)
        (run,) = json.loads(told.read_text())["runs"]
    (row,) = (one for one in run["steps"] if one["step"] == step)
    if row["state"] not in ("done", "degraded"):
        raise AssertionError(f"{step} is {row['state']}: {row['reason'] or row['error']}")
    return cost, {one["artifact_id"]: one["sha256"] for one in row["artifacts"]}


# The command prints what we need, and whatever measures it lets that go.
_PROCESS = """
import sys
from infra.command.main import main
told = sys.argv.pop(1)
sys.argv.insert(1, "process")
sys.stdout = open(told, "w")
main()
"""
