"""Silences: where it is quiet, and no word is said.

How loud each 10 ms is comes from the recording's activity. What counts as quiet is what counts there,
and where a room is never quiet also what stands no more than a little above its noise while nobody
speaks.

    limit       36 LU below the recording's loudness, from -60 to -45 LUFS
    noise       the 5th percentile of all 10 ms; up to 6 LU above it is quiet, 3 where voice activity
                speaks of voice, if that is 12 LU below the recording; not in music
    or          one level that was asked for, in place of both
    clicks      of less than 30 ms do not part a silence
    words       are taken out of it, however soft they end

Levels are K-weighted (BS.1770-4) and not gated. Where the noise is less than 18 LU below the recording,
little or nothing is soft enough: ``room_too_loud_lufs`` tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from functions.edit.cut_points import Sound, quiet_point
from functions.edit.cut_rules import CutParams
from shared.contracts.audio_activity import AudioActivity
from shared.contracts.edit_list import Edit
from shared.contracts.spoken_word import SpokenWord
from shared.editing.edit_lists import new_edit
from shared.sound.levels import BELOW_PROGRAMME_LU, BIN_MS, LOUDEST_SILENCE_LUFS, QUIETEST_LUFS
from shared.sound.levels import runs as runs_of

Mask = NDArray[np.bool_]

_ABOVE_NOISE_LU, _NOISE_ALONE_LU, _NOISE_PERCENTILE = 6.0, 3.0, 5
"""Noise wavers: less above it parts silences, more takes in breaths and soft sounds."""
_BELOW_SPEECH_LU = 12.0
"""However loud the noise, what is louder than this below the recording's loudness is no silence."""
_VOICE = 0.5
"""Probability of speech from which on there is voice."""
_BLIP_MS = 30
"""A shorter sound within a silence is a click: it does not part it."""
_SNAP_MS = 5.0
"""By so much at most an edge is moved, into the silence, to a quiet zero crossing."""


def silences(
    activity: AudioActivity, sound: Sound, words: Sequence[SpokenWord], params: CutParams
) -> Iterator[Edit]:
    """Each silence of at least ``silence_ms``, as its rule has it: cut, shortened, sped up or muted.

    In order, without overlap, with confidence 1. How long a silence is counts before its padding is
    taken off.
    """
    assert params.silence_ms is not None
    quiet = quiet_bins(activity, params.silence_below_lufs)
    for start_ms, end_ms in _without_words(_stretches(quiet, sound), words):
        if end_ms - start_ms < params.silence_ms:
            continue
        if (edit := _edited(sound, start_ms, end_ms, params)) is not None:
            yield edit


def quiet_bins(activity: AudioActivity, below_lufs: float | None) -> Mask:
    """For each 10 ms: is it silence? ``(bins,)``, words not looked at.

    ``below_lufs``: what is softer is, and nothing else counts; ``None``: by the recording's own loudness
    and noise. Of a recording without loudness (digital silence) all is.
    """
    level = activity.level_lufs.values()
    if below_lufs is not None:
        return np.asarray(level < below_lufs)
    loud = activity.heard.integrated_lufs
    if loud is None:
        return np.ones(len(level), np.bool_)
    limit = min(max(loud - BELOW_PROGRAMME_LU, QUIETEST_LUFS), LOUDEST_SILENCE_LUFS)
    quiet = np.asarray(level < limit)
    noise = float(np.percentile(level, _NOISE_PERCENTILE))
    # Voice activity goes on a while behind a word: where it speaks of voice, only noise alone is quiet.
    above = np.where(_voiced(activity, len(level)), _NOISE_ALONE_LU, _ABOVE_NOISE_LU)
    near_noise = level < np.minimum(noise + above, loud - _BELOW_SPEECH_LU)
    return np.asarray(quiet | (near_noise & ~_music(activity, len(level))))


def room_too_loud_lufs(activity: AudioActivity) -> float | None:
    """How loud the recording's softest parts are (5th percentile, LUFS), where little above them speech
    begins already: less than 18 LU. ``None``: there is room, or nothing is heard at all."""
    level, loud = activity.level_lufs.values(), activity.heard.integrated_lufs
    if loud is None or not len(level):
        return None
    noise = float(np.percentile(level, _NOISE_PERCENTILE))
    return noise if noise + _ABOVE_NOISE_LU > loud - _BELOW_SPEECH_LU else None


