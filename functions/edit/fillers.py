"""Fillers: words that only fill a pause, and voice without a word that sounds like one.

    written     the recogniser wrote "um": it goes, as surely as it was recognised or as it sounds
    unwritten   voice between words, 130 to 1,500 ms, that is held
    mistaken    a short word between pauses that is held ("in" for an "uh"): by default a proposal

Held is what a filler's sound is: nothing moves in the mouth. Voicing goes on throughout (frames that
repeat themselves at a voice's period), and the spectrum's shape hardly changes; Goto, Itou and
Hayamizu tell filled pauses by such signs ("A real-time filled pause detection system for spontaneous
speech recognition", Eurospeech 1999, small changes of pitch and of the spectral envelope). "Um", which
closes on its way, and a short word that is drawn out lie between held and moving, hence a confidence
and no verdict. What was found, and in how little speech: docs/cut.md, what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from functions.edit.cut_points import Gone, Sound, cut_between
from functions.edit.silences import voice_bins
from functions.edit.spoken_phrases import letters_of
from functions.edit.word_cuts import cut_words
from shared.contracts.audio_activity import AudioActivity
from shared.contracts.edit_list import Edit
from shared.contracts.spoken_word import SpokenWord
from shared.editing.edit_lists import new_edit
from shared.sound.levels import BIN_MS
from shared.sound.levels import runs as runs_of

_HUM = ("hm", "hmm", "hmmm", "mm", "mmm")
FILLERS: Mapping[str, tuple[str, ...]] = {
    "en": ("um", "umm", "uh", "uhh", "uhm", "er", "erm", "ehm", *_HUM),
    "de": ("äh", "ähh", "ähm", "öh", "öhm", "ehm", *_HUM),
    "fr": ("euh", "euhm", "heu", *_HUM),
    "es": ("eh", "ehm", "em", *_HUM),
    "it": ("ehm", "uhm", *_HUM),
    "pt": ("hum", "ahn", "hã", *_HUM),
    "nl": ("eh", "ehm", "uh", "uhm", *_HUM),
    "sv": ("eh", "öh", "öhm", *_HUM),
    "da": ("øh", "øhm", *_HUM),
    "no": ("eh", "øh", "ehm", *_HUM),
    "pl": ("yyy", "eee", "ehm", *_HUM),
    "ru": ("э", "ээ", "эээ", "эм", "эмм", "мм", "ммм"),
    "ja": ("えっと", "えーと", "ええと", "えー", "うーん"),
}
"""Language -> what nobody means to say. What is also a word there ("um" in German) is not among them."""

_VOICE = 0.35
"""Probability of speech from which on 10 ms are voice: higher loses soft fillers, lower takes in noise."""
_LEAST_MS, _MOST_MS = 130.0, 1500.0
"""So long is a filler that nobody wrote; what is longer is rather speech that was passed over."""
_FROM_WORD_MS = 30.0
"""Voice that begins nearer behind a word is that word's end."""
_BELOW_SPEECH_LU = 22.0
"""Voice that is softer than this below the recording's loudness counts as the room's."""
_HELD_MS, _HELD_PAUSE_MS, _HELD_LETTERS = 280, 80, 4
"""Of a mistaken word: at least so long, with at least such pauses, and no more letters."""
_HELD_SURELY, _HELD_LEAST = 0.45, 0.8
"""The most confidence of a mistaken word, below the default of ``least_confidence``; and how much it must
be held to be told at all, 0 to 1."""
_FRAME_MS, _HOP_MS = 40, 10
"""Of what is looked at: two periods of the lowest voice fit into a frame."""
_LOWEST_HZ, _HIGHEST_HZ = 60, 400
"""Of a speaking voice's pitch."""
_PERIODIC, _PERIODIC_SHARE = 0.55, 0.6
"""A frame whose autocorrelation is higher is voiced; so many frames of a held sound are, at least."""
_STEADY_DB, _MOVING_DB = 2.5, 7.5
"""The mean distance of its spectrum from its own mean: of a held vowel, and of a word. Between them lies
"um", and lie words that the recogniser passed over: no more than a proposal."""


