"""Who speaks when: voice activity of the mix, or of each channel where speakers are told apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.media.vad import RATE_HZ, SpeechSpan, speech_probabilities, speech_spans
from shared.sound.hearing import Heard
from shared.sound.music import music_scores

Floats = NDArray[np.float32]

_BIN_MS = 10
_BIN_SAMPLES = RATE_HZ * _BIN_MS // 1000
_PAD_MS = 100
_SHORT_MS = 600
_DOUBTFUL = 0.72
"""A short stretch less sure than this, amid music, is an instrument."""
_AROUND_MS = 3_000
_LEAST_TURN_MS = 200


@dataclass(frozen=True)
class Voiced:
    """Where somebody speaks, in ms, and on which of several channels that are told apart."""

    start_ms: int
    end_ms: int
    confidence: float
    voice: int = 0


def find_voiced(
    voices: Sequence[Floats],
    duration_ms: int,
    min_silence_ms: int,
    progress: Callable[[float], None],
) -> list[Voiced]:
    """All speech of ``voices`` (16 kHz), in order and without overlap, on a grid of 10 ms.

    Of several channels at once the loudest counts, for one microphone also hears the other speaker.
    """
    voiced: list[Voiced] = []
    count = len(voices)
    for index, voice in enumerate(voices):
        probability = speech_probabilities(voice)
        progress((index + 1) / count)
        voiced += voiced_spans(probability, len(voice), duration_ms, min_silence_ms, voice=index)
    if count > 1:
        voiced = _turns(voices, duration_ms, voiced)
    return voiced


def voiced_spans(
    probability: Floats, samples: int, duration_ms: int, min_silence_ms: int, *, voice: int = 0
) -> list[Voiced]:
    """The speech of one voice of ``samples`` at 16 kHz, by its probability in each 32 ms."""
    pad_ms = min(_PAD_MS, min_silence_ms // 4)
    found = speech_spans(probability, samples, min_silence_ms=min_silence_ms, pad_ms=pad_ms)
    return [_on_grid(span, voice, duration_ms) for span in found]


def without_instruments(voiced: Sequence[Voiced], heard: Heard) -> list[Voiced]:
    """Without what a short and doubtful stretch amid music is."""
    sure = [one for one in voiced if not _doubtful(one)]
    return [one for one in voiced if not (_doubtful(one) and _amid_music(heard, one, sure))]


def _on_grid(span: SpeechSpan, voice: int, duration_ms: int) -> Voiced:
    start = span.start // _BIN_SAMPLES * _BIN_MS
    end = min(-(-span.stop // _BIN_SAMPLES) * _BIN_MS, duration_ms)
    return Voiced(start, end, span.confidence, voice)


def _turns(voices: Sequence[Floats], duration_ms: int, voiced: Sequence[Voiced]) -> list[Voiced]:
    """Who has the floor, where several voices are active."""
    bins = -(-duration_ms // _BIN_MS)
    level = np.full((len(voices), bins), -1.0)
    sure = np.zeros((len(voices), bins))
    for one in voiced:
        part = slice(one.start_ms // _BIN_MS, -(-one.end_ms // _BIN_MS))
        level[one.voice, part] = _levels(voices[one.voice], part)
        sure[one.voice, part] = one.confidence
    owner = np.where(level.max(axis=0) < 0, -1, level.argmax(axis=0))
    edges = [0, *(np.flatnonzero(np.diff(owner)) + 1).tolist(), bins]
    turns: list[Voiced] = []
    for first, last in pairwise(edges):
        voice = int(owner[first])
        end_ms = min(last * _BIN_MS, duration_ms)
        if voice < 0:
            continue
        if (
            (last - first) * _BIN_MS < _LEAST_TURN_MS
            and turns
            and turns[-1].end_ms == first * _BIN_MS
        ):
            voice = turns[-1].voice
        one = Voiced(first * _BIN_MS, end_ms, float(sure[voice, first:last].mean()), voice)
        if turns and turns[-1].voice == voice and turns[-1].end_ms == one.start_ms:
            one = Voiced(turns[-1].start_ms, one.end_ms, turns.pop().confidence, voice)
        turns.append(one)
    return turns


def _levels(voice: Floats, part: slice) -> NDArray[np.float64]:
    """Mean square of each 10 ms of ``part``, over 310 ms around: nobody takes over between syllables."""
    samples = np.asarray(voice[part.start * _BIN_SAMPLES : part.stop * _BIN_SAMPLES], np.float64)
    wanted = (part.stop - part.start) * _BIN_SAMPLES
    power = np.pad(samples**2, (0, wanted - len(samples))).reshape(-1, _BIN_SAMPLES).mean(axis=1)
    return np.convolve(np.pad(power, 15, mode="edge"), np.full(31, 1 / 31), "valid")


def _doubtful(one: Voiced) -> bool:
    return one.end_ms - one.start_ms < _SHORT_MS and one.confidence < _DOUBTFUL


def _amid_music(heard: Heard, one: Voiced, sure: Sequence[Voiced]) -> bool:
    """Is most of what is heard within 3 s of it music? Vowels have tones, too: who surely speaks is none."""
    low_ms = max(0, one.start_ms - _AROUND_MS)
    high_ms = min(heard.levels.duration_ms, one.end_ms + _AROUND_MS)
    scores = music_scores(heard.features, heard.tracks, low_ms / 1000, high_ms / 1000)
    middles_ms = low_ms + (np.arange(len(scores)) + 0.5) * (high_ms - low_ms) / len(scores)
    near = (other for other in sure if other.start_ms < high_ms and other.end_ms > low_ms)
    for other in near:
        scores[(middles_ms >= other.start_ms) & (middles_ms < other.end_ms)] = 0.0
    return bool(scores.mean() > 0.5)
