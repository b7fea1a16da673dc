"""What is said, phrase by phrase: faster-whisper over what voice activity found, and nothing else.

Where a window's text leaves a phrase without a word, or turns in circles, its phrases are looked at
again, one by one: no speech is passed over silently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from functions.transcribe.spans import Voiced
from functions.transcribe.windows import LEAD_MS, Part, length_ms, pack, samples_of
from functions.transcribe.words import Raw, Timing, marked, with_times
from shared.contracts.spoken_word import SpokenWord
from shared.errors import ValidationError

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment

Floats = NDArray[np.float32]

BEAM_SIZE = 5
_SILENCE_MS = 1000
"""Follows each window: beyond it faster-whisper fills up with what is not silence to the network."""
_LEAST_MS = 20
_CIRCLING = 2.4
"""Text that zlib shrinks by more than this repeats itself (Whisper's own limit)."""
_WORTH_A_LOOK_MS = 300


@dataclass(frozen=True)
class Spoken:
    """What was recognised."""

    words: list[SpokenWord]
    language: str
    """Of most of the words; the one asked for, or detected."""
    languages: dict[str, int]
    """Language -> how many words, where it was detected."""
    suppressed: int
    """Words dropped because nobody spoke there, or because they repeated without end."""


@dataclass
class _Found:
    words: list[SpokenWord] = field(default_factory=list)
    languages: Counter[str] = field(default_factory=Counter)
    suppressed: int = 0


class Recogniser:
    """One model over one recording's voices.

    ``language`` is ``auto`` or one that the model knows, or ``ValidationError`` is raised.
    """

    def __init__(self, model: WhisperModel, language: str) -> None:
        known = model.supported_languages
        if language not in ("auto", *known):
            raise ValidationError(
                "language", f"{language!r} is none of the model's: {', '.join(known)}"
            )
        self._model = model
        self._language = None if language == "auto" else language
        self._found = _Found()

    def recognise(
        self,
        voices: Sequence[Floats],
        phrases: Sequence[Voiced],
        progress: Callable[[float], None],
    ) -> Spoken:
        """All words of ``phrases``, in order; those of one voice of several carry its speaker id.

        Progress is told window by window.
        """
        windows = [
            window
            for index, voice in enumerate(voices)
            for window in pack(voice, [one for one in phrases if one.voice == index])
        ]
        for index, window in enumerate(windows):
            self._look(voices, window)
            progress((index + 1) / len(windows))
        words = sorted(self._found.words, key=lambda word: (word.start_ms, word.end_ms))
        languages = dict(sorted(self._found.languages.items()))
        most = max(languages, key=lambda name: (languages[name], name), default=None)
        language = self._language or most or "und"
        return Spoken(words, language, languages, self._found.suppressed)

    def _look(self, voices: Sequence[Floats], window: Sequence[Part]) -> None:
        words = self._words(voices, window)
        missed = [part for part in window if not _covered(part.phrase, words)]
        self._found.words += words
        if len(window) == 1:
            return
        for part in missed:
            if part.phrase.end_ms - part.phrase.start_ms >= _WORTH_A_LOOK_MS:
                alone = Part(part.phrase, part.start_ms, part.end_ms, 0)
                self._found.words += self._words(voices, [alone])

    def _words(self, voices: Sequence[Floats], window: Sequence[Part]) -> list[SpokenWord]:
        lead_ms = LEAD_MS - (window[0].phrase.start_ms - window[0].start_ms)
        segments, info = self._model.transcribe(
            _sound(voices[window[0].phrase.voice], window, lead_ms),
            language=self._language,
            beam_size=BEAM_SIZE,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
        )
        speaker = f"channel_{window[0].phrase.voice + 1}" if len(voices) > 1 else None
        words: list[SpokenWord] = []
        for segment in segments:
            raw = _raw_words(segment, lead_ms / 1000)
            circling = segment.compression_ratio > _CIRCLING
            kept = (
                [] if circling else [word for one in raw if (word := _placed(one, window, speaker))]
            )
            self._found.suppressed += len(raw) - len(kept)
            words += kept
        self._found.languages[info.language] += len(words)
        return words


def _sound(voice: Floats, window: Sequence[Part], lead_ms: int) -> Floats:
    """The window's parts, ``lead_ms`` of silence before them and some after."""
    parts = [voice[samples_of(part.start_ms) : samples_of(part.end_ms)] for part in window]
    before, after = (np.zeros(samples_of(ms), np.float32) for ms in (lead_ms, _SILENCE_MS))
    return np.concatenate([before, *parts, after])


def _placed(word: Raw, window: Sequence[Part], speaker_id: str | None) -> SpokenWord | None:
    """The word at its time in the recording; ``None`` where nobody speaks.

    A word over a join belongs where its middle is.
    """
    assert word.start_s is not None and word.end_s is not None
    middle_ms = 500 * (word.start_s + word.end_s)
    part = next((one for one in reversed(window) if one.at_ms <= middle_ms), window[0])
    low, high = (
        round(part.start_ms + 1000 * at_s - part.at_ms) for at_s in (word.start_s, word.end_s)
    )
    if not _near(part.phrase, (low + high) // 2) or middle_ms > length_ms(window):
        return None
    # Where nobody speaks yet, or any more, is no part of a word.
    low = min(max(low, part.phrase.start_ms), part.phrase.end_ms - _LEAST_MS)
    high = max(min(high, part.phrase.end_ms), low + _LEAST_MS)
    timing: Timing = "interpolated" if word.interpolated else "aligned"
    joined = not word.text.startswith(" ")
    placed = SpokenWord(
        start_ms=low,
        end_ms=high,
        text=word.text.strip(),
        probability=word.probability,
        timing=timing,
    )
    return marked(placed, joined=joined, speaker_id=speaker_id)


def _raw_words(segment: Segment, lead_s: float) -> list[Raw]:
    """A segment's words, all with times; its text's words where the aligner gave none.

    Times count from behind the silence that leads the window, ``lead_s`` long.
    """
    if segment.words:
        given = [
            Raw(
                word.word,
                round(float(word.probability), 4),
                float(word.start) - lead_s,
                float(word.end) - lead_s,
            )
            for word in segment.words
        ]
    else:
        sure = round(float(np.exp(segment.avg_logprob)), 4)
        given = [Raw(f" {word}", sure) for word in segment.text.split()]
    spoken = [word for word in given if word.text.strip()]
    return with_times(spoken, float(segment.start) - lead_s, float(segment.end) - lead_s)


def _covered(phrase: Voiced, words: Sequence[SpokenWord]) -> bool:
    return any(_near(phrase, (word.start_ms + word.end_ms) // 2) for word in words)


def _near(phrase: Voiced, at_ms: int) -> bool:
    return phrase.start_ms - LEAD_MS <= at_ms < phrase.end_ms + LEAD_MS
