"""Make the demo's clip: twenty seconds of speech, drums and a chord, under a moving portrait.

    python -m infra.demo.make_clip OUT.mp4

Needs ffmpeg, espeak-ng and scikit-image. The portrait is NASA's of the astronaut Eileen Collins
(public domain), as scikit-image carries it; everything heard is synthesised here.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 44_100
LENGTH_S = 20.0
BPM = 120
DRUMS_AT_S = 4.0
DRUM_BARS = 4
CHORD_AT_S = 12.0

Samples = NDArray[np.float32]

SPEECH = (
    (0.3, "Hello. Here is a beat to cut into samples."),
    (16.0, "And that was music. Now try your own recording."),
)


def decaying(length_s: float, decay_s: float) -> Samples:
    """An envelope that falls to 1/e in ``decay_s``."""
    time_s = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
    return np.exp(-time_s / decay_s).astype(np.float32)


def kick() -> Samples:
    """A sine that falls from 150 to 50 Hz."""
    envelope = decaying(0.35, 0.09)
    frequency_hz = 50 + 100 * decaying(0.35, 0.03)
    return np.sin(2 * np.pi * np.cumsum(frequency_hz) / RATE_HZ).astype(np.float32) * envelope


def snare(noise: np.random.Generator) -> Samples:
    """Noise over a short 190 Hz tone."""
    envelope = decaying(0.25, 0.06)
    time_s = np.arange(len(envelope)) / RATE_HZ
    tone = np.sin(2 * np.pi * 190 * time_s)
    return ((0.6 * noise.standard_normal(len(envelope)) + 0.4 * tone) * envelope).astype(np.float32)


def hat(noise: np.random.Generator) -> Samples:
    """Noise without its low part."""
    envelope = decaying(0.08, 0.015)
    return (np.diff(noise.standard_normal(len(envelope) + 1)) * 0.4 * envelope).astype(np.float32)


def add(track: Samples, at_s: float, sound: Samples, gain: float) -> None:
    """Mix ``sound`` into ``track``, in place."""
    start = round(at_s * RATE_HZ)
    part = sound[: max(0, len(track) - start)]
    track[start : start + len(part)] += gain * part


def drums() -> Samples:
    """Four bars: kick on one and three, snare on two and four, hats on the eighths."""
    noise = np.random.default_rng(7)
    beat_s = 60 / BPM
    track = np.zeros(round(LENGTH_S * RATE_HZ), np.float32)
    for beat in range(4 * DRUM_BARS):
        at_s = DRUMS_AT_S + beat * beat_s
        add(track, at_s, kick() if beat % 2 == 0 else snare(noise), 0.7)
        for eighth in (0.0, 0.5):
            add(track, at_s + eighth * beat_s, hat(noise), 0.25)
    return track


def chord() -> Samples:
    """A minor, swelling and falling over three seconds and a half."""
    time_s = np.arange(int(3.5 * RATE_HZ)) / RATE_HZ
    swell = np.sin(np.pi * time_s / 3.5) ** 2
    notes = sum(np.sin(2 * np.pi * hz * time_s) for hz in (220.0, 261.63, 329.63))
    return (0.12 * swell * notes).astype(np.float32)


def speech(text: str, folder: Path) -> Samples:
    """What espeak-ng makes of a text, at the clip's rate."""
    spoken, resampled = folder / "spoken.wav", folder / "resampled.wav"
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "-w", spoken, text], check=True)
    to_rate = ["-ar", str(RATE_HZ), "-ac", "1", str(resampled)]
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(spoken), *to_rate], check=True)
    samples, _ = soundfile.read(resampled, dtype="float32")
    return np.asarray(samples)


def sound(folder: Path) -> Samples:
    """The whole sound track, (samples,)."""
    track = drums()
    add(track, CHORD_AT_S, chord(), 1.0)
    for at_s, text in SPEECH:
        add(track, at_s, speech(text, folder), 0.8)
    return np.clip(track, -0.99, 0.99)


def main(out: Path) -> None:
    """Write the clip to ``out``."""
    from skimage.data import astronaut
    from skimage.io import imsave

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        soundfile.write(folder / "sound.wav", sound(folder), RATE_HZ)
        imsave(folder / "portrait.png", astronaut())  # type: ignore[no-untyped-call]
        pan = "scale=480:-1,crop=320:240:x='80+70*sin(t/2)':y='20+20*sin(t/3)',format=yuv420p"
        picture = ["-loop", "1", "-framerate", "25", "-i", str(folder / "portrait.png")]
        codecs = ["-c:v", "libx264", "-crf", "30", "-threads", "1", "-c:a", "aac", "-b:a", "96k"]
        subprocess.run(
            [
                *("ffmpeg", "-v", "error", "-y", *picture, "-i", str(folder / "sound.wav")),
                *("-vf", pan, "-t", str(LENGTH_S), *codecs),
                *(
                    "-map_metadata",
                    "-1",
                    "-fflags",
                    "+bitexact",
                    "-movflags",
                    "+faststart",
                    str(out),
                ),
            ],
            check=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
