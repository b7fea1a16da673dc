"""Who speaks when: by voices, where that is asked for; without the weights it is said why not."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from functions.transcribe import captions, semantics, speakers, words
from functions.transcribe.speakers import find_turns, share_at_once, turns_of
from functions.transcribe.torch_file import read_weights
from functions.transcribe.words import whose
from shared.contracts.audio_words import SpeakerTurn
from shared.contracts.spoken_word import SpokenWord
from shared.contracts.step import StepState
from shared.errors import BackendFailed
from shared.settings import settings
from shared.sound.speech import Voiced, find_voiced
from shared.weights import WEIGHTS, installed_state
from tests.functions.transcribe.harness import REAL_MEDIA, run
from tests.functions.transcribe.sounds import FIVE, FOUR, silence, spoken, write
from tests.functions.transcribe.talks import Turn, diarisation_error, talk

DRAW = np.random.default_rng(3)
VOICES = np.abs(DRAW.standard_normal((3, 256)))


def vectors(*who: int) -> np.ndarray:
    """As pieces of these speakers might be: noisy, none the same."""
    drawn = VOICES[list(who)] + 0.3 * np.random.default_rng(4).standard_normal((len(who), 256))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def pieces(count: int) -> list[speakers._Piece]:
    return speakers._pieces(Voiced(0, count * speakers.HOP_MS, 0.9))


def test_pieces_that_sound_alike_are_one_speakers() -> None:
    who = [1] * 20 + [0] * 30 + [1] * 25
    turns = turns_of(pieces(len(who)), vectors(*who))
    assert [turn.speaker for turn in turns] == [0, 1, 0], "numbered by who speaks first"
    borders = [turn.start_ms for turn in turns]
    assert borders == pytest.approx([0, 4000, 10_000], abs=200)


def test_two_at_once_end_where_both_pause() -> None:
    """Behind the change both are heard to the pause, and again after it."""
    before, both, after = 40, 12, 40
    one, other = np.eye(256, dtype=np.float32)[:2]
    mixed = np.float32(0.8) * other + np.float32(0.6) * one
    heard = np.stack([one] * before + [mixed] * (2 * both) + [other] * after)
    ends_ms = (before + both) * speakers.HOP_MS
    again_ms = ends_ms + 60_000
    stretches = [
        Voiced(0, ends_ms, 0.9),
        Voiced(again_ms, again_ms + (both + after) * speakers.HOP_MS, 0.9),
    ]
    found = turns_of([p for one in stretches for p in speakers._pieces(one)], heard)
    told = [(turn.start_ms, turn.end_ms) for turn in found]
    assert len({turn.speaker for turn in found}) == 2, found
    assert all(end <= ends_ms for start, end in told if start < ends_ms), told
    assert all(start >= again_ms for start, _ in told if start >= ends_ms), told


def test_one_voice_is_one_speaker() -> None:
    (turn,) = turns_of(pieces(60), vectors(*[2] * 60))
    assert (turn.speaker, turn.start_ms, turn.end_ms) == (0, 0, 12_000)
    assert turns_of(pieces(1), vectors(0)) == [speakers.Turn(0, 0, 200)]
    assert find_turns(silence(1), [], lambda done: None) == []


def test_it_is_told_where_many_speak_at_once() -> None:
    assert share_at_once([]) == 0
    assert share_at_once([(0, 1000), (500, 2000)]) == pytest.approx(0.25)
    assert share_at_once([(0, 1000), (1000, 2000), (3000, 4000)]) == 0
    turns = [
        SpeakerTurn(speaker_id=f"speaker_{who}", start_ms=start, end_ms=end)
        for who, start, end in ((1, 0, 1000), (2, 500, 2000))
    ]
    assert "25%" in (words._unsure(turns) or "") and words._unsure(turns[:1]) is None


def test_a_word_is_the_speakers_in_whose_turn_it_lies_most() -> None:
    turns = [
        SpeakerTurn(speaker_id="speaker_1", start_ms=0, end_ms=1000),
        SpeakerTurn(speaker_id="speaker_2", start_ms=900, end_ms=2000),
    ]
    said = [
        SpokenWord(start_ms=at, end_ms=at + 200, text="a", probability=1, timing="aligned")
        for at in (0, 780, 950, 2500)
    ]
    told = [word.speaker_id for word in whose(said, turns)]
    assert told == ["speaker_1", "speaker_1", "speaker_2", "speaker_2"]
    assert whose(said, []) == said


@pytest.mark.heavy
@pytest.mark.usefixtures("words_model")
def test_without_the_weights_nobody_is_told_apart_and_it_says_why(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", spoken(FIVE), silence(1), spoken(FOUR))
    ran = run(words.ENGINE, source, tmp_path / "out", speakers="auto")
    assert ran.result.state is StepState.DEGRADED
    assert "rushes models install resemblyzer" in (ran.result.reason or "")
    assert [word["text"] for word in ran.body["words"]] == f"{FIVE} {FOUR}".split()
    assert "speaker_id" not in ran.body["words"][0] and ran.result.outputs[0].meta["speakers"] == []


# -- weights without torch -----------------------------------------------------------------------


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run",)


@pytest.mark.parametrize("held", [_Evil(), {"model_state": _Evil()}, 7])
def test_nothing_in_a_file_of_weights_is_run(
    held: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pt"
    parts = (0x1950A86A20F9469CFC6C, 1001, {}, held, [])
    path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))
    with pytest.raises(BackendFailed, match=r"weights\.pt cannot be read"):
        read_weights(path, "model_state")
    assert capsys.readouterr().out == ""


def test_weights_are_read_as_torch_reads_them(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "weights.pt"
    state = OrderedDict(a=torch.arange(6.0).reshape(2, 3), b=torch.ones(4))
    torch.save({"model_state": state}, path, _use_new_zipfile_serialization=False)
    read = read_weights(path, "model_state")
    assert all(np.array_equal(read[name], state[name].numpy()) for name in ("a", "b"))


# -- real voices ---------------------------------------------------------------------------------


@pytest.fixture
def voice_weights(configured: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Resemblyzer's weights, beside the model of twenty words; skips without them."""
    import os

    kept = Path(os.environ["RUSHES_KEPT_MODELS"])
    if installed_state(WEIGHTS["resemblyzer"], kept) != "installed":
        pytest.skip(f"{kept} lacks the weights: `rushes models install resemblyzer`")
    (settings().models).mkdir(exist_ok=True)
    (settings().models / "resemblyzer").symlink_to(kept / "resemblyzer")
    yield


