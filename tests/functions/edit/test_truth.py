"""Floors of what edit.cut finds and leaves alone, where a recogniser heard the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.edit import cut
from functions.edit.cut_rules import CutParams
from functions.transcribe import words
from shared.contracts.audio_words import AudioWords
from shared.contracts.edit_list import Edit, EditList
from shared.contracts.step_engine import InputFile, Job
from tests.functions.edit.composites import (
    Kind,
    Piece,
    Talk,
    heard_as,
    listened,
    overlap_ms,
    read,
    saved,
    spelled,
    wrongly_cut,
)
from tests.functions.transcribe.harness import REAL_MEDIA
from tests.shared.media.recordings import probed

RULES: dict[str, Any] = {"silence_ms": 600, "fillers": True, "repeats": True, "breaths": True}
REASONS: dict[Kind, tuple[str, ...]] = {
    "filler": ("filler",),
    "hum": ("filler",),
    "breath": ("breath",),
    "repeat": ("repeat", "false_start"),
}
STRAY: tuple[Kind, ...] = ("filler", "hum", "breath", "repeat", "silence")


@dataclass(frozen=True)
class Judged:
    """A talk and the list that was made of it."""

    talk: Talk
    edits: EditList

    def found(self, kind: Kind, *reasons: str, proposed: bool = False) -> list[Piece]:
        """Those of a kind of which 70 % are in an edit of these reasons."""
        edits = self.edits.edits if proposed else self.edits.standing
        return [
            piece
            for piece in self.talk.of(kind)
            if any(
                overlap_ms(edit, piece) > 0.7 * _least_ms(piece)
                for edit in edits
                if edit.reason in reasons
            )
        ]

    def false(self, edits: Sequence[Edit]) -> list[Edit]:
        """Edits of nothing that was put there."""
        strays = self.talk.of(*STRAY)
        return [
            edit
            for edit in edits
            if not any(
                overlap_ms(edit, one) > 0.3 * (edit.end_ms - edit.start_ms) for one in strays
            )
        ]

    def silence_errors_ms(self) -> list[float]:
        """How far each end of each silence is from the truth, its padding of 100 ms counted in."""
        errors = []
        for piece in self.talk.of("silence"):
            edit = next(
                one
                for one in self.edits.standing
                if one.reason == "silence" and overlap_ms(one, piece) > 0
            )
            lead = 100 if piece.start_ms > 0 else 0
            tail = 100 if piece.end_ms < self.edits.duration_ms - 1 else 0
            errors += [edit.start_ms - lead - piece.start_ms, edit.end_ms + tail - piece.end_ms]
        return errors


def _least_ms(piece: Piece) -> float:
    padding = 200 if piece.kind == "silence" else 0
    return piece.end_ms - piece.start_ms - padding


def judged(talk: Talk, folder: Path, heard_words: AudioWords | None = None) -> Judged:
    source = saved(talk, folder, 44_100)
    activity = listened(source, folder / "activity")
    said = heard_words or recognised(source, activity, folder / "words")
    heard = heard_as(source, folder / "sound", activity, said)
    return Judged(talk, cut.edits_of(heard, CutParams(**RULES)))


def recognised(source: Path, activity: InputFile, folder: Path) -> AudioWords:
    folder.mkdir(parents=True)
    inputs = {"detect.activity": [activity]}
    job = Job(source, probed(source), folder, lambda done: None, inputs=inputs)
    params = words.ENGINE.params(language="en")
    made = words.ENGINE.run(job, params, words.ENGINE.backend())
    return AudioWords.read(made.outputs[0].path)


@pytest.mark.heavy
def test_every_word_stays_whole(tmp_path: Path) -> None:
    """Words by espeak-ng, in rooms from silent to noisy, each known to the sample."""
    for seed, noise_db in enumerate((-90, -66, -50)):
        talk = spelled(seed, noise_db)
        one = judged(talk, tmp_path / str(seed), talk.words)
        assert list(wrongly_cut(one.edits, talk)) == []
        assert one.false(one.edits.standing) == []
        assert max(map(abs, one.silence_errors_ms())) <= 20
        for kind, reasons in REASONS.items():
            assert len(one.found(kind, *reasons)) >= 0.9 * len(talk.of(kind)), (seed, kind)


@pytest.mark.heavy
@pytest.mark.real_weights
@pytest.mark.usefixtures("real_models")
def test_what_whisper_heard_is_cut_as_well(tmp_path: Path) -> None:
    one = judged(spelled(1), tmp_path)
    assert list(wrongly_cut(one.edits, one.talk)) == []
    assert one.false(one.edits.edits) == []
    assert max(map(abs, one.silence_errors_ms())) <= 20
    # A filler that was taken for a word ("her") goes as that word's repeat.
    fillers = [*one.found("filler", "filler", "repeat"), *one.found("hum", "filler")]
    assert len(fillers) >= 0.7 * len(one.talk.of("filler", "hum"))
    assert len(one.found("repeat", "repeat", "false_start")) >= 0.9 * len(one.talk.of("repeat"))


@pytest.mark.heavy
@pytest.mark.real_weights
@pytest.mark.usefixtures("real_models")
@pytest.mark.skipif(
    not (REAL_MEDIA / "transcript").is_dir(), reason=f"no recordings in {REAL_MEDIA}"
)
def test_readings_by_people_lose_nothing_that_sounds(tmp_path: Path) -> None:
    one = judged(read(1, 6), tmp_path)
    for piece, edit in wrongly_cut(one.edits, one.talk):
        # A reader's own pause, between two words: 40 dB below the reading, all of it.
        inside = slice(round(16 * max(edit.start_ms, piece.start_ms)), round(16 * edit.end_ms))
        assert np.abs(one.talk.sound[inside]).max() < 0.01 * np.abs(one.talk.sound).max(), edit
    assert max(map(abs, one.silence_errors_ms()[2:])) <= 20
    assert len(one.found("hum", "filler", proposed=True)) >= 0.8 * len(one.talk.of("hum"))
