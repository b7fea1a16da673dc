"""Clips whose truth is exact, because a real portrait is moved about in them; and running engines."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.contracts.region_summary import RegionSummary
from shared.contracts.step_engine import (
    Backend,
    Engine,
    InputFile,
    Job,
    Output,
    Result,
    SoundParams,
)
from shared.pipeline import KINDS
from tests.shared.media.recordings import probed

FIXTURES = Path(__file__).parents[1] / "fixtures" / "video_clips"
FACE_CLIP, BROLL_CLIP = FIXTURES / "face_clip.mp4", FIXTURES / "broll_clip.mp4"
REAL = Path(__file__).parents[3] / "shared" / "media"

WIDTH, HEIGHT, RATE = 480, 270, 25
FACE = (181.0, 72.0, 269.0, 186.0)
"""Left, top, right, bottom of the portrait's face, from hairline to chin, by eye."""

Picture = NDArray[np.uint8]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Pose:
    """Where the face's centre is, how high the face is, how it is turned, how bright all is."""

    x: float
    y: float
    height: float
    degrees: float = 0.0
    gain: float = 1.0
    hidden: bool = False


Motion = Callable[[float], Pose]


def _crossing(t: float) -> Pose:
    return Pose(-60 + 300 * t, 135, 90, hidden=not -20 < -60 + 300 * t < 500)


MOTIONS: Mapping[str, Motion] = {
    "swaying": lambda t: Pose(240 + 90 * np.sin(2 * np.pi * 0.7 * t), 130, 90),
    "shaken": lambda t: Pose(240 + 25 * np.sin(2 * np.pi * 2 * t), 130, 90),
    "turning": lambda t: Pose(240, 135, 90, degrees=120 * t),
    "dark": lambda t: Pose(200 + 30 * t, 130, 90, gain=0.12),
    "small": lambda t: Pose(150 + 60 * t, 100, 20),
    "large": lambda t: Pose(240, 140, 190 + 30 * np.sin(2 * t)),
    "crossing": _crossing,
    "nearing": lambda t: Pose(240, 130, 25 * 5 ** (t / 3)),
    "cut away": lambda t: Pose(
        200 if int(t / 0.48) % 4 else 300, 130, 80, hidden=int(t / 0.48) % 2 == 1
    ),
}
"""Three seconds each; after two all but ``turning`` have shown what they are for."""


@cache
def portrait() -> Picture:
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut()[:, :, ::-1])


@cache
def backdrop(name: str) -> Picture:
    from skimage import data

    wall = getattr(data, name)()
    import cv2

    grey = cv2.resize(wall if wall.ndim == 2 else wall[:, :, 0], (WIDTH, HEIGHT))
    return np.repeat(grey[:, :, None], 3, axis=2)


def drawn(pose: Pose) -> tuple[Picture, Box | None]:
    """One frame, and the box around the face in it."""
    import cv2

    if pose.hidden:
        return np.asarray(backdrop("gravel") * pose.gain, np.uint8), None
    left, top, right, bottom = FACE
    scale = pose.height / (bottom - top)
    turn = cv2.getRotationMatrix2D(((left + right) / 2, (top + bottom) / 2), pose.degrees, scale)
    turn[:, 2] += (pose.x - (left + right) / 2, pose.y - (top + bottom) / 2)
    shown = cv2.warpAffine(portrait(), turn, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
    inside = cv2.warpAffine(np.full((512, 512), 255, np.uint8), turn, (WIDTH, HEIGHT)) > 127
    frame = np.where(inside[:, :, None], shown, backdrop("brick"))
    corners = np.array([[left, top, 1], [right, top, 1], [left, bottom, 1], [right, bottom, 1]])
    at = corners @ turn.T
    low, high = np.maximum(at.min(axis=0), 0), np.minimum(at.max(axis=0), (WIDTH, HEIGHT))
    box = None if (high - low < 0.25 * pose.height).any() else (*low, *high)
    return np.asarray(frame * pose.gain, np.uint8), box  # type: ignore[return-value]


@dataclass(frozen=True)
class Clip:
    """A recording, and where the face is in each frame: left, top, right, bottom."""

    path: Path
    truth: Sequence[Box | None]


def moving(path: Path, motion: Motion, seconds: float = 3.0, *args: str) -> Clip:
    """Film a motion."""
    frames, truth = [], []
    for number in range(round(seconds * RATE)):
        frame, box = drawn(motion(number / RATE))
        frames.append(frame)
        truth.append(box)
    film(path, iter(frames), (WIDTH, HEIGHT), *args)
    return Clip(path, truth)


QUICK: Mapping[str, Any] = {"frame_sample_interval_ms": 500, "detection_side": 320}
"""Params of ``detect.regions`` for tests of other things than how well it looks."""


def shortened(path: Path, seconds: float, source: Path = FACE_CLIP) -> Path:
    """The beginning of a fixture, cut without coding it again."""
    words = ["-i", source, "-t", f"{seconds}", "-c", "copy", "-map_metadata", "-1", path]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words)], check=True)
    return path