def hesitations(
    activity: AudioActivity, sound: Sound, words: Sequence[SpokenWord]
) -> Iterator[Edit]:
    """Voice between words that is held: voiced throughout, its spectrum hardly moving.

    Cuts in order, each with the confidence ``held * sqrt(mean probability of speech)``, above 0. Nothing
    where the recording is silent, or where nobody could tell voice.
    """
    level = activity.level_lufs.values()
    loud = activity.heard.integrated_lufs
    if activity.voice is None or loud is None:
        return
    voice = voice_bins(activity, len(level))
    heard = (voice >= _VOICE) & (level > loud - _BELOW_SPEECH_LU)
    for low_ms, high_ms in _gaps(words, sound):
        first, last = int(-(-low_ms // BIN_MS)), int(high_ms // BIN_MS)
        for begin, end in runs_of(heard[first:last]):
            start_ms, end_ms = (float((first + at) * BIN_MS) for at in (begin, end))
            beside = start_ms - low_ms < _FROM_WORD_MS and low_ms > 0
            if beside or not _LEAST_MS <= end_ms - start_ms <= _MOST_MS:
                continue  # a word's end that rings on, or more than a filler
            voiced = float(voice[first + begin : first + end].mean())
            if (surely := _held(sound, start_ms, end_ms) * voiced**0.5) > 0:
                cut = cut_between(sound, Gone(low_ms, start_ms, end_ms, high_ms))
                yield new_edit("cut", "filler", cut, surely)


def held_words(sound: Sound, words: Sequence[SpokenWord], passed: frozenset[int]) -> Iterator[Edit]:
    """Short words that are held between two pauses: recognisers write "in" or "the" for an "uh".

    They are told as less sure than anything else, for somebody may have meant them. ``passed``: places of
    words that are fillers already. Before the first word all of the recording's beginning is pause; behind
    the last one as much as before it.
    """
    for at, word in enumerate(words):
        before_ms = word.start_ms - (words[at - 1].end_ms if at else 0)
        after_ms = words[at + 1].start_ms - word.end_ms if at + 1 < len(words) else before_ms
        apart = min(before_ms, after_ms) >= _HELD_PAUSE_MS
        short = sum(map(str.isalnum, letters_of(word.text))) <= _HELD_LETTERS
        if at in passed or not (apart and short and word.end_ms - word.start_ms >= _HELD_MS):
            continue
        held = _held(sound, word.start_ms, word.end_ms)
        if held < _HELD_LEAST:
            continue
        edit = cut_words(sound, words, at, at + 1, "filler", _HELD_SURELY * held)
        if edit is not None:
            yield edit


def surely_filler(sound: Sound, words: Sequence[SpokenWord]) -> float:
    """How surely words that are written as fillers are some, 0 to 1: as sure as the recogniser is, or as it
    sounds like one; it seldom hears a held vowel and is sure of its spelling. Of several, the least sure.
    """
    return min(
        max(math.sqrt(word.probability), _held(sound, word.start_ms, word.end_ms)) for word in words
    )


def _gaps(words: Sequence[SpokenWord], sound: Sound) -> Iterator[tuple[float, float]]:
    """Where no word is said for 130 ms or more, in ms, in order; words may overlap."""
    end_ms = sound.ms(sound.length)
    edges = [(0.0, 0.0), *sorted((w.start_ms, w.end_ms) for w in words), (end_ms, end_ms)]
    reached = 0.0
    for one, other in pairwise(edges):
        reached = max(reached, one[1])
        if other[0] - reached >= _LEAST_MS:
            yield float(reached), float(other[0])


def _held(sound: Sound, start_ms: float, end_ms: float) -> float:
    """How surely it is one held sound, 0 to 1: the share of voiced frames times how little it moves.

    0 for less than 60 ms (three frames), and where fewer than 60 % of the frames are voiced.
    """
    part = sound.part(sound.at(start_ms), sound.at(end_ms))
    frames = _frames(part, sound.sample_rate_hz)
    if len(frames) < 3:
        return 0.0
    share = float((_periodicity(frames, sound.sample_rate_hz) > _PERIODIC).mean())
    if share < _PERIODIC_SHARE:
        return 0.0
    moving = (_movement_db(frames, sound.sample_rate_hz) - _STEADY_DB) / (_MOVING_DB - _STEADY_DB)
    return share * float(np.clip(1 - moving, 0, 1))


def _frames(part: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """``(frames, samples)``, each 40 ms, every 10 ms, as a view of ``part``, ``(samples,)``; no row where
    it is shorter than one."""
    size, hop = rate_hz * _FRAME_MS // 1000, rate_hz * _HOP_MS // 1000
    if len(part) < size:
        return np.zeros((0, size))
    return np.lib.stride_tricks.sliding_window_view(part, size)[::hop]


def _periodicity(frames: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """The highest normalised autocorrelation at a voice's periods, of each frame: ``(frames,)``, about 1 for
    what repeats itself exactly, 0 for silence.

    By Fourier transform, padded so that nothing wraps around; divided by the power at lag 0 and by the
    share of the frame that still overlaps (the unbiased estimate), so that low voices don't lose.
    """
    centred = frames - frames.mean(axis=1, keepdims=True)
    size = 2 * frames.shape[1]
    power = np.abs(np.fft.rfft(centred, size)) ** 2
    lags = np.fft.irfft(power, size)[:, : frames.shape[1]]
    overlap = 1 - np.arange(frames.shape[1]) / frames.shape[1]
    normal = lags / np.maximum(lags[:, :1] * np.maximum(overlap, 0.25), 1e-12)
    return np.asarray(normal[:, rate_hz // _HIGHEST_HZ : rate_hz // _LOWEST_HZ + 1].max(axis=1))


def _movement_db(frames: NDArray[np.float64], rate_hz: int) -> float:
    """How far the spectrum's shape is from its own mean, in dB; bands of a third of an octave.

    Thirteen bands from 200 Hz to 4 kHz, where vowels differ; what is 40 dB below a frame's loudest band
    counts as that, and each frame's own level is taken out: a sound that fades but stays one vowel does
    not move. The result is the mean of absolute differences over frames and bands.
    """
    power = np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]))) ** 2
    hz = np.fft.rfftfreq(frames.shape[1], 1 / rate_hz)
    edges = 200 * 2 ** (np.arange(14) / 3)
    bands = np.stack(
        [power[:, (hz >= low) & (hz < high)].sum(axis=1) for low, high in pairwise(edges)], axis=1
    )
    level = 10 * np.log10(bands + 1e-9)
    level = np.maximum(level, level.max(axis=1, keepdims=True) - 40)
    shape = level - level.mean(axis=1, keepdims=True)
    return float(np.abs(shape - shape.mean(axis=0)).mean())
