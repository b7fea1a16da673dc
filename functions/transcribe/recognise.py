"""What is said, phrase by phrase: faster-whisper over what voice activity found, and nothing else.

Whisper works on windows of 30 s, and each costs the same however little is in it. So phrases are put
into windows together, the pauses between them shortened (faster-whisper's ``vad_filter`` does
likewise). Where a window's text leaves a phrase without a word, or turns in circles, its phrases
are looked at again, one by one: no speech is passed over silently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from functions.transcribe.features import RATE_HZ
from functions.transcribe.spans import Voiced
from functions.transcribe.words import Raw, Timing, Word, with_times
from shared.errors import ValidationError

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment

Floats = NDArray[np.float32]

BEAM_SIZE = 5
WINDOW_S = 28.5
_LEAD_MS, _TAIL_MS = 200, 500
"""So much of the pauses around a phrase is heard with it."""
_SILENCE_MS = 1000
"""Follows each window: beyond it faster-whisper fills up with what is not silence to the network."""
_LONGEST_MS = 300_000
"""Speech without a pause for so long is cut, so that memory stays bounded."""
_LEAST_MS = 20
_CIRCLING = 2.4
"""Text that zlib shrinks by more than this repeats itself (Whisper's own limit)."""
_WORTH_A_LOOK_MS = 300


@dataclass(frozen=True)
class Spoken:
    """What was recognised."""

    words: list[Word]
    language: str
    """Of most of the words; the one asked for, or detected."""
    languages: dict[str, int]
    """Language -> how many words, where it was detected."""
    suppressed: int
    """Words dropped because nobody spoke there, or because they repeated without end."""


@dataclass(frozen=True)
class _Part:
    """A piece of the recording in a window."""

    phrase: Voiced
    start_ms: int
    end_ms: int
    at_ms: int
    """Where it lies in the window."""


@dataclass
class _Found:
    words: list[Word] = field(default_factory=list)
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
            for voice in range(len(voices))
            for window in _windows([one for one in phrases if one.voice == voice])
        ]
        for index, window in enumerate(windows):
            self._look(voices, window)
            progress((index + 1) / len(windows))
        words = sorted(self._found.words, key=lambda word: (word.start_ms, word.end_ms))
        languages = dict(sorted(self._found.languages.items()))
        most = max(languages, key=lambda name: (languages[name], name), default=None)
        language = self._language or most or "und"
        return Spoken(words, language, languages, self._found.suppressed)

    def _look(self, voices: Sequence[Floats], window: Sequence[_Part]) -> None:
        words = self._words(voices, window)
        missed = [part for part in window if not _covered(part.phrase, words)]
        self._found.words += words
        if len(window) == 1:
            return
        for part in missed:
            if part.phrase.end_ms - part.phrase.start_ms >= _WORTH_A_LOOK_MS:
                alone = _Part(part.phrase, part.start_ms, part.end_ms, 0)
                self._found.words += self._words(voices, [alone])

    def _words(self, voices: Sequence[Floats], window: Sequence[_Part]) -> list[Word]:
        lead_ms = _LEAD_MS - (window[0].phrase.start_ms - window[0].start_ms)
        segments, info = self._model.transcribe(
            _sound(voices[window[0].phrase.voice], window, lead_ms),
            language=self._language,
            beam_size=BEAM_SIZE,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
        )
        speaker = f"channel_{window[0].phrase.voice + 1}" if len(voices) > 1 else None
        words: list[Word] = []
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


def _sound(voice: Floats, window: Sequence[_Part], lead_ms: int) -> Floats:
    """The window's parts, ``lead_ms`` of silence before them and some after."""
    parts = [voice[_samples(part.start_ms) : _samples(part.end_ms)] for part in window]
    before, after = (np.zeros(_samples(ms), np.float32) for ms in (lead_ms, _SILENCE_MS))
    return np.concatenate([before, *parts, after])


def _windows(phrases: Sequence[Voiced]) -> list[list[_Part]]:
    """Phrases of one voice, so many in each window as it holds with half a second around each."""
    parts = list(_parts(phrases))
    windows: list[list[_Part]] = []
    for part in parts:
        length_ms = part.end_ms - part.start_ms
        at_ms = _length_ms(windows[-1]) if windows else 0
        if windows and at_ms + length_ms <= 1000 * WINDOW_S:
            windows[-1].append(replace(part, at_ms=at_ms))
        else:
            windows.append([part])
    return windows


def _length_ms(window: Sequence[_Part]) -> int:
    return window[-1].at_ms + window[-1].end_ms - window[-1].start_ms


def _parts(phrases: Sequence[Voiced]) -> Iterator[_Part]:
    """Each phrase with its share of the pauses around it; endless ones in pieces."""
    for index, phrase in enumerate(phrases):
        before = phrases[index - 1].end_ms if index else 0
        after = (
            phrases[index + 1].start_ms if index + 1 < len(phrases) else phrase.end_ms + _TAIL_MS
        )
        start_ms = phrase.start_ms - min(_LEAD_MS, max(0, phrase.start_ms - before) // 2)
        end_ms = phrase.end_ms + min(_TAIL_MS, max(0, after - phrase.end_ms) // 2)
        for at_ms in range(start_ms, end_ms, _LONGEST_MS):
            last_ms = min(at_ms + _LONGEST_MS, end_ms)
            piece = (
                (phrase.start_ms, phrase.end_ms)
                if end_ms - start_ms <= _LONGEST_MS
                else (at_ms, last_ms)
            )
            yield _Part(replace(phrase, start_ms=piece[0], end_ms=piece[1]), at_ms, last_ms, 0)


def _placed(word: Raw, window: Sequence[_Part], speaker_id: str | None) -> Word | None:
    """The word at its time in the recording; ``None`` where nobody speaks.

    A word over a join belongs where its middle is.
    """
    assert word.start_s is not None and word.end_s is not None
    middle_ms = 500 * (word.start_s + word.end_s)
    part = next((one for one in reversed(window) if one.at_ms <= middle_ms), window[0])
    low, high = (
        round(part.start_ms + 1000 * at_s - part.at_ms) for at_s in (word.start_s, word.end_s)
    )
    if not _near(part.phrase, (low + high) // 2) or middle_ms > _length_ms(window):
        return None
    # Where nobody speaks yet, or any more, is no part of a word.
    low = min(max(low, part.phrase.start_ms), part.phrase.end_ms - _LEAST_MS)
    high = max(min(high, part.phrase.end_ms), low + _LEAST_MS)
    timing: Timing = "interpolated" if word.interpolated else "aligned"
    joined = not word.text.startswith(" ")
    return Word(low, high, word.text.strip(), word.probability, timing, joined, speaker_id)


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


def _samples(ms: int) -> int:
    return ms * RATE_HZ // 1000


def _covered(phrase: Voiced, words: Sequence[Word]) -> bool:
    return any(_near(phrase, (word.start_ms + word.end_ms) // 2) for word in words)


def _near(phrase: Voiced, at_ms: int) -> bool:
    return phrase.start_ms - _LEAD_MS <= at_ms < phrase.end_ms + _LEAD_MS
