"""What is said, phrase by phrase: faster-whisper over what voice activity found, and nothing else.

Where a window's text leaves a phrase without a word, or turns in circles, its phrases are looked at
again, one by one: no speech is passed over silently.

    phrases -> with their share of the pauses -> windows of up to 30 s (``windows``) -> heard (``one_window``)
            -> what the model made up is dropped, what it left is heard with what follows (``left_over``)
            -> each phrase's words at their times in it (``word_times``) -> moved to the sound's (``edges``)

Words below Whisper's limits are kept where voice activity heard somebody: of the two, that one is believed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from functions.transcribe.edges import to_edges
from functions.transcribe.left_over import WORTH_A_LOOK_MS, reached, spoken_ms, until_broken_off
from functions.transcribe.one_window import MOST_SAMPLES, Asked, OneWindow
from functions.transcribe.windows import LEAD_MS, Part, begun, fill, samples_of, with_pauses
from functions.transcribe.word_times import Raw, Timing, marked, whole, with_times
from shared.contracts.recognised import Recognised
from shared.contracts.spoken_word import SpokenWord
from shared.errors import ValidationError
from shared.media.mapped import let_go
from shared.media.vad import RATE_HZ
from shared.sound.speech import Voiced

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment

Floats = NDArray[np.float32]

_SILENCE_MS = 1000
"""Follows each window: beyond it faster-whisper fills up with what is not silence to the network."""
_LEAST_MS = 20
_CIRCLING = 2.4
"""Text that zlib shrinks by more than this repeats itself (Whisper's own limit)."""
_NO_SPEECH, _UNSURE = 0.6, -1.0
"""The model doubts that there is speech above the one, its own words below the other (Whisper's limits)."""
_SURE_OF_LANGUAGE = 0.5
"""A window whose language is detected less surely is taken for the recording's."""


@dataclass(frozen=True)
class Spoken:
    """What was recognised."""

    words: list[SpokenWord]
    """Of all voices, by their starts; ms of the recording."""
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


def speaker_of(voice: int) -> str:
    """What the speaker of a channel, counted from 0, is called."""
    return f"channel_{voice + 1}"


class Recogniser:
    """One model over one recording's voices.

    ``asked``'s language is ``None`` or one that the model knows, or ``ValidationError`` is raised. Windows in
    which it is detected too doubtfully are taken for what most words before are, or else for ``usual``
    (``auto``: for what is detected).
    """

    def __init__(self, model: WhisperModel, asked: Asked, usual: str = "auto") -> None:
        known = model.supported_languages
        if asked.language not in (None, *known):
            reason = f"{asked.language!r} is none of the model's: {', '.join(known)}"
            raise ValidationError("language", reason)
        if asked.task == "translate" and len(known) == 1:
            raise ValidationError("task", "a model that only knows English translates nothing")
        if asked.glossary:
            told = model.hf_tokenizer.encode(f" {asked.glossary}", add_special_tokens=False).ids
            if len(told) >= model.max_length // 2:
                most = model.max_length // 2 - 1
                raise ValidationError(
                    "glossary",
                    f"is {len(told)} of the model's tokens, more than {most}: leave out what it knows anyway",
                )
        self._asked = asked
        self._usual = usual if usual in known else None
        self._detects = asked.language is None and len(known) > 1
        self._ear = OneWindow(model, asked, self._likelier)
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
        return spoken(voices, phrases, [self.look(voices, phrases, progress)], self._asked)

    def look(
        self,
        voices: Sequence[Floats],
        phrases: Sequence[Voiced],
        progress: Callable[[float], None],
        within: tuple[int, int] = (0, sys.maxsize),
    ) -> Recognised:
        """The words of those ``phrases`` that begin ``within`` (ms, half open); of the next one only the
        pause before it counts. Nothing is remembered from one look to the next.

        ``voices``: ``(samples,)`` each, float32 at 16 kHz, one for each channel or one in all; a phrase's
        ``voice`` is its index among them. The words come voice by voice, with Whisper's own times.
        """
        self._found = _Found()
        words: list[tuple[SpokenWord, ...]] = []
        for index, voice in enumerate(voices):
            own = [one for one in phrases if one.voice == index]
            parts = [
                part
                for part in with_pauses(own, len(voice) * 1000 // RATE_HZ)
                if within[0] <= part.phrase.start_ms < within[1]
            ]
            count = len(parts)
            while parts:
                window, later = fill(voice, parts)
                parts = [*self._look(voices, window), *later]
                let_go(voice)
                progress((index + 1 - len(parts) / count) / len(voices))
            words.append(tuple(self._found.words))
            self._found.words.clear()
        languages, suppressed = dict(+self._found.languages), self._found.suppressed
        return Recognised(words=tuple(words), languages=languages, suppressed=suppressed)

    def _look(self, voices: Sequence[Floats], window: Sequence[Part]) -> list[Part]:
        """Keeps the window's words; what the model left at its end is returned."""
        said, rest_ms = self._said(voices, window)
        heard, left = reached(voices[window[0].phrase.voice], window, rest_ms)
        self._keep(voices, heard, said)
        if len(window) == 1:
            return left
        for part in heard:
            long_ms = part.phrase.end_ms - part.phrase.start_ms
            if long_ms >= WORTH_A_LOOK_MS and not any(_reaches(part, one) for one in said):
                left = [*self._look(voices, [replace(begun(part), at_ms=0)]), *left]
        return left

    def _keep(self, voices: Sequence[Floats], window: Sequence[Part], said: Sequence[Raw]) -> None:
        voice = window[0].phrase.voice
        speaker = speaker_of(voice) if len(voices) > 1 else None
        for part, raw in _shared_out(window, said):
            self._found.words += _placed(part, raw, speaker)

    def _most_spoken(self) -> str | None:
        """The language of most words so far."""
        return _most_spoken(+self._found.languages)

    def _likelier(self, language: str, probability: float) -> str:
        """What a window is taken for in which ``language`` was detected so surely."""
        if probability >= _SURE_OF_LANGUAGE:
            return language
        return self._most_spoken() or self._usual or language

    def _lead_ms(self, first: Part) -> int:
        """Silence for what a window's first phrase lacks before it.

        A recording that begins with a word is heard better as it is; but its language is mistaken.
        """
        if not (first.start_ms or self._detects):
            return 0
        return LEAD_MS - (first.phrase.start_ms - first.start_ms)

    def _said(
        self, voices: Sequence[Floats], window: Sequence[Part]
    ) -> tuple[list[Raw], float | None]:
        """The window's words, at their times in it, without what the model made up; and from where on
        it is yet to be heard, in ms."""
        lead_ms = self._lead_ms(window[0])
        heard = self._ear.hear(_sound(voices[window[0].phrase.voice], window, lead_ms))
        said, made_up = list[Raw](), 0
        for segment in heard.segments:
            words = _raw_words(segment, lead_ms / 1000)
            kept = [word for word in words if not _made_up(segment, word, window)]
            made_up += len(words) - len(kept)
            said += kept
        rest_ms = None if heard.rest_s is None else 1000 * heard.rest_s - lead_ms
        if not made_up:
            said, rest_ms = until_broken_off(window, said, rest_ms)
        self._found.suppressed += made_up
        self._found.languages[heard.language] += len(said)
        return said, rest_ms


def spoken(
    voices: Sequence[Floats],
    phrases: Sequence[Voiced],
    looks: Sequence[Recognised],
    asked: Asked,
) -> Spoken:
    """All that the looks at one recording's phrases found, words at their times.

    Those of a translation, which come in another order than what is heard, keep Whisper's.
    """
    words: list[SpokenWord] = []
    for index, voice in enumerate(voices):
        heard = [word for look in looks for word in look.words[index]]
        heard.sort(key=lambda word: word.start_ms)
        own = [one for one in phrases if one.voice == index]
        words += to_edges(voice, heard, own) if asked.task == "transcribe" else heard
    words.sort(key=lambda word: word.start_ms)
    heard_in = Counter[str]()
    for look in looks:
        heard_in.update(look.languages)
    languages = dict(sorted((+heard_in).items()))
    told = asked.language or _most_spoken(languages) or "und"
    return Spoken(words, told, languages, sum(look.suppressed for look in looks))


def _most_spoken(languages: Mapping[str, int]) -> str | None:
    return max(languages, key=lambda name: (languages[name], name), default=None)


def _sound(voice: Floats, window: Sequence[Part], lead_ms: int) -> Floats:
    """The window's parts, ``lead_ms`` of silence before them and some after, at most 30 s.

    Around zero: silence beside an offset would be a click.
    """
    parts = [voice[samples_of(part.start_ms) : samples_of(part.end_ms)] for part in window]
    joined = np.concatenate(parts)
    joined -= joined.mean() if len(joined) else 0
    before = np.zeros(samples_of(lead_ms), np.float32)
    room = MOST_SAMPLES - len(before) - len(joined)
    after = np.zeros(min(samples_of(_SILENCE_MS), room), np.float32)
    return np.concatenate([before, joined, after])


def _made_up(segment: Segment, word: Raw, window: Sequence[Part]) -> bool:
    """Is the word none that somebody said, by the model's own measures and voice activity?

    A segment that repeats itself is; and where no phrase is near, one that the model itself doubts.
    """
    if segment.compression_ratio > _CIRCLING:
        return True
    doubted = segment.no_speech_prob > _NO_SPEECH or segment.avg_logprob < _UNSURE
    return doubted and not any(_reaches(part, word, LEAD_MS) for part in window)


def _shared_out(window: Sequence[Part], said: Sequence[Raw]) -> list[tuple[Part, list[Raw]]]:
    """Each part with its words; none is left over, and their order stays."""
    shared = [(part, list[Raw]()) for part in window]
    first = 0
    for word in said:
        first += _index_of(word, window[first:])
        shared[first][1].append(word)
    return [(part, words) for part, words in shared if words]


def _index_of(word: Raw, window: Sequence[Part]) -> int:
    """Whose it is: its end's, for words begin too early, in the pause before them or even before that,
    rather than end too late; in a pause the one's that it reaches into, or is nearest to."""
    return max(
        range(len(window)),
        key=lambda index: (
            _apart_ms(window[index], word) == 0,
            _overlap_ms(window[index], word),
            -_apart_ms(window[index], word),
        ),
    )


def _overlap_ms(part: Part, word: Raw) -> float:
    """For how long the word lies in the part's phrase."""
    low, high = spoken_ms(part)
    return max(0.0, min(high, 1000 * word.until_s) - max(low, 1000 * word.from_s))


def _apart_ms(part: Part, word: Raw) -> float:
    """How far the word's end is from the part's phrase."""
    low, high = spoken_ms(part)
    return max(low - 1000 * word.until_s, 1000 * word.until_s - high, 0.0)


def _reaches(part: Part, word: Raw, around_ms: int = 0) -> bool:
    """Does the word lie in the part's phrase, or within so much of it, in part at least?"""
    low, high = spoken_ms(part)
    return 1000 * word.from_s < high + around_ms and 1000 * word.until_s > low - around_ms


def _placed(part: Part, said: Sequence[Raw], speaker_id: str | None) -> list[SpokenWord]:
    """The words at their times in the recording, all within their phrase.

    Where nobody speaks yet, or any more, is no part of a word; one that lies there wholly takes its
    time between its neighbours.
    """
    low_s, high_s = part.phrase.start_ms / 1000, part.phrase.end_ms / 1000
    shift_s = (part.start_ms - part.at_ms) / 1000
    inside = [
        replace(
            word,
            start_s=min(max(word.from_s + shift_s, low_s), high_s),
            end_s=min(max(word.until_s + shift_s, low_s), high_s),
        )
        for word in said
    ]
    return [_word(word, speaker_id) for word in with_times(inside, low_s, high_s)]


def _word(word: Raw, speaker_id: str | None) -> SpokenWord:
    """In whole ms, 20 at the least; ``joined`` where the model put no space before it."""
    low = round(1000 * word.from_s)
    high = max(round(1000 * word.until_s), low + _LEAST_MS)
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
    spoken = whole([word for word in given if word.text.strip()])
    return with_times(spoken, float(segment.start) - lead_s, float(segment.end) - lead_s)
