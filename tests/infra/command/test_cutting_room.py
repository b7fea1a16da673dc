"""``rushes cut``, as its users type it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from infra.command.cutting_room import _params, _read_chapters, speaker_ids
from infra.command.desk import Desk
from infra.command.main import rushes
from infra.command.results_on_disk import MANIFEST
from shared.contracts.artifact import Artifact, artifact_key
from shared.contracts.asr_transcript import Transcript
from shared.contracts.detections import PhraseDetections
from shared.contracts.edit_list import EditList
from shared.contracts.ids import asset_id
from shared.contracts.semantic_timeline import SemanticTimeline
from shared.errors import RushesError, ValidationError
from shared.pipeline import KINDS
from shared.settings import Settings, settings
from shared.steps.storing import artifact_path
from tests.functions.transcribe.sounds import FIVE, FOUR, RATE_HZ, silence, spoken
from tests.shared.contracts.recorded import models_in
from tests.toy import CTX


def asked(*words: str | Path) -> Result:
    return CliRunner().invoke(rushes, ["cut", *map(str, words)])


def test_nothing_is_cut_unasked(tmp_path: Path) -> None:
    told = asked(tmp_path / "talk.wav", "--data", tmp_path / "home")
    assert told.exit_code == 2 and "say what to cut" in told.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--shorten-to", "0"), "say from which length on"),
        (("--silences", "1", "--speed-up", "4", "--shorten-to", "0.3"), "in one way"),
        (("--param", "privacy_words=Anna", "--param", "edit.cut.privacy_words=Ben"), "comes twice"),
    ],
)
def test_no_wish_is_passed_over(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    refused = asked(tmp_path / "talk.wav", "--data", tmp_path / "home", *words)
    assert refused.exit_code == 2 and told in refused.output


@pytest.mark.parametrize("param", ["privacy_words=Anna, Ben", 'privacy_words=["Anna", "Ben"]'])
def test_names_to_be_bleeped_come_together_however_they_are_written(param: str) -> None:
    told = {"silences": None, "shorten_to": None, "speed_up": None, "pairs": (param,)}
    flags = dict.fromkeys(("fillers", "repeats", "breaths"), False)
    lists = {"words": (), "keep_speaker": (), "keep_chapter": (), "bleep": ("Eva",)}
    assert _params(told | flags | lists, ()) == {"privacy_words": ["Anna", "Ben", "Eva"]}


@pytest.mark.parametrize(
    "line", ["0:45 Guest", "00:45 - Guest", "(00:45) Guest", "- [00:00:45,000] \u2013 Guest"]
)
def test_chapters_are_read_as_shows_write_them(tmp_path: Path, line: str) -> None:
    (tmp_path / "chapters.txt").write_text(f"00:00 Start - of it\n{line}\n", encoding="utf-8")
    told = [(one.time_ms, one.name) for one in _read_chapters(tmp_path / "chapters.txt")]
    assert told == [(0, "Start - of it"), (45_000, "Guest")]


def test_chapters_are_text_as_editors_save_it(tmp_path: Path) -> None:
    """Some put a byte order mark before UTF-8; others write no UTF-8 at all."""
    chapters = tmp_path / "chapters.txt"
    words = ("--fillers", "--chapters", chapters, "--data", tmp_path / "home")
    chapters.write_bytes(b"\xef\xbb\xbf00:00 Start\r\n")
    assert "no file" in str(asked(tmp_path / "talk.wav", *words).exception)
    chapters.write_bytes(b"\xff\xfe0\x000\x00")
    refused = asked(tmp_path / "talk.wav", *words)
    assert isinstance(refused.exception, ValidationError)
    assert "no text in UTF-8" in str(refused.exception)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--silences", "0.001"), "edit.cut.silence_ms"),
        (("--param", "silense_ms=600"), "did you mean silence_ms"),
        (("--fillers",), "talk.wav"),
        (("--fillers", "--chapters", "CHAPTERS"), "is no TIME TITLE"),
        (("--keep-chapter", "End"), "'End' is none of none"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_done(
    tmp_path: Path, words: tuple[str, ...], names: str
) -> None:
    (tmp_path / "chapters.txt").write_text("00:00 Start\nThen what\n")
    told = [str(tmp_path / "chapters.txt") if word == "CHAPTERS" else word for word in words]
    refused = asked(tmp_path / "talk.wav", "--data", tmp_path / "home", *told)
    assert isinstance(refused.exception, RushesError)
    assert names in str(refused.exception)


def test_a_speaker_is_known_by_the_name_that_somebody_gave(tmp_path: Path) -> None:
    desk = Desk(Settings(data=tmp_path / "home"), CTX, as_json=False)
    source = tmp_path / "talk.wav"
    source.write_bytes(b"a talk")
    asset = asset_id(CTX.tenant_id, CTX.env, hashlib.sha256(b"a talk").hexdigest())
    for number, name in enumerate(("Anne", "Ann"), 1):
        said = Transcript(
            duration_ms=10,
            language="en",
            words=(),
            cues=(),
            model_used="tiny",
            speaker_names={"speaker_2": name},
        )
        key = artifact_key(CTX, asset, KINDS[Transcript.kind], f"art_{number}", "json")
        desk.home.objects.put(key, said.written(), content_type="application/json")
        kept = Artifact(
            kind=Transcript.kind,
            asset_id=asset,
            key=key,
            artifact_id=f"art_{number}",
            tenant_id=CTX.tenant_id,
            env=CTX.env,
            uri=desk.home.objects.uri(key),
            content_type="application/json",
            sha256="0" * 64,
            bytes=1,
            meta={},
        )
        path = artifact_path(CTX, kept.artifact_id)
        desk.home.documents.create(path, kept.model_dump(mode="json"))
    assert speaker_ids(desk, source, ["ann", "speaker_1"]) == ["speaker_2", "speaker_1"]
    with pytest.raises(ValidationError, match="'Bob' is not known; known: ann"):
        speaker_ids(desk, source, ["Bob"])


@pytest.mark.heavy
def test_the_cut_and_its_lists_lie_beside_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUSHES_MODELS", models_in(tmp_path))
    settings.cache_clear()
    parts = [silence(1.0), spoken(FIVE), silence(1.5), spoken(FOUR), silence(0.8)]
    source = tmp_path / "talk.wav"
    soundfile.write(source, np.concatenate(parts), RATE_HZ)
    (tmp_path / "chapters.txt").write_text("00:00 One\n00:03.5 Two\n")
    chapters = ("--chapters", tmp_path / "chapters.txt", "--keep-chapter", "Two")
    told = asked(source, "--silences", "0.6", *chapters, "--data", tmp_path / "home", "--json")
    settings.cache_clear()
    assert told.exit_code == 0, told.output
    content: dict[str, Any] = json.loads(told.stdout)
    assert content["edits"] == {"silence": 3, "chapter": 1}
    assert (tmp_path / "talk.cut" / "talk chapters.txt").read_text() == "00:00:00 Two\n"
    names = {Path(path).name for path in content["written"]}
    assert {path.name for path in (tmp_path / "talk.cut").iterdir()} == {*names, MANIFEST}
    assert {
        *("talk cut.wav", "talk edits.json", "talk labels.txt", "talk chapters.txt"),
        *("talk cut.otio", "talk cut.fcpxml", "talk cut.fcp7.xml", "talk cut.edl"),
        *("talk cut.srt", "talk cut.vtt"),
    } == names
    edits = EditList.read(tmp_path / "talk.cut" / "talk edits.json")
    assert content["new_duration_ms"] == edits.new_duration_ms < edits.duration_ms - 2000
    cut = soundfile.info(tmp_path / "talk.cut" / "talk cut.wav")
    assert 1000 * cut.duration == pytest.approx(edits.new_duration_ms, abs=0.05)
    captions = tmp_path / "talk.cut" / "talk cut.srt"
    captions.write_text("corrected")
    steps = ("--steps", "transcribe.semantics,detect.phrases", "--data", str(tmp_path / "home"))
    assert CliRunner().invoke(rushes, ["process", str(source), *steps]).exit_code == 0
    told = asked(source, "--silences", "0.6", "--lists-only", "--data", tmp_path / "home", "--json")
    content = json.loads(told.stdout)
    heard = SemanticTimeline.read(tmp_path / "talk.cut" / "talk cut semantics.json")
    assert heard.events[-1].end_ms == round(content["new_duration_ms"])
    phrases = PhraseDetections.read(tmp_path / "talk.cut" / "talk cut phrases.json").segments
    assert 0 < phrases[-1].end_ms <= content["new_duration_ms"]
    assert content["kept"] == ["talk cut.srt"] and captions.read_text() == "corrected"
    assert not (tmp_path / "talk.cut" / "talk chapters.txt").exists(), "it stands no longer"
