"""What goes into the files: signals and pictures whose every property is known."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float64]
"""``(samples, channels)``."""

SECONDS = 2.5
FRAME_RATE = 25
FRAMES = 30
FLASH = (10, 15)
"""From which frame to which the mark flashes; the tone sounds at the same time."""
SIZE = (320, 240)
COLOURS = ((200, 60, 60), (60, 180, 60), (70, 70, 200), (190, 190, 60))
"""Red, green, blue of the quarters: top left, top right, bottom left, bottom right."""
_PORTRAIT = (slice(30, 270), slice(105, 345))
_FACE = (181.0, 72.0, 269.0, 186.0)
"""Of scikit-image's astronaut: left, top, right, bottom of the face, by eye."""
_SIDE = 0.58
"""The portrait's side, in parts of the picture's height."""
_MARK = 0.12
"""The mark's side at the top, in the middle, in parts of the picture's height."""


@dataclass(frozen=True)
class Box:
    """A rectangle, in parts of width and height."""

    left: float
    top: float
    right: float
    bottom: float

    def within(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Rows and columns of a picture of ``shape`` (height, width, ...)."""
        high, wide = shape[:2]
        rows = slice(round(self.top * high), round(self.bottom * high))
        return rows, slice(round(self.left * wide), round(self.right * wide))


def voices(seconds: float = SECONDS, rate: int = 48_000, channels: int = 2) -> Samples:
    """A gliding, swelling voice in each channel, none like another; nothing above 3 kHz."""
    return np.stack([_voice(round(seconds * rate), rate, n) for n in range(channels)], axis=1)


@cache
def _voice(length: int, rate: int, number: int) -> Samples:
    at = np.arange(length) / rate
    low_hz, glide_hz = 110.0 + 17 * number, 23.0 + 5 * number
    phase = 2 * np.pi * (low_hz * at + glide_hz * at**2 / 2 + 3 * np.sin(0.9 * at + number))
    tones = sum(np.sin(k * phase + k * k) / k for k in range(1, 1 + int(3000 / 320)))
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * (2.1 + 0.4 * number) * at + number)
    return np.asarray(0.12 * swell * tones)


def write_wav(path: Path, samples: Samples, rate: int) -> Path:
    """In floating point, so that the codec under test alone loses something."""
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def ffmpeg(*words: Any) -> None:
    """Make a file; raises ``CalledProcessError`` with ffmpeg's words."""
    command = ["ffmpeg", "-v", "error", "-y", "-nostdin", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(f"ffmpeg could not make the file: {done.stderr[-400:]}")


def face_box() -> Box:
    """Where the portrait's face is."""
    left, top, right, bottom = _FACE
    rows, columns = _PORTRAIT
    side = rows.stop - rows.start
    wide, high = _SIDE * SIZE[1] / SIZE[0], _SIDE
    x, y = (1 - wide) / 2, 1 - high - 0.05
    return Box(
        x + wide * (left - columns.start) / side,
        y + high * (top - rows.start) / side,
        x + wide * (right - columns.start) / side,
        y + high * (bottom - rows.start) / side,
    )


def mark_box() -> Box:
    """Where the flash is."""
    half = _MARK * SIZE[1] / SIZE[0] / 2
    return Box(0.5 - half, 0.02, 0.5 + half, 0.02 + _MARK)


@cache
def picture(flash: bool, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Red, green, blue ``(height, width, 3)``: four quarters, a portrait, the mark dark or bright."""
    import cv2
    from skimage.data import astronaut

    wide, high = size
    shown = np.zeros((high, wide, 3), np.uint8)
    for number, colour in enumerate(COLOURS):
        down, across = divmod(number, 2)
        shown[down * high // 2 :, across * wide // 2 :] = colour
    rows, columns = mark_box().within(shown.shape)
    shown[rows, columns] = 250 if flash else 5
    tall, broad = round(_SIDE * high), round(_SIDE * SIZE[1] / SIZE[0] * wide)
    portrait = cv2.resize(astronaut()[_PORTRAIT], (broad, tall), interpolation=cv2.INTER_AREA)
    top, left = high - tall - round(0.05 * high), (wide - broad) // 2
    shown[top : top + tall, left : left + broad] = portrait
    return shown


def tone(rate: int = 48_000) -> Samples:
    """What sounds with the flash, 1 kHz, both channels; faint noise elsewhere."""
    seconds = FRAMES / FRAME_RATE
    at = np.arange(round(seconds * rate)) / rate
    sounding = (at >= FLASH[0] / FRAME_RATE) & (at < FLASH[1] / FRAME_RATE)
    mono = 0.3 * np.sin(2 * np.pi * 1000 * at) * sounding
    mono = mono + 0.001 * np.random.default_rng(3).standard_normal(len(at))
    return np.stack([mono, mono], axis=1)


def frame(number: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """The master's picture of that number: at the bottom a dot moves, so that no two are alike."""
    shown = picture(FLASH[0] <= number < FLASH[1], size).copy()
    wide, high = size
    left = number * wide // FRAMES
    shown[round(0.97 * high) :, left : left + wide // FRAMES] = 255
    return shown


@cache
def _masters() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="masters-")


@cache
def master(size: tuple[int, int] = SIZE) -> Path:
    """Picture and sound without loss, from which the others are made; once in a process."""
    folder = Path(_masters().name)
    path, raw = folder / f"{size[0]}x{size[1]}.mkv", folder / "raw.rgb"
    sound = write_wav(folder / "tone.wav", tone(), 48_000)
    raw.write_bytes(b"".join(frame(number, size).tobytes() for number in range(FRAMES)))
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", FRAME_RATE]
    keep = ["-c:v", "ffv1", "-pix_fmt", "bgr0", "-c:a", "pcm_s16le"]
    ffmpeg(*source, "-i", raw, "-i", sound, *keep, path)
    return path