real_voices = pytest.mark.skipif(
    not (REAL_MEDIA / "transcript").is_dir(), reason=f"no recordings in {REAL_MEDIA}"
)


@pytest.mark.heavy
@pytest.mark.real_weights
@real_voices
@pytest.mark.usefixtures("words_model", "voice_weights")
@pytest.mark.parametrize("count", [2, 5])
def test_who_speaks_in_a_talk(count: int) -> None:
    """Turns of 1 to 20 s, one after the other."""
    one = talk(count, 11, 60, overlaps=0.0)
    voiced = find_voiced([one.sound], len(one.sound) // 16, 300, lambda done: None)
    found = find_turns(one.sound, voiced, lambda done: None)
    told = [Turn(str(t.speaker), t.start_ms / 1000, t.end_ms / 1000) for t in found]
    assert diarisation_error(one.turns, told) < 0.08


@pytest.mark.heavy
@pytest.mark.real_weights
@real_voices
@pytest.mark.usefixtures("words_model", "voice_weights")
def test_words_cues_and_events_say_who_speaks(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", talk(2, 11, 30, overlaps=0.0).sound)
    for engine, rows in ((captions.ENGINE, "cues"), (semantics.ENGINE, "events")):
        body = run(engine, source, tmp_path / rows, speakers="auto").body
        named = {row["speaker_id"] for row in body[rows] if row.get("speaker_id")}
        assert named == {"speaker_1", "speaker_2"}
