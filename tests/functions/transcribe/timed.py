"""Speech in which it is known, to the sample, when each word begins and ends.

spliced     words by espeak-ng, each cut to where it sounds, with pauses between them
continuous  sentences by espeak-ng, whose library tells where each word begins
joined      readings by people, each cut to where it sounds: of the first and last words alone
"""

from __future__ import annotations

import ctypes
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import soxr

from tests.functions.transcribe.harness import REAL_MEDIA
from tests.functions.transcribe.sounds import RATE_HZ, Samples, silence, spoken

SENTENCES = (
    "The old man walked slowly down the street and looked at every house.",
    "She opened every window because our room was very warm yesterday evening.",
    "Nobody knows how many people came to see the show last night.",
    "We should take another train tomorrow morning if this weather stays good.",
    "He left his letter next to that lamp and went straight home.",
    "Children often ask simple questions which are hard to answer.",
    "Cold water filled our lake but bright sun made everything warm.",
    "My brother bought two small boats near their old sea house.",
)
"""Of words that any model knows; espeak-ng runs none of them together."""
_SOUNDS = 0.01
"""Of the loudest sample, -40 dB: below it there is nothing of a word."""


@dataclass(frozen=True)
class TimedWord:
    """A word, and where it is; ``nan``: not known."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Timed:
    """A sound, its words in order, and where nobody speaks."""

    sound: Samples
    words: Sequence[TimedWord]
    pauses_s: Sequence[tuple[float, float]]


def sounding(samples: Samples) -> Samples:
    """Cut to where it sounds."""
    loud = np.flatnonzero(np.abs(samples) > _SOUNDS * np.abs(samples).max())
    return np.asarray(samples[loud[0] : loud[-1] + 1])


def spliced(seed: int, pauses_ms: tuple[int, int], noise_db: float = -60) -> Timed:
    """Every sentence word by word, with pauses of ``pauses_ms`` between the words."""
    draw = random.Random(seed)
    parts, words, pauses = [silence(0.6)], list[TimedWord](), [(0.0, 0.6)]
    at_s = 0.6
    for sentence in SENTENCES:
        for text in sentence.split():
            word = sounding(spoken(text.strip(".")))
            end_s = at_s + len(word) / RATE_HZ
            words.append(TimedWord(text, at_s, end_s))
            pause = silence(draw.uniform(*pauses_ms) / 1000 + (0.5 if text.endswith(".") else 0))
            parts += [word, pause]
            at_s = end_s + len(pause) / RATE_HZ
            pauses.append((end_s, at_s))
    return Timed(_with_noise(np.concatenate(parts), noise_db), words, pauses)


def continuous(noise_db: float = -60) -> Timed:
    """Every sentence as it is spoken; a word ends where the next begins, the last one's end is known."""
    parts, words, pauses = [silence(0.6)], list[TimedWord](), [(0.0, 0.6)]
    at_s = 0.6
    for sentence in SENTENCES:
        sound, starts_s = _said(sentence)
        loud = np.flatnonzero(np.abs(sound) > _SOUNDS * np.abs(sound).max())
        first_s, last_s = loud[0] / RATE_HZ, (loud[-1] + 1) / RATE_HZ
        edges = [first_s, *starts_s[1:], last_s]
        for text, (low, high) in zip(sentence.split(), pairwise(edges), strict=True):
            words.append(TimedWord(text, at_s + low - first_s, at_s + high - first_s))
        parts += [sound[loud[0] : loud[-1] + 1], silence(0.7)]
        pauses.append((at_s + last_s - first_s, at_s + last_s - first_s + 0.7))
        at_s += last_s - first_s + 0.7
    return Timed(_with_noise(np.concatenate(parts), noise_db), words, pauses)


def joined(least_s: float, seed: int = 1) -> Timed:
    """Readings by people one after another, some more than once, with pauses of 0.3 to 1.5 s."""
    draw, read = random.Random(seed), readings()
    parts, words, pauses, at_s = [silence(0.6)], list[TimedWord](), [(0.0, 0.6)], 0.6
    while at_s < least_s:
        for sound, said in draw.sample(read, len(read)):
            end_s = at_s + len(sound) / RATE_HZ
            inner = [TimedWord(text, math.nan, math.nan) for text in said[1:-1]]
            words += [
                TimedWord(said[0], at_s, math.nan),
                *inner,
                TimedWord(said[-1], math.nan, end_s),
            ]
            pause = silence(draw.uniform(0.3, 1.5))
            parts += [sound, pause]
            at_s = end_s + len(pause) / RATE_HZ
            pauses.append((end_s, at_s))
    return Timed(np.concatenate(parts), words, pauses)


@cache
def readings() -> list[tuple[Samples, list[str]]]:
    """The short ones, cut to where they sound, at one level."""
    from faster_whisper.audio import decode_audio

    found = []
    for path in sorted((REAL_MEDIA / "truth" / "transcript").glob("*.json")):
        truth = json.loads(path.read_text())
        sound = sounding(decode_audio(str(REAL_MEDIA / truth["file"])))
        if len(sound) < 12 * RATE_HZ:
            found.append((sound * np.float32(0.5 / np.abs(sound).max()), truth["text"].split()))
    return found


def _with_noise(sound: Samples, noise_db: float) -> Samples:
    """No room is silent: white noise so far below full scale."""
    drawn = np.random.default_rng(7).standard_normal(len(sound))
    return np.asarray(sound + 10 ** (noise_db / 20) * drawn, np.float32)


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@cache
def _said(text: str) -> tuple[Samples, list[float]]:
    """The sound, and where each word begins in s: espeak-ng's library says both to a callback."""
    library = ctypes.CDLL("libespeak-ng.so.1")
    rate_hz = library.espeak_Initialize(2, 0, None, 0)  # AUDIO_OUTPUT_SYNCHRONOUS
    sound: list[np.ndarray] = []
    starts_s: list[float] = []

    def heard(wave: ctypes._Pointer[ctypes.c_short], count: int, events: Sequence[_Event]) -> int:
        if count > 0:
            sound.append(np.ctypeslib.as_array(wave, (count,)).copy())
        starts_s.extend(event.sample / rate_hz for event in _until_end(events) if event.type == 1)
        return 0

    library.espeak_SetSynthCallback(callback := _Callback(heard))
    library.espeak_SetVoiceByName(b"en-us")
    library.espeak_SetParameter(1, 150, 0)  # words a minute
    spoken_text = text.encode()
    library.espeak_Synth(spoken_text, len(spoken_text) + 1, 0, 1, 0, 1, None, None)
    library.espeak_Synchronize()
    del callback
    samples = np.concatenate(sound).astype(np.float32) / 32768
    length_s = len(samples) / rate_hz
    return soxr.resample(samples, rate_hz, RATE_HZ), [at for at in starts_s if at < length_s]


def _until_end(events: Sequence[_Event]) -> Iterator[_Event]:
    index = 0
    while events[index].type != 0:
        yield events[index]
        index += 1
