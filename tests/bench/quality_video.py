"""How good the video engines are, on clips whose truth is known.

    python -m tests.bench.quality_video [--extra FOLDER] [faces|shots]

``FOLDER``: where scenedetect was installed (``pip install --target FOLDER --no-deps scenedetect``).
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from functions.anonymise import faces
from functions.detect import regions
from functions.detect.centerface import FaceDetector
from functions.detect.shots import find_cuts
from shared.media.frames import VideoFrames, Wanted
from shared.media.probe import probe
from tests.functions import video
from tests.functions.anonymise.test_faces import leaked

SIZE = (320, 180)
NAMES = ("rocket", "coffee", "chelsea", "hubble_deep_field", "astronaut", "brick", "grass", "moon")
KINDS = {"still": 0.02, "pan": 0.3, "whip pan": 1.2, "quick": 0.3, "dark": 0.2, "noisy": 0.2}
KINDS |= {"flashes": 0.1, "jump cuts": 0.1, "shaken": 0.1}
"""How fast the camera moves, in widths a second."""


def faces_table(folder: Path) -> None:
    """Recall and precision a frame; leaked pixels; and whether the face is found again."""
    print("| clip | recall | precision | leaked pixels, worst frame | found again |")
    print("| --- | --- | --- | --- | --- |")
    for name, motion in video.MOTIONS.items():
        clip = video.moving(folder / "clip.mp4", motion)
        ran = video.run(regions.ENGINE, clip.path, folder / f"{name} regions")
        inputs = {"detect.regions": [ran.as_input("video_region_summary")]}
        solid = video.run(
            faces.ENGINE, clip.path, folder / f"{name} a", inputs=inputs, preset="solid"
        )
        strong = video.run(faces.ENGINE, clip.path, folder / f"{name} b", inputs=inputs)
        found = video.judge(clip.truth, video.boxes_of(ran.summary))
        parts = leaked(solid.of("video_anonymised")[0].path, list(clip.truth))
        again, looked = found_again(strong.of("video_anonymised")[0].path, clip.truth)
        print(
            f"| {name} | {found.recall:.3f} | {found.precision:.3f} | {np.mean(parts):.2%}, "
            f"{max(parts):.1%} | {again} of {looked} |",
            flush=True,
        )


def found_again(path: Path, truth: Sequence[video.Box | None]) -> tuple[int, int]:
    """In how many frames the detector, run on the result, still finds the face; and of how many."""
    detector, again, looked = FaceDetector.load(), 0, 0
    stream = probe(path).video[0]
    with VideoFrames(
        path, probe(path), Wanted(stream.width, stream.height, every_ms=120)
    ) as frames:
        for frame in frames:
            face = truth[frame.index]
            if face is None:
                continue
            picture = frame.data.reshape(stream.height, stream.width, 3)
            sure = [box for box in detector.find(picture) if box[4] >= 0.5]
            boxes = [(x, y, x + width, y + height) for x, y, width, height, _ in sure]
            again += any(video.overlap(box, face) > 0.3 for box in boxes)
            looked += 1
    return again, looked


def shots_table(folder: Path) -> None:
    """Hard cuts right (within a frame), wrong and missed, beside scenedetect's."""
    others = importlib.util.find_spec("scenedetect") is not None
    print(
        "| clips | cuts | found, wrong |" + (" scenedetect adaptive | content |" if others else "")
    )
    print("| --- | --- | --- |" + (" --- | --- |" if others else ""))
    for kind in KINDS:
        columns: dict[str, list[int]] = {}
        count = 0
        for seed in (1, 2):
            path = folder / f"{kind} {seed}.mp4"
            cuts = film_shots(path, kind, seed)
            count += len(cuts)
            for name, found in detected(path, others=others).items():
                right = sum(any(abs(cut - one) <= 1 for one in found) for cut in cuts)
                counts = columns.setdefault(name, [0, 0])
                counts[0], counts[1] = counts[0] + right, counts[1] + len(found) - right
        cells = " | ".join(f"{right}, {wrong}" for right, wrong in columns.values())
        print(f"| {kind} | {count} | {cells} |", flush=True)


def detected(path: Path, *, others: bool) -> dict[str, list[int]]:
    """Who finds which cuts."""
    found = {"ours": find_cuts(path, probe(path))[0]}
    if others:
        import scenedetect as other

        for name, detector in (("a", other.AdaptiveDetector()), ("c", other.ContentDetector())):
            scenes = other.detect(str(path), detector)
            found[name] = [start.frame_num for start, _ in scenes[1:]]
    return found


def film_shots(path: Path, kind: str, seed: int) -> list[int]:
    """Twelve shots; returns the first frame of each after the first."""
    rng = np.random.default_rng(seed)
    pictures: list[video.Picture] = []
    cuts = []
    last = ""
    for _ in range(12):
        names = [name for name in NAMES if name != last]
        name = last = NAMES[seed] if kind == "jump cuts" else names[rng.integers(len(names))]
        length = int(rng.integers(12, 50) if kind == "quick" else rng.integers(25, 75))
        shot = [spoilt(frame, kind, rng) for frame in filmed(name, length, KINDS[kind], rng)]
        if kind == "flashes" and length > 30:
            at = int(rng.integers(8, length - 8))
            shot[at] = np.asarray(shot[at] * 0.2 + 200, np.uint8)
        cuts.append(len(pictures))
        pictures += shot
    video.film(path, iter(pictures), SIZE)
    return cuts[1:]


def filmed(
    name: str, length: int, speed: float, rng: np.random.Generator
) -> Iterator[video.Picture]:
    """A camera that moves over a picture, and zooms a little."""
    import cv2
    from skimage import data

    picture = getattr(data, name)()
    picture = np.repeat(picture[:, :, None], 3, axis=2) if picture.ndim == 2 else picture
    high, wide = picture.shape[:2]
    width = rng.uniform(0.35, 0.7) * min(wide, high * 16 / 9)
    zoom = rng.uniform(0.8, 1.2)
    x, y = rng.uniform(0, max(wide - width, 1)), rng.uniform(0, max(high - width * 9 / 16, 1))
    angle = rng.uniform(0, 2 * np.pi)
    for frame in range(length):
        now = width * (1 + (zoom - 1) * frame / length)
        moved = speed * now * frame / video.RATE
        scale = now / SIZE[0]
        left, top = x + np.cos(angle) * moved, y + np.sin(angle) * moved
        to_source = np.array([[scale, 0, left], [0, scale, top]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        mode = cv2.BORDER_REFLECT
        yield np.asarray(cv2.warpAffine(picture, to_source, SIZE, flags=flags, borderMode=mode))


def spoilt(frame: video.Picture, kind: str, rng: np.random.Generator) -> video.Picture:
    """What makes cuts hard to see."""
    if kind == "dark":
        return np.asarray(frame * 0.18, np.uint8)
    if kind == "noisy":
        return np.asarray(np.clip(frame + rng.normal(0, 14, frame.shape), 0, 255), np.uint8)
    if kind == "shaken":
        shift = int(rng.integers(-12, 12)), int(rng.integers(-20, 20))
        return np.roll(frame, shift, axis=(0, 1))
    return frame


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("which", nargs="?", choices=["faces", "shots"])
    parser.add_argument("--extra", default="")
    asked = parser.parse_args()
    sys.path[:0] = [asked.extra] if asked.extra else []
    for name, table in (("faces", faces_table), ("shots", shots_table)):
        if asked.which in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                table(Path(folder))


if __name__ == "__main__":
    main()
