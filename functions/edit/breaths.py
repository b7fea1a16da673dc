"""Breaths: between words, softer than speech, louder than the room, and noise rather than voice.

    where      in each pause of at least 100 ms between two words
    loud       8 LU above the room (the 10th percentile from 3 s before to 3 s behind the pause)
    soft       8 LU below the recording's loudness throughout, the mean probability of speech below 0.6
    long       100 to 900 ms
    noise      its spectrum is flat, by the spectral flatness of Gray and Markel ("A spectral-flatness
               measure for studying the autocorrelation method of linear prediction of speech
               analysis", IEEE ASSP 22, 1974): the geometric by the arithmetic mean of its power

Levels come from ``audio_activity``, the spectrum from the sound. A breath that is as loud as speech
stays; so does one before the first word or behind the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from functions.edit.cut_points import Gone, Sound, cut_between
from functions.edit.silences import voice_bins
from shared.contracts.audio_activity import AudioActivity
from shared.contracts.edit_list import Edit
from shared.contracts.spoken_word import SpokenWord
from shared.editing.edit_lists import new_edit
from shared.sound.levels import BIN_MS
from shared.sound.levels import runs as runs_of

_LEAST_MS, _MOST_MS = 100.0, 900.0
"""Of a breath; wider limits take clicks and rustling for some."""
_ABOVE_ROOM_LU, _BELOW_SPEECH_LU = 8.0, 8.0
"""The more of either, the fewer breaths; with less of the first the room's own rustle is one, with less of
the second the end of a word."""
_ROOM_PERCENTILE, _NEAR_BINS = 10, 300
"""Of 10 ms steps beside the pause, 3 s on either side: rooms and microphones change."""
_VOICE = 0.6
"""Mean probability of speech from which on it is none: voice activity goes on a while behind a word."""
_NOISY, _TONAL = 0.35, 0.1
"""Flatness of its spectrum from 300 Hz to 6 kHz: of a breath, and of what is no breath."""
_BAND_HZ = (300, 6000)


def breaths(activity: AudioActivity, sound: Sound, words: Sequence[SpokenWord]) -> Iterator[Edit]:
    """Each breath between two words, cut: in order, with 0 to 1 for how surely it is noise, above 0.

    Nothing in a recording without loudness. Words may overlap: a pause is where nobody speaks.
    """
    level = activity.level_lufs.values()
    loud = activity.heard.integrated_lufs
    if loud is None:
        return
    voice = voice_bins(activity, len(level))
    reached = 0.0
    ordered = sorted(words, key=lambda word: word.start_ms)
    for before, after in pairwise(ordered):
        reached = max(reached, before.end_ms)
        first, last = int(-(-reached // BIN_MS)), after.start_ms // BIN_MS
        if last - first < _LEAST_MS / BIN_MS:
            continue
        near = level[max(first - _NEAR_BINS, 0) : last + _NEAR_BINS]
        room = float(np.percentile(near, _ROOM_PERCENTILE))
        heard = level[first:last] > room + _ABOVE_ROOM_LU
        for begin, end in runs_of(heard):
            here = slice(first + begin, first + end)
            start_ms, end_ms = float(here.start * BIN_MS), float(here.stop * BIN_MS)
            soft = level[here].max() < loud - _BELOW_SPEECH_LU and voice[here].mean() < _VOICE
            if not (soft and _LEAST_MS <= end_ms - start_ms <= _MOST_MS):
                continue
            if (surely := _noisy(sound.part(sound.at(start_ms), sound.at(end_ms)), sound)) > 0:
                cut = cut_between(sound, Gone(reached, start_ms, end_ms, after.start_ms))
                yield new_edit("cut", "breath", cut, surely)


def _noisy(part: NDArray[np.float64], sound: Sound) -> float:
    """How surely it is noise, 0 to 1: its spectrum's geometric mean by its mean, 20 ms at a time.

    ``part``: ``(samples,)``. Its power is averaged over the pieces of 20 ms (Hann windows, without overlap)
    before both means are taken over 300 Hz to 6 kHz, for a single piece of noise has a ragged spectrum. 0
    for less than 20 ms. Digital silence is flat, too: levels tell it from a breath.
    """
    size = sound.sample_rate_hz // 50
    whole = part[: len(part) // size * size].reshape(-1, size)
    if not len(whole):
        return 0.0
    power = np.abs(np.fft.rfft(whole * np.hanning(size))) ** 2
    hz = np.fft.rfftfreq(size, 1 / sound.sample_rate_hz)
    band = power[:, (hz >= _BAND_HZ[0]) & (hz <= _BAND_HZ[1])].mean(axis=0) + 1e-12
    flatness = float(np.exp(np.log(band).mean()) / band.mean())
    return float(np.clip((flatness - _TONAL) / (_NOISY - _TONAL), 0, 1))
