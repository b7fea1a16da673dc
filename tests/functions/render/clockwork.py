"""Recordings in which every picture says its number, and every second clicks and flashes."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.media.decode import audio_blocks
from shared.media.frames import VideoFrames, Wanted
from tests.shared.media.recordings import probed

WIDE, HIGH, BLOCK = 48, 32, 8
RATE = 48_000
_BITS = (WIDE // BLOCK) * (HIGH // BLOCK) - 1
_CLICK = np.sin(2 * np.pi * 4_000 * np.arange(48) / RATE) * np.hanning(48)


def picture(number: int, frame_rate: int) -> NDArray[np.uint8]:
    """Luma: blocks that are the number's bits, the last one white in each second's first picture."""
    bits = [(number >> place) & 1 for place in range(_BITS)] + [number % frame_rate == 0]
    blocks = np.array(bits, np.uint8).reshape(HIGH // BLOCK, WIDE // BLOCK) * 200 + 20
    return np.kron(blocks, np.ones((BLOCK, BLOCK), np.uint8))


def second() -> NDArray[np.float32]:
    """One second of sound: a click in its first millisecond, and silence, which costs an encoder little."""
    made = np.zeros(RATE, "<f4")
    made[:48] = 0.7 * _CLICK
    return made


def clock(path: Path, seconds: int, frame_rate: int = 25, *args: str) -> Path:
    """Film it; pictures and sound go in through pipes, a second at a time."""
    (video_in, video), (audio_in, audio) = os.pipe(), os.pipe()
    raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDE}x{HIGH}", "-r", f"{frame_rate}"]
    heard = ["-f", "f32le", "-ar", f"{RATE}", "-ac", "1"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "flac"]
    inputs = [*raw, "-i", f"pipe:{video_in}", *heard, "-i", f"pipe:{audio_in}"]
    words = ["ffmpeg", "-v", "error", "-y", *inputs, *codecs, *(args or ("-crf", "20")), str(path)]
    child = subprocess.Popen(words, pass_fds=(video_in, audio_in))
    os.close(video_in)
    os.close(audio_in)
    numbers = range(seconds * frame_rate)
    feeders = [
        threading.Thread(target=_feed, args=(video, (picture(n, frame_rate) for n in numbers))),
        threading.Thread(target=_feed, args=(audio, (second() for _ in range(seconds)))),
    ]
    for feeder in feeders:
        feeder.start()
    for feeder in feeders:
        feeder.join()
    assert child.wait() == 0
    return path


def _feed(fd: int, parts: Iterator[NDArray[np.generic]]) -> None:
    with open(fd, "wb") as pipe:
        for part in parts:
            pipe.write(part.tobytes())


def numbers(path: Path) -> list[tuple[float, int]]:
    """When each picture is shown, in ms, and its number."""
    found = []
    with VideoFrames(path, probed(path), Wanted(WIDE, HIGH, "gray", WIDE * HIGH)) as frames:
        for frame in frames:
            rows = frame.data.reshape(HIGH, WIDE)[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK]
            bits = rows.ravel()[:_BITS] > 120
            found.append((frames.ms(frame.ticks), int(bits @ (1 << np.arange(_BITS)))))
    return found


def clicks(path: Path) -> NDArray[np.float64]:
    """When each click is heard: the place where the sound is most like one, in samples."""
    found: list[int] = []
    before = np.zeros(4 * len(_CLICK))
    at = -len(before)
    with audio_blocks(path, probed(path), sample_rate_hz=RATE, channels=1) as blocks:
        for block in blocks:
            heard = np.concatenate([before, block[:, 0]])
            loud = np.flatnonzero(np.abs(heard[len(_CLICK) : -2 * len(_CLICK)]) > 0.3)
            for group in np.split(loud, np.flatnonzero(np.diff(loud) > len(_CLICK)) + 1):
                if len(group):
                    around = heard[group[0] : group[0] + 3 * len(_CLICK)]
                    found.append(at + group[0] + int(np.argmax(np.correlate(around, _CLICK))))
            at, before = at + len(block), heard[-len(before) :]
    return np.array(sorted(set(found)), float)
