"""``edit.cut``: from what is said and heard to a list of edits, each with its reason, time and confidence.

silences            quiet, and no word                                    (silences)
fillers             words of a list; voice that is held, without a word   (fillers)
repeats             said twice, or begun anew                             (repeats)
breaths             noise between words                                   (breaths)
chosen, kept        words, stretches, speakers, phrases                   (chosen)
privacy             bleeped, muted or cut                                 (privacy)

Nothing is rendered: the list says what is to be left out, and can be changed. Every cut lies in the
quietest 20 ms beside a word, at a zero crossing (cut_points), and never inside a word that stays.

Read are ``audio_activity`` (levels and probability of speech), ``audio_words`` and, where there are any,
``audio_phrases`` and ``visual_meta``; the sound is decoded once. Each rule finds its edits by itself and
knows nothing of the others: they may overlap, and ``shared.editing.time_map`` says what of several
counts. Then cuts that nearly touch are made to touch, texts in which something private is said
are taken out, and what is in doubt is taken back: it stands in the list as a proposal. One
``edit_list`` is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from functions.edit.breaths import breaths
from functions.edit.chosen import dropped, not_kept
from functions.edit.cut_points import Sound, decoded
from functions.edit.cut_rules import CutParams
from functions.edit.fillers import FILLERS, held_words, hesitations, surely_filler
from functions.edit.privacy import mistimed, silenced
from functions.edit.repeats import said_twice
from functions.edit.silences import room_too_loud_lufs, silences
from functions.edit.spoken_phrases import said_at, touched_at
from functions.edit.word_cuts import cut_words
from shared.contracts.audio_activity import AudioActivity
from shared.contracts.audio_words import AudioWords
from shared.contracts.detections import PhraseDetections
from shared.contracts.edit_list import Edit, EditList
from shared.contracts.result_document import ResultDocument
from shared.contracts.spoken_word import SpokenWord
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result
from shared.contracts.visual import VisualMeta
from shared.editing.edit_lists import edit_list_of, jump_cuts_ms, list_meta, new_edit
from shared.errors import NotFound, ValidationError

Read = TypeVar("Read", bound=ResultDocument)

_SLIVER_MS = 40.0
"""What is left between two cuts, shorter than this and without a word, goes with them."""
_PLACES = 5
"""So many a notice names."""


@dataclass(frozen=True)
class Heard:
    """All that is known of a recording's sound."""

    activity: AudioActivity
    spoken: AudioWords
    phrases: PhraseDetections | None
    """``None``: nobody parted them."""
    sound: Sound
    """One channel, decoded: where exactly a cut lies is looked for in it."""


def run(job: Job, params: CutParams, backend: Backend) -> Result:
    """Find, and write the list. Where rules about words were asked for and nothing was transcribed, the
    step is ``DEGRADED``; its notices say why.

    Raises ``NotFound`` where activity or words are missing, ``ValidationError`` for words of a
    translation and for what a rule names and nobody has, and as ``audio_blocks`` does.
    """
    activity = _given(job, "detect.activity", AudioActivity)
    spoken = _given(job, "transcribe.words", AudioWords)
    if activity is None or spoken is None:
        raise NotFound("result of", "transcribe.words" if activity else "detect.activity")
    if spoken.translated_from:
        raise ValidationError("task", "a translation's words do not lie where they are heard")
    phrases = _given(job, "detect.phrases", PhraseDetections)
    sound = decoded(job, activity.duration_ms, lambda done: job.progress(0.8 * done))
    made = edits_of(Heard(activity, spoken, phrases, sound), params)
    path = job.workdir / "edit_list.json"
    made.write(path)
    shots = _given(job, "detect.visual_meta", VisualMeta)
    output = Output(EditList.kind, EditList.kind, path, "application/json", _meta(made, shots))
    job.progress(1.0)
    unheard = params.by_words and not spoken.transcribed
    state = StepState.DEGRADED if unheard else StepState.DONE
    return Result([output], state, "; ".join(made.notices) or None)


def edits_of(heard: Heard, params: CutParams) -> EditList:
    """The list that the rules make, on the sound's samples; what is less sure than ``least_confidence``
    is taken back. The same input gives the same list, ids included.

    Raises ``ValidationError`` where a rule names what is not there.
    """
    found = list(_without_slivers(_by_rules(heard, params), heard.spoken.words))
    return edit_list_of(
        _doubted(_discreet(found), params.least_confidence),
        heard.sound.length,
        heard.sound.sample_rate_hz,
        rules=_told(params),
        notices=_notices(params, heard, found),
    )


def _given(job: Job, step: str, model: type[Read]) -> Read | None:
    """What an earlier step made; ``None`` where it made nothing."""
    given = job.inputs.get(step, ())
    return model.read(given[0].path) if given else None


def _by_rules(heard: Heard, params: CutParams) -> Iterator[Edit]:
    """What each rule finds, one rule behind the other: neither in order of time nor without overlap."""
    activity, spoken, sound = heard.activity, heard.spoken, heard.sound
    words = spoken.words
    if params.silence_ms is not None:
        yield from silences(activity, sound, words, params)
    yield from _words_cut(sound, spoken, params)
    if params.fillers:
        yield from hesitations(activity, sound, words)
    if params.breaths:
        yield from breaths(activity, sound, words)
    yield from dropped(sound, words, params)
    yield from not_kept(sound, spoken, heard.phrases, params)
    yield from silenced(sound, spoken, params)


