"""Names of files, pads and their layers, and the programs for samplers, of members made up here."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.sample import naming
from functions.sample.archive import instruments
from functions.sample.dspreset import dspreset
from functions.sample.members import SORTS, Member, named, sounds_of
from functions.sample.pads import HIGHEST, banks, layers, tuned
from functions.sample.sfz import sfz
from functions.sample.xpm import xpm
from shared.contracts.detections import HitSegment, PhraseSegment
from shared.contracts.step_engine import InputFile


def hit(name: str, peak_dbfs: float = 0.0, sound: str = "", **more: object) -> Member:
    about = HitSegment.model_validate(
        {"start_ms": 0, "end_ms": 900, "score": 0.5, "confidence": 0.5, "onset_ms": 5, **more}
    )
    return Member(SORTS["hits"], f"{name}.wav", sound or name, "art", 9_000, peak_dbfs, about, {})


def detected(onset_ms: float, **more: object) -> InputFile:
    head = {"start_ms": onset_ms, "end_ms": onset_ms + 300, "score": 0.5, "confidence": 0.5}
    return InputFile(
        f"art_{onset_ms:g}", "audio_hit", Path("x.wav"), {**head, "onset_ms": onset_ms, **more}
    )


def phrase(transcript: str | None, start_ms: float = 61_000) -> PhraseSegment:
    return PhraseSegment(
        start_ms=start_ms, end_ms=62_000, score=1, confidence=1, transcript=transcript
    )


def test_sounds_are_numbered_by_kind_and_takes_by_their_score() -> None:
    hits = [
        detected(0, hit_kind="kick", hit_kind_probability=0.9, score=0.4),
        detected(500, hit_kind="knock", note="G2"),
        detected(1_000, hit_kind="hit", take=2, take_of_ms=0.0, score=0.8),
        detected(1_500, hit_kind="kick", hit_kind_probability=0.99),
        detected(2_000, hit_kind="knock"),
    ]
    names = {one.segment.artifact_id: one.name for one in named({"hits": hits})}
    assert names == {
        "art_1000": "Kick 01",
        "art_0": "Kick 01 take 2",
        "art_1500": "Kick 02",
        "art_500": "Knock 01 (G2)",
        "art_2000": "Knock 02",
    }


def test_takes_whose_first_was_left_out_are_one_sound_all_the_same() -> None:
    takes = sounds_of([detected(900, take_of_ms=100.0), detected(1_800, take_of_ms=100.0)])
    assert [len(each) for each in takes] == [2]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("And so, my fellow Americans:", "Phrase - and so my fellow americans"),
        ("../../etc/passwd", "Phrase - etc passwd"),
        ("C:\\Windows\\system32", "Phrase - c windows system32"),
        ("sample=x.wav lokey=0 <region>", "Phrase - sample x wav lokey 0 region"),
        ('#include "x" $KEY // gone', "Phrase - include x key gone"),
        ("It\u2019s caf\u0065\u0301 time", "Phrase - it's café time"),
        ("मेरा नाम अनीता है।", "Phrase - मेरा नाम अनीता है"),
        ("ที่บ้าน", "Phrase - ที่บ้าน"),
        ("\u2764\ufe0f", "Phrase - at 1 min 01 s"),
        ("?!...", "Phrase - at 1 min 01 s"),
        (None, "Phrase - at 1 min 01 s"),
        ("a" * 300, f"Phrase - {'a' * 60}"),
        ("日本語のとても長い文章です" * 9, None),
    ],
)
def test_phrases_are_called_by_their_words(said: str | None, name: str | None) -> None:
    found = naming.phrase_name(phrase(said))
    assert len(found.encode()) < 80 and name in (None, found)


@given(said=st.text(max_size=400))
def test_no_transcript_makes_a_name_that_a_system_or_a_sampler_refuses(said: str) -> None:
    name = naming.phrase_name(phrase(said))
    assert not re.search(r'[/\\:*?"<>|=$&%\x00-\x1f]', name)
    assert name == name.strip(" .") and len(name.encode()) < 80


@given(names=st.lists(st.sampled_from(["Loop", "loop", "LOOP 2", "Loop 2", "x"]), max_size=9))
def test_every_name_is_there_once_also_without_regard_to_case(names: list[str]) -> None:
    apart = naming.told_apart(names)
    assert len({name.casefold() for name in apart}) == len(names)


LEVELS = st.lists(st.floats(-70, 0), min_size=1, max_size=12)


@given(levels=LEVELS)
def test_every_velocity_has_one_layer_and_every_take_is_in_one(levels: list[float]) -> None:
    takes = [hit(f"Kick 01 take {n}", level, "Kick 01") for n, level in enumerate(levels, 1)]
    made = layers(takes)
    heard = [v for layer in made for v in range(layer.low, layer.high + 1)]
    assert heard == list(range(1, HIGHEST + 1))
    assert sorted(t.name for layer in made for t in layer.takes) == sorted(t.name for t in takes)
    softest_first = [max(t.peak_dbfs for t in layer.takes) for layer in made]
    assert softest_first == sorted(softest_first) and len(made) <= 4


def test_a_softer_take_answers_softer_strokes_at_the_level_it_was_recorded() -> None:
    soft, loud = layers([hit("a", -1.0), hit("b", -7.0)])
    home = 127 * 10 ** (-6 / 40)
    assert soft.low <= home <= soft.high and loud.high == 127
    assert soft.lift_db == pytest.approx(6.0) and loud.lift_db == 0


KIT: Sequence[Member] = [
    hit("Kick 01 (A1)", 0.0, "Kick 01 (A1)", pitch_hz=55.5),
    hit("Kick 01 (A1) take 2", -1.0, "Kick 01 (A1)", pitch_hz=55.5),
    hit("Kick 01 (A1) take 3", -9.0, "Kick 01 (A1)", pitch_hz=55.5),
    hit("Tom & 'x' 01", -3.0),
]


def test_the_sfz_has_round_robins_and_layers() -> None:
    (pads,) = banks(KIT)
    lines = sfz("kit", "hit", pads).splitlines()[2:]
    assert lines == [
        "<region> key=36 lovel=1 hivel=98 volume=6 sample=Kick 01 (A1) take 3.wav",
        "<region> key=36 lovel=99 hivel=127 volume=0 seq_length=2 seq_position=1 "
        "sample=Kick 01 (A1).wav",
        "<region> key=36 lovel=99 hivel=127 volume=0 seq_length=2 seq_position=2 "
        "sample=Kick 01 (A1) take 2.wav",
        "<region> key=37 sample=Tom & 'x' 01.wav",
    ]
    played = sfz("kit", "tuned", tuned(KIT))
    assert "lokey=21 hikey=45 seq_length=3 seq_position=1 pitch_keycenter=33 tune=-16" in played


def test_the_decent_sampler_preset_says_the_same() -> None:
    (pads,) = banks(KIT)
    root = ET.fromstring(dspreset("hit", pads))
    groups = list(root.iter("group"))
    assert [group.get("seqMode") for group in groups] == [None, "round_robin", None]
    kick = [dict(sample.attrib) for sample in groups[1].iter("sample")]
    assert [(one["loVel"], one["hiVel"], one["seqPosition"]) for one in kick] == [
        ("99", "127", "1"),
        ("99", "127", "2"),
    ]
    assert {sample.get("path") for sample in root.iter("sample")} == {one.file for one in KIT}
    assert set().union(*(sample.keys() for sample in root.iter("sample"))) <= GUIDE


GUIDE = {
    *("path", "rootNote", "loNote", "hiNote", "loVel", "hiVel", "seqPosition", "tuning"),
    *("pitchKeyTrack", "loopEnabled", "loopStart", "loopEnd", "release"),
}
"""Attributes of <sample> in the DecentSampler Developers Guide that are used."""


def test_the_mpc_program_has_its_pads_layers_and_notes() -> None:
    (pads,) = banks(KIT)
    root = ET.fromstring(xpm("kit", pads))
    program = root.find("Program[@type='Drum']")
    assert program is not None and program.findtext("ProgramName") == "kit"
    pad = program.find("Instruments/Instrument[@number='1']")
    assert pad is not None and len(program.findall("Instruments/Instrument")) == 128
    told = [
        (layer.findtext("Active"), layer.findtext("VelEnd"), layer.findtext("SampleName"))
        for layer in pad.findall("Layers/Layer")
    ]
    assert told[:2] == [
        ("True", "98", "Kick 01 (A1) take 3"),
        ("True", "127", "Kick 01 (A1)"),
    ]
    assert [active for active, *_ in told[2:]] == ["False", "False"]
    assert program.findtext("PadNoteMap/PadNote[@number='1']/Note") == "36"


def test_a_large_pack_goes_on_in_further_programs() -> None:
    many = [hit(f"Kick {n:02d}") for n in range(150)]
    names = set(instruments("walk", many))
    assert {"walk hits.sfz", "walk hits 2.sfz", "walk hits 3.xpm", "walk hits.dspreset"} <= names
    assert "walk hits tuned.sfz" not in names


def test_of_a_note_that_was_hit_hundreds_of_times_the_best_hundred_take_turns() -> None:
    """SFZ's ``seq_length`` and ``seq_position`` go to 100 (sfzformat.com)."""
    takes = [
        hit(f"Kick {n:03d}", -n / 10, pitch_hz=55.0, score=0.9 if n in (5, 125) else 0.5)
        for n in range(130)
    ]
    texts = instruments("walk", takes)
    title, _, *regions = texts["walk hits tuned.sfz"].splitlines()
    assert title == "// walk hits tuned, without 30: of a note 100 take turns"
    turns = [re.search(r"seq_length=(\d+) seq_position=(\d+)", line) for line in regions]
    assert [turn and turn.groups() for turn in turns] == [("100", str(n)) for n in range(1, 101)]
    assert regions[5].endswith("Kick 005.wav") and regions[-1].endswith("Kick 125.wav")
    assert texts["walk hits tuned.dspreset"].count("<sample ") == 100
    alone = instruments("walk", takes[:100])["walk hits tuned.sfz"]
    assert alone.startswith("// walk hits tuned\n")