def voice_bins(activity: AudioActivity, bins: int) -> NDArray[np.float32]:
    """The probability of speech in each 10 ms, ``(bins,)``, 0 to 1; 0 where nobody could tell.

    Each takes that of the 32 ms in which its middle lies, those behind the last one that of the last.
    """
    if activity.voice is None or not activity.voice.count:
        return np.zeros(bins, np.float32)
    frames = activity.voice.values()
    at = (np.arange(bins) + 0.5) * BIN_MS / activity.voice.step_ms
    return np.asarray(frames[np.minimum(at.astype(int), len(frames) - 1)])


def _voiced(activity: AudioActivity, bins: int) -> Mask:
    return np.asarray(voice_bins(activity, bins) >= _VOICE)


def _music(activity: AudioActivity, bins: int) -> Mask:
    """``(bins,)``: there nearness to the noise makes no silence, only the limit does."""
    found = np.zeros(bins, np.bool_)
    for span in activity.spans:
        if span.kind == "music":
            found[span.start_ms // BIN_MS : -(-span.end_ms // BIN_MS)] = True
    return found


def _stretches(quiet: Mask, sound: Sound) -> Iterator[tuple[float, float]]:
    """Runs of quiet in ms, clicks within them passed over; a silent end of the picture belongs to it."""
    bins = -(-sound.length * 1000 // sound.sample_rate_hz // BIN_MS)
    padded = np.pad(quiet[:bins], (0, max(0, bins - len(quiet))), constant_values=True)
    for first, last in runs_of(~padded):
        inside = first > 0 and last < bins
        if inside and (last - first) * BIN_MS < _BLIP_MS:
            padded[first:last] = True
    end_ms = sound.ms(sound.length)
    for first, last in runs_of(padded):
        yield float(first * BIN_MS), min(float(last * BIN_MS), end_ms)


def _without_words(
    stretches: Iterator[tuple[float, float]], words: Sequence[SpokenWord]
) -> Iterator[tuple[float, float]]:
    """What of them lies in no word: a word's soft end is no silence."""
    ordered = sorted((word.start_ms, word.end_ms) for word in words)
    at = 0
    for first_ms, end_ms in stretches:
        start_ms = first_ms
        while at < len(ordered) and ordered[at][1] <= start_ms:
            at += 1
        ahead = at
        while ahead < len(ordered) and ordered[ahead][0] < end_ms:
            if ordered[ahead][0] > start_ms:
                yield start_ms, float(ordered[ahead][0])
            start_ms = max(start_ms, float(ordered[ahead][1]))
            ahead += 1
        if start_ms < end_ms:
            yield start_ms, end_ms


def _edited(sound: Sound, start_ms: float, end_ms: float, params: CutParams) -> Edit | None:
    """One silence, ``[start_ms, end_ms)``, as its edit; ``None`` where its padding, or what it is shortened
    to, leaves nothing to do (less than 10 ms).

    Padding is taken off inside, at its ends beside sound; so the edit's edges lie in the silence.
    """
    if params.silence_action == "shorten":
        if end_ms - start_ms <= params.silence_to_ms:
            return None
        start, end = sound.at(start_ms), sound.at(end_ms)
        to_ms = sound.ms(sound.at(params.silence_to_ms))
        stretch = (sound.ms(start), sound.ms(end))
        return new_edit("shorten", "silence", stretch, amount=to_ms)
    # Nothing is heard before the recording's beginning and behind its end: no padding there.
    low_ms = start_ms + (params.silence_pad_ms if start_ms > 0 else 0)
    high_ms = end_ms - (params.silence_pad_ms if sound.at(end_ms) < sound.length else 0)
    if high_ms - low_ms < 2 * _SNAP_MS:
        return None
    start = _snapped(sound, low_ms, low_ms, low_ms + _SNAP_MS) if start_ms > 0 else 0
    end = sound.length
    if sound.at(end_ms) < sound.length:
        end = _snapped(sound, high_ms, high_ms - _SNAP_MS, high_ms)
    speed = params.silence_speed if params.silence_action == "speed_up" else None
    stretch = (sound.ms(start), sound.ms(end))
    return new_edit(params.silence_action, "silence", stretch, amount=speed)


def _snapped(sound: Sound, time_ms: float, low_ms: float, high_ms: float) -> int:
    """The quiet sample between two times that is nearest to ``time_ms``."""
    return quiet_point(sound, sound.at(low_ms), sound.at(high_ms), sound.at(time_ms))