def _words_cut(sound: Sound, spoken: AudioWords, params: CutParams) -> Iterator[Edit]:
    """Fillers, those in a row together; and what is said twice.

    A filler between both times of a repeat is passed over: "we um we go" is one.
    """
    words = spoken.words
    usual = FILLERS.get(spoken.language, ()) if params.fillers else ()
    fillers = frozenset(
        at
        for first, last in said_at(words, (*usual, *params.filler_words))
        for at in range(first, last)
    )
    for _, group in groupby(enumerate(sorted(fillers)), key=lambda pair: pair[1] - pair[0]):
        run = [at for _, at in group]
        surely = surely_filler(sound, words[run[0] : run[-1] + 1])
        yield from _some(cut_words(sound, words, run[0], run[-1] + 1, "filler", surely))
    if params.fillers:
        yield from held_words(sound, words, fillers)
    if params.repeats:
        for one in said_twice(words, spoken.language, fillers):
            yield from _some(
                cut_words(sound, words, one.first, one.last, one.reason, one.confidence)
            )


def _some(edit: Edit | None) -> Iterator[Edit]:
    if edit is not None:
        yield edit


def _without_slivers(edits: Iterable[Edit], words: Sequence[SpokenWord]) -> Iterator[Edit]:
    """The same by their starts, cuts that nearly touch with no word between them made to touch.

    Of two less than 40 ms apart the later one begins where the earlier ends: what would be left is a
    blip. It is another edit then, with another id. All that are no cuts pass as they are.
    """
    reached: Edit | None = None
    for edit in sorted(edits, key=lambda one: (one.start_ms, one.end_ms)):
        if edit.action != "cut":
            yield edit
            continue
        made = edit
        if reached and 0 < edit.start_ms - reached.end_ms < _SLIVER_MS:
            low, high = reached.end_ms, edit.start_ms
            if not any(word.start_ms < high and word.end_ms > low for word in words):
                stretch = (low, edit.end_ms)
                made = new_edit("cut", edit.reason, stretch, edit.confidence, text=edit.text)
        if reached is None or made.end_ms > reached.end_ms:
            reached = made
        yield made


def _discreet(edits: Sequence[Edit]) -> Iterator[Edit]:
    """The same, without the words of those in which something private is said."""
    private = [edit for edit in edits if edit.reason == "privacy"]
    for edit in edits:
        told = any(one.start_ms < edit.end_ms and edit.start_ms < one.end_ms for one in private)
        yield edit.model_copy(update={"text": None}) if told and edit.text else edit


def _doubted(edits: Iterable[Edit], least: float) -> list[Edit]:
    """The same, those less sure than ``least`` (0 to 1) as proposals."""
    return [
        edit.model_copy(update={"taken_back": True}) if edit.confidence < least else edit
        for edit in edits
    ]


def _notices(params: CutParams, heard: Heard, found: Sequence[Edit]) -> Iterator[str]:
    """What could not be done, and why: no silence in a loud room, nothing transcribed, a language without
    known fillers, what was asked for and is not said, sound that could not be decoded."""
    spoken = heard.spoken
    by_itself = params.silence_ms is not None and params.silence_below_lufs is None
    none_found = not any(edit.reason == "silence" for edit in found)
    if by_itself and none_found and (room_lufs := room_too_loud_lufs(heard.activity)) is not None:
        yield (
            f"nothing is soft enough for a silence: the softest parts have {room_lufs:.0f} LUFS "
            "(`silence_below_lufs` says what counts)"
        )
    if params.by_words and not spoken.transcribed:
        yield "rules about words were not followed: nothing was transcribed"
    elif params.fillers and spoken.language not in FILLERS:
        yield f"no filler words are known of language {spoken.language}: only voice without a word"
    if params.by_words and spoken.transcribed:
        yield from _unsaid(params, spoken)
    if heard.sound.damage is not None:
        yield f"not all of the sound could be decoded ({heard.sound.damage})"


def _unsaid(params: CutParams, spoken: AudioWords) -> Iterator[str]:
    """What was asked for and nobody says, as it was heard, or not by itself."""
    words = spoken.words
    for name in ("filler_words", "drop_words"):
        for text in getattr(params, name):
            if any(said_at(words, [text])):
                continue
            if touched_at(words, [text]):
                yield f"{name}: {text!r} is said in longer words alone, which stay"
            else:
                yield f"{name}: nobody says {text!r}, as far as it was recognised"
    hidden = params.privacy_words
    unheard = [text for text in hidden if not touched_at(words, [text])]
    if unheard:
        yield (
            f"privacy_words: {len(unheard)} of {len(hidden)} were not recognised anywhere: "
            "whether they are said, only listening tells"
        )
    if doubted := mistimed(spoken, params):
        places = ", ".join(f"{start_ms / 1000:.1f}" for start_ms in doubted[:_PLACES])
        more = f" and {len(doubted) - _PLACES} more" if len(doubted) > _PLACES else ""
        yield (
            f"privacy: the times of {len(doubted)} are likely wrong, so the words beside them are covered, "
            f"too: listen around {places} s{more}"
        )


def _told(params: CutParams) -> dict[str, Any]:
    """The rules as the list tells them: without what is to be heard and read nowhere."""
    rules = params.model_dump(mode="json", exclude_defaults=True)
    return rules | ({"privacy_words": len(params.privacy_words)} if params.privacy_words else {})


def _meta(made: EditList, shots: VisualMeta | None) -> dict[str, Any]:
    """What the artifact tells; how many cuts make the picture jump only where shots are known."""
    jumps = {} if shots is None else {"jump_cuts": len(jump_cuts_ms(made, shots))}
    return {**list_meta(made), **jumps}


ENGINE = Engine(CutParams, lambda: Backend("rushes", "cut-11"), run)
