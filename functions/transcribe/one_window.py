"""One window of up to 30 s, heard by Whisper and encoded once.

Encoding costs the same however little a window holds. Left to itself, faster-whisper encodes a window a
second time to detect its language, and once more for the few seconds that the model left at its end:
those are told here instead, so that they are heard together with what follows.

Whisper: A. Radford, J. W. Kim, T. Xu, G. Brockman, C. McLeavey and I. Sutskever, "Robust Speech Recognition
via Large-Scale Weak Supervision", arXiv:2212.04356, 2022; word times by its attention, as its own code has
them. Beams as there (section 4.5), but no second try at a higher temperature: that is drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment

Floats = NDArray[np.float32]
Task = Literal["transcribe", "translate"]

BEAM_SIZE = 5
"""Whisper's own (section 4.5); 1 would be greedy, which is quicker and circles more often."""
MOST_SAMPLES = 480_000
"""30 s at 16 kHz."""


@dataclass(frozen=True)
class Asked:
    """What a recording's windows are heard for."""

    language: str | None = None
    """``None``: detected in each window."""
    task: Task = "transcribe"
    glossary: str | None = None
    """Names and words that are likely to be said."""


@dataclass(frozen=True)
class Heard:
    """A window's segments, the times in them in s from its beginning."""

    segments: list[Segment]
    language: str
    """Two letters, mostly, as Whisper names it."""
    rest_s: float | None
    """From here on the model heard nothing yet; ``None``: it heard all."""


class _RestLeft(Exception):
    """faster-whisper would go on with the window's rest."""


class OneWindow:
    """A model that hears one window a call. ``likelier`` may say another language than was detected."""

    def __init__(
        self, model: WhisperModel, asked: Asked, likelier: Callable[[str, float], str]
    ) -> None:
        self._encode = model.encode
        self._asked, self._likelier = asked, likelier
        self._model = copy(model)
        self._model.encode = self._encoded_once
        self._encoded: Any = None
        self._given = False

    def hear(self, sound: Floats) -> Heard:
        """The words of ``sound``, ``(samples,)``, float32, at most 30 s at 16 kHz.

        What was said in windows before is no prompt of this one: each hears the same whatever came before,
        and circling does not spread. The glossary is one. Silence gives no segments, or made-up ones.
        """
        self._encoded, self._given = None, False
        language = self._asked.language or self._detected(sound)
        found, _ = self._model.transcribe(
            sound,
            language=language,
            task=self._asked.task,
            hotwords=self._asked.glossary,
            beam_size=BEAM_SIZE,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
        )
        segments: list[Segment] = []
        try:
            for segment in found:
                segments.append(segment)  # what came before the rest is kept
        except _RestLeft:
            return Heard(segments, language, _end_of(segments))
        return Heard(segments, language, None)

    def _detected(self, sound: Floats) -> str:
        """The window's language; its encoding is kept for the words. ``en`` of an English model."""
        from faster_whisper.audio import pad_or_trim

        if not self._model.model.is_multilingual:
            return "en"
        # The last frame is left out, as it is where the words are heard.
        features = pad_or_trim(self._model.feature_extractor(sound)[..., :-1])
        self._encoded = self._encode(features)
        token, probability = self._model.model.detect_language(self._encoded)[0][0]
        return self._likelier(token.strip("<|>"), probability)

    def _encoded_once(self, features: Floats) -> Any:
        """In place of the model's ``encode``, ``(mels, frames)`` in: the first time its result, or the kept
        one; the second time ``_RestLeft``, before anything is computed.
        """
        if self._given:
            raise _RestLeft
        self._given = True
        return self._encode(features) if self._encoded is None else self._encoded


def _end_of(segments: list[Segment]) -> float:
    """Where faster-whisper would go on: with the last word's end."""
    if not segments:
        return 0.0
    words = segments[-1].words
    return float(words[-1].end if words else segments[-1].end)
