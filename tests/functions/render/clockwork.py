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
from shared.media.probe import probe

WIDE, HIGH, BLOCK = 48, 32, 8
RATE = 48_000
_BITS = (WIDE // BLOCK) * (HIGH // BLOCK) - 1
_CLICK = np.sin(2 * np.pi * 4_000 * np.arange(48) / RATE) * np.hanning(48)


def picture(number: int, frame_rate: int) -> NDArray[np.uint8]:
    """Luma: blocks that are the number's bits, the last one white in each second's first picture."""
    bits = [(number >> place) & 1 for place in range(_BITS)] + [number % frame_rate == 0]
    blocks = np.array(bits, np.uint8).reshape(HIGH // BLOCK, WIDE // BLOCK) * 200 + 20
    return np.kron(blocks, np.ones((BLOCK, BLOCK), np.uint8))


def sound(second: int) -> NDArray[np.float32]:
    """One second: faint noise, and a click in its first millisecond."""
    made = 0.002 * np.random.default_rng(second).standard_normal(RATE)
    made[:48] += 0.7 * _CLICK
    return made.astype("<f4")


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
        threading.Thread(target=_feed, args=(audio, (sound(n) for n in range(seconds)))),
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
    with VideoFrames(path, probe(path), Wanted(WIDE, HIGH, "gray", WIDE * HIGH)) as frames:
        for frame in frames:
            rows = frame.data.reshape(HIGH, WIDE)[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK]
            bits = rows.ravel()[:_BITS] > 120
            found.append((frames.ms(frame.ticks), int(bits @ (1 << np.arange(_BITS)))))
    return found


def clicks(path: Path) -> NDArray[np.float64]:
    """When each click is heard: the place where the sound is most like one, in samples."""
    found: list[int] = []
    before = np.zeros(len(_CLICK) - 1)
    at = 1 - len(_CLICK)
    with audio_blocks(path, probe(path), sample_rate_hz=RATE, channels=1) as blocks:
        for block in blocks:
            heard = np.concatenate([before, block[:, 0]])
            alike = np.convolve(heard, _CLICK[::-1], "valid")
            places = np.flatnonzero(alike > 0.35 * (_CLICK @ _CLICK))
            if len(places):
                groups = np.split(places, np.flatnonzero(np.diff(places) > RATE // 100) + 1)
                found += [at + int(group[np.argmax(alike[group])]) for group in groups]
            at, before = at + len(block), heard[1 - len(_CLICK) :]
    return np.array(found, float)