def film(path: Path, frames: Iterator[Picture], size: tuple[int, int], *args: str) -> None:
    """Write pictures (blue, green, red) as a recording with a tone."""
    raw = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{size[0]}x{size[1]}", "-r", f"{RATE}"]
    tone = ["-f", "lavfi", "-i", "sine=330:r=48000"]
    codecs = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p"]
    command = ["ffmpeg", "-v", "error", "-y", *raw, "-i", "-", *tone, *codecs, *args, "-shortest"]
    data = b"".join(frame.tobytes() for frame in frames)
    subprocess.run([*command, str(path)], input=data, check=True)


@dataclass(frozen=True)
class Ran:
    """What came out of one run."""

    result: Result
    backend: Backend
    folder: Path

    def of(self, kind: str) -> list[Output]:
        return [output for output in self.result.outputs if output.kind == kind]

    def body(self, kind: str) -> Any:
        return json.loads(self.of(kind)[0].path.read_text())

    @property
    def summary(self) -> RegionSummary:
        return RegionSummary.read(self.of("video_region_summary")[0].path)

    def as_input(self, kind: str) -> InputFile:
        """As the runtime hands it to the next step."""
        output = self.of(kind)[0]
        meta = {
            **output.meta,
            "backend": self.backend.name,
            "backend_type": self.backend.type,
            "backend_version": self.backend.version,
            "cache_key": f"key-of-{kind}",
        }
        return InputFile(f"art-{kind}", kind, output.path, meta)


def run(
    engine: Engine,
    source: Path,
    folder: Path,
    *,
    backend: Backend | None = None,
    inputs: Mapping[str, Sequence[InputFile]] | None = None,
    failed: Mapping[str, Mapping[str, Any]] | None = None,
    **params: Any,
) -> Ran:
    """Run it as the runtime does, and check what every result must hold."""
    folder.mkdir(parents=True, exist_ok=True)
    progress: list[float] = []
    chosen = backend or engine.backend()
    asked, media = engine.params(**params), probed(source)
    if isinstance(asked, SoundParams) and asked.stream is not None:
        media = media.with_stream(asked.stream)
    job = Job(source, media, folder, progress.append, inputs or {}, failed or {})
    result = engine.run(job, asked, chosen)
    assert progress == sorted(progress)
    assert all(0 <= fraction <= 1 for fraction in progress)
    names = [output.name for output in result.outputs]
    assert len(set(names)) == len(names)
    for output in result.outputs:
        assert set(KINDS[output.kind].demands) <= set(output.meta)
        json.dumps(output.meta, allow_nan=False)
        assert output.path.parent == folder
        assert output.path.stat().st_size > 0
    return Ran(result, chosen, folder)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return wide * high / (sum(areas) - wide * high)


@dataclass(frozen=True)
class Found:
    """How well boxes agree with the truth, over all frames."""

    recall: float
    precision: float


def judge(truth: Sequence[Box | None], boxes: Sequence[Sequence[Box]], least: float = 0.3) -> Found:
    """Per frame; a box that overlaps the truth by less than ``least`` is wrong."""
    assert len(truth) == len(boxes)
    hits, right = [], []
    for face, row in zip(truth, boxes, strict=True):
        agree = [bool(face and overlap(box, face) >= least) for box in row]
        right += agree
        hits += [any(agree)] if face else []
    return Found(float(np.mean(hits)), float(np.mean(right)) if right else 1.0)


def boxes_of(summary: RegionSummary) -> list[list[Box]]:
    return [
        [(r.x, r.y, r.x + r.width, r.y + r.height) for r in frame.regions]
        for frame in summary.frames
    ]
