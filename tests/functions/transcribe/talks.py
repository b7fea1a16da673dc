"""Talks put together from readings, in which it is known who speaks when; and the error of who is told."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from shared.sound.speech import find_voiced
from tests.functions.transcribe.harness import REAL_MEDIA
from tests.functions.transcribe.sounds import RATE_HZ, Samples
from tests.functions.transcribe.timed import sounding

READERS = {
    "LJ": ("lj_LJ001-0001", "lj_LJ001-0003", "lj_LJ001-0004", "lj_LJ001-0005", "lj_LJ001-0007"),
    "sonnet": ("sonnet1",),
    "Kennedy": ("jfk",),
    "Austen": ("ps_0870", "ps_0880"),
    "116": ("dlib_libri116",),
}
_STEP_S = 0.01
COLLAR_S = 0.25
"""Around each border of the truth nothing is judged, as is usual (NIST's md-eval)."""


@dataclass(frozen=True)
class Turn:
    """Who speaks, ``[start_s, end_s)``."""

    speaker: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Talk:
    sound: Samples
    turns: Sequence[Turn]


@cache
def voice_of(reader: str) -> Samples:
    """All that a reader reads, at one level."""
    from faster_whisper.audio import decode_audio

    parts = []
    for name in READERS[reader]:
        truth = json.loads((REAL_MEDIA / "truth" / "transcript" / f"{name}.json").read_text())
        parts.append(sounding(decode_audio(str(REAL_MEDIA / truth["file"]))))
    whole = np.concatenate(parts)
    return np.asarray(whole * np.float32(0.08 / np.sqrt(np.square(whole).mean())))


def talk(speakers: int, seed: int, length_s: float = 90, overlaps: float = 0.5) -> Talk:
    """The first ``speakers`` readers in turns of 1 to 20 s; ``overlaps`` of the changes are one, of a tenth
    to a third of the turn before.
    """
    draw = random.Random(seed)
    names = list(READERS)[:speakers]
    sound = np.zeros(round((length_s + 25) * RATE_HZ), np.float32)
    turns: list[Turn] = []
    at_s, last = 0.5, ""
    while at_s < length_s:
        name = draw.choice([each for each in names if each != last])
        voice = voice_of(name)
        wanted = round(np.exp(draw.uniform(*np.log((1, 20)))) * RATE_HZ)
        first = draw.randrange(max(1, len(voice) - wanted))
        part = sounding(voice[first : first + wanted])
        begin = round(at_s * RATE_HZ)
        sound[begin : begin + len(part)] += part
        turns += _spoken(name, at_s, part)
        long_s = len(part) / RATE_HZ
        lap_s = min(draw.uniform(0.1, 0.35) * long_s, 3.0)
        at_s += long_s + (-lap_s if draw.random() < overlaps else draw.uniform(0.1, 0.8))
        last = name
    end_s = max(turn.end_s for turn in turns) + 0.5
    noise = 0.0005 * np.random.default_rng(seed).standard_normal(len(sound))
    return Talk((sound + noise.astype(np.float32))[: round(end_s * RATE_HZ)], turns)


def _spoken(name: str, at_s: float, part: Samples) -> Iterator[Turn]:
    """Where the reader speaks in a part: a pause of 0.3 s or more is nobody's."""
    for one in find_voiced([part], len(part) * 1000 // RATE_HZ, 300, lambda done: None):
        yield Turn(name, at_s + one.start_ms / 1000, at_s + one.end_ms / 1000)


def diarisation_error(
    truth: Sequence[Turn], told: Sequence[Turn], collar_s: float = COLLAR_S
) -> float:
    """Missed, false and confused speech over all speech, speakers matched for the best."""
    length_s = max(turn.end_s for turn in (*truth, *told)) + 1
    said, heard = _active(truth, length_s), _active(told, length_s)
    judged = np.ones(said.shape[1], bool)
    for turn in truth:
        for edge_s in (turn.start_s, turn.end_s):
            low, high = (max(0, round((edge_s + side) / _STEP_S)) for side in (-collar_s, collar_s))
            judged[low:high] = False
    said, heard = said[:, judged], heard[:, judged]
    both = said.astype(float) @ heard.T.astype(float)
    rows, columns = linear_sum_assignment(-both)
    right = both[rows, columns].sum()
    most = np.maximum(said.sum(axis=0), heard.sum(axis=0)).sum()
    return float((most - right) / said.sum())


def _active(turns: Sequence[Turn], length_s: float) -> NDArray[np.bool_]:
    names = sorted({turn.speaker for turn in turns})
    active = np.zeros((max(1, len(names)), round(length_s / _STEP_S)), bool)
    for turn in turns:
        active[
            names.index(turn.speaker), round(turn.start_s / _STEP_S) : round(turn.end_s / _STEP_S)
        ] = True
    return active
