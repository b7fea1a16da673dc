"""A pack of what the real detections found in a field recording."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from functions.sample.pack import ENGINE, MEMBERS_IN_META, PackParams, cache_key
from shared.contracts.context import RequestContext
from shared.contracts.step import StepState
from shared.contracts.step_engine import InputFile
from shared.errors import UnsupportedMedia, ValidationError
from shared.sound.pitch import note_name
from tests.functions.detect import harness, synth
from tests.functions.sample.rig import (
    FAILED,
    NOTES,
    RATE_HZ,
    Packed,
    detect,
    field_recording,
    pack,
)
from tests.shared.sound.test_riff import parsed

Inputs = Mapping[str, Sequence[InputFile]]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return field_recording(tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="module")
def inputs(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return detect(source, tmp_path_factory.mktemp("detected"))


@pytest.fixture(scope="module")
def packed(source: Path, inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return pack(source, inputs, tmp_path_factory.mktemp("packed") / "out")


@pytest.mark.real_case("sample.pack")
def test_the_hits_of_a_bar_of_drums_are_packed(tmp_path: Path) -> None:
    bar = synth.drums(rate_hz=RATE_HZ, bars=1, noise_dbfs=-70).samples
    source = harness.write(tmp_path / "bar.wav", bar, RATE_HZ)
    found = detect(source, tmp_path / "detected", ["detect.hits"])
    made = pack(source, found, tmp_path / "packed", include=["hits"])
    assert made.result.state is StepState.DONE
    cut = {each.artifact_id: each.path for each in found["detect.hits"]}
    assert len(made.rows("hit")) >= 2
    (shows,) = (one.meta["shows"] for one in made.result.outputs if one.kind == "preview")
    assert shows == f"contact sheet of {len(made.rows('hit'))} hits", "and of no loops or phrases"
    for row in made.rows("hit"):
        sound, _ = soundfile.read(cut[row["artifact_id"]], always_2d=True)
        assert np.array_equal(made.audio(row["file"]), sound)


@pytest.mark.heavy
def test_all_sorts_are_packed_and_named_by_what_they_are(packed: Packed) -> None:
    assert packed.result.state is StepState.DONE
    hits, loops, phrases = (packed.rows(kind) for kind in ("hit", "loop", "phrase"))
    assert len(hits) >= 6 and loops and len(phrases) == 2
    by_sound = r"(Kick|Snare|Clap|Hat|Cymbal|Tom|Note|Clang|Knock|Click|Thud|Swish|Noise|Hit) \d\d"
    hit = re.compile(by_sound + r"( \([A-G]#?-?\d\))?( take \d)?\.wav")
    assert all(hit.fullmatch(row["file"]) for row in hits)
    assert re.fullmatch(r"Loop 120 BPM [1248] bars?\.wav", loops[0]["file"])
    assert all(re.fullmatch(r"Phrase - at \d+ s\.wav", row["file"]) for row in phrases)
    suffixes = {".wav", ".sfz", ".dspreset", ".xpm", ".json", ".png"}
    assert {Path(file).suffix for file in packed.files} == suffixes


@pytest.mark.heavy
def test_every_wav_plays_and_is_what_the_detection_cut(packed: Packed, inputs: Inputs) -> None:
    cut = {each.artifact_id: each.path for segments in inputs.values() for each in segments}
    for row in packed.manifest["segments"]:
        sound, _ = soundfile.read(cut[row["artifact_id"]], always_2d=True)
        assert np.array_equal(packed.audio(row["file"]), sound)
        length_ms = 1000 * len(sound) / RATE_HZ
        shortest_ms = 500 if row["kind"] == "hit" else 0  # silence fills it
        sounding_ms = row["end_ms"] - row["start_ms"]
        assert max(sounding_ms, shortest_ms) == pytest.approx(length_ms, abs=0.01)


@pytest.mark.heavy
def test_notes_are_named_and_drums_of_noise_are_not(packed: Packed) -> None:
    named = {
        row["note"]: row
        for row in packed.rows("hit")
        if row.get("note") and row["start_ms"] > 17_000
    }
    assert {note_name(note) for note in NOTES} <= set(named)
    for note, hertz in NOTES.items():
        row = named[note_name(note)]
        assert row["pitch_hz"] == pytest.approx(hertz, rel=0.002)
        assert f"({note_name(note)})" in row["file"]
    (unity,) = struct.unpack_from("<I", parsed(packed.files[named["C#4"]["file"]])[b"smpl"], 12)
    assert unity == 61


@pytest.mark.heavy
def test_loops_carry_loop_points_beats_and_tempo(packed: Packed) -> None:
    for row in packed.rows("loop"):
        chunks = parsed(packed.files[row["file"]])
        samples = len(packed.audio(row["file"]))
        assert struct.unpack_from("<6I", chunks[b"smpl"], 36)[2:4] == (0, samples - 1)
        count, *_ = struct.unpack_from("<I", chunks[b"cue "])
        places = [struct.unpack_from("<6I", chunks[b"cue "], 4 + 24 * i)[5] for i in range(count)]
        beats = np.array(row["beats_ms"]) - row["start_ms"]
        assert np.array(places) / RATE_HZ * 1000 == pytest.approx(beats, abs=0.05)
        *_, beat_count, denominator, numerator, bpm = struct.unpack("<IHHfIHHf", chunks[b"acid"])
        assert (beat_count, numerator, denominator) == (4 * row["bars"], 4, 4)
        assert bpm == pytest.approx(120, rel=0.003)


@pytest.mark.heavy
def test_a_hits_cue_is_its_onset(packed: Packed) -> None:
    for row in packed.rows("hit"):
        chunks = parsed(packed.files[row["file"]])
        (place,) = struct.unpack_from("<I", chunks[b"cue "], 24)
        assert place / RATE_HZ * 1000 == pytest.approx(row["onset_ms"] - row["start_ms"], abs=0.05)
        assert b"acid" not in chunks and struct.unpack_from("<I", chunks[b"smpl"], 28) == (0,)


@pytest.mark.heavy
def test_a_loops_file_repeats_without_a_click(packed: Packed, source: Path) -> None:
    """Where the sampler goes round it sounds as the recording did: no step, level and brightness."""
    recording, _ = soundfile.read(source, always_2d=True)
    for row in packed.rows("loop"):
        loop, first = packed.audio(row["file"])[:, 0], round(row["start_ms"] * RATE_HZ / 1000)
        around = slice(first - 220, first + 3)
        twice = np.concatenate([loop, loop])[len(loop) - 220 : len(loop) + 3]
        own = recording[around, 0]
        assert _bend(twice[-6:]) < 2 * _bend(own[-6:]) + 2e-3
        assert abs(_level_db(twice) - _level_db(own)) < 3
        assert abs(_level_db(np.diff(twice, 2)) - _level_db(np.diff(own, 2))) < 6


def _bend(samples: np.ndarray) -> float:
    return float(np.abs(np.diff(samples, 2)).max())


def _level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples**2) + 1e-9))


@pytest.mark.heavy
def test_instruments_name_files_that_exist_one_sound_a_key(packed: Packed) -> None:
    sfz = {name: data.decode() for name, data in packed.files.items() if name.endswith(".sfz")}
    assert set(sfz) == {f"field {sort}.sfz" for sort in ("hits", "loops", "phrases", "hits tuned")}
    for name, text in sfz.items():
        samples = re.findall(r"sample=(.+)$", text, re.MULTILINE)
        assert samples and set(samples) <= set(packed.files), name
    for kind in ("loop", "phrase"):
        keys = [int(key) for key in re.findall(r" key=(\d+)", sfz[f"field {kind}s.sfz"])]
        assert keys == list(range(36, 36 + len(packed.rows(kind))))
    lengths = [len(packed.audio(row["file"])) for row in packed.rows("loop")]
    ends = re.findall(r"loop_start=0 loop_end=(\d+)", sfz["field loops.sfz"])
    assert [int(end) for end in ends] == [length - 1 for length in lengths]
    assert "loop_mode=loop_continuous" in sfz["field loops.sfz"]


@pytest.mark.heavy
def test_tuned_hits_cover_each_key_once(packed: Packed) -> None:
    text = packed.files["field hits tuned.sfz"].decode()
    found = re.findall(r"lokey=(\d+) hikey=(\d+) .*pitch_keycenter=(\d+) tune=(-?\d+)", text)
    ranges = sorted({(int(low), int(high), int(note)) for low, high, note, _ in found})
    assert all(low <= note <= high for low, high, note in ranges)
    assert all(before[1] < after[0] for before, after in pairwise(ranges))
    assert set(NOTES) <= {note for *_, note in ranges}


@pytest.mark.heavy
def test_the_picture_shows_every_sound_in_its_colour(packed: Packed) -> None:
    from PIL import Image

    picture = Image.open(io.BytesIO(packed.files["contact sheet.png"]))
    colours = {b"#%02x%02x%02x" % colour for _, colour in picture.getcolors(1 << 20) or []}
    assert {b"#e6553c", b"#1f9d63", b"#2f6fde"} <= colours


@pytest.mark.heavy
def test_the_same_input_gives_the_same_bytes(
    source: Path, inputs: Inputs, packed: Packed, tmp_path: Path
) -> None:
    again = pack(source, inputs, tmp_path / "again")
    for one, other in zip(packed.result.outputs, again.result.outputs, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()
        assert one.meta == other.meta
    with zipfile.ZipFile(again.output.path) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {"field samples"}


@pytest.mark.heavy
def test_what_scores_less_is_left_out(source: Path, inputs: Inputs, tmp_path: Path) -> None:
    strict = pack(source, inputs, tmp_path / "strict", min_quality_score=0.6)
    scores = [row["score"] for row in strict.manifest["segments"]]
    assert scores and min(scores) >= 0.6
    for step, outcome in strict.meta["outcomes"].items():
        rows = [each for each in inputs[step] if "start_ms" in each.meta]
        good = [each for each in rows if each.meta["score"] >= 0.6]
        assert outcome["found"] == len(rows)
        assert outcome["packed"] == len(good) or step == "detect.hits"  # not all takes of a sound


@pytest.mark.heavy
@pytest.mark.parametrize(("given", "used"), [(7.0, 1.0), (-1.0, 0.0)])
def test_quality_is_clamped_and_the_meta_says_so(
    given: float, used: float, source: Path, inputs: Inputs, tmp_path: Path
) -> None:
    made = pack(source, inputs, tmp_path / "out", min_quality_score=given)
    assert made.meta["min_quality_score"] == made.manifest["min_quality_score"] == used
    assert made.meta["clamped"] == {"min_quality_score": {"given": given, "used": used}}


@pytest.mark.heavy
def test_nothing_good_enough_is_said(source: Path, inputs: Inputs, tmp_path: Path) -> None:
    made = pack(source, inputs, tmp_path / "out", min_quality_score=1.0, include=["hits"])
    assert made.result.state is StepState.SKIPPED
    assert made.result.reason is not None and "scores 1 or more" in made.result.reason
    assert made.manifest["segments"] == []


@pytest.mark.heavy
def test_only_what_lies_between_the_offsets(source: Path, inputs: Inputs, tmp_path: Path) -> None:
    made = pack(source, inputs, tmp_path / "out", start_offset_ms=2_000, end_offset_ms=9_000)
    rows = made.manifest["segments"]
    assert rows and made.rows("phrase") == []
    assert all(row["start_ms"] >= 2_000 and row["end_ms"] <= 9_000 for row in rows)


@pytest.mark.heavy
def test_only_the_sorts_that_are_asked_for(source: Path, inputs: Inputs, tmp_path: Path) -> None:
    made = pack(source, inputs, tmp_path / "out", include="phrases")
    assert {row["kind"] for row in made.manifest["segments"]} == {"phrase"}
    assert made.meta["outcomes"]["detect.hits"]["included"] is False


@pytest.mark.parametrize(
    ("field", "params"),
    [
        ("include", {"include": []}),
        ("start_offset_ms", {"start_offset_ms": -1}),
        ("max_takes", {"max_takes": 0}),
        ("end_offset_ms", {"start_offset_ms": 500, "end_offset_ms": 500}),
    ],
)
def test_wrong_params_are_named(field: str, params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        PackParams(**params)
    assert raised.value.fields["details"]["field"] == field


@pytest.mark.heavy
def test_a_failed_detection_leaves_the_others(source: Path, inputs: Inputs, tmp_path: Path) -> None:
    left = {**inputs, "detect.phrases": []}
    made = pack(source, left, tmp_path / "out", failed={"detect.phrases": FAILED})
    assert made.result.state is StepState.DEGRADED
    assert made.result.reason == "detect.phrases failed: faster-whisper failed: told to"
    assert made.rows("hit") and made.rows("loop") and not made.rows("phrase")
    for told in (made.meta, made.manifest):
        assert told["outcomes"]["detect.phrases"]["state"] == "failed"
        assert told["outcomes"]["detect.phrases"]["error"] == FAILED
        assert told["outcomes"]["detect.hits"]["state"] == "done"


@pytest.mark.heavy
def test_a_failure_that_concerns_nothing_wanted_degrades_nothing(
    source: Path, inputs: Inputs, tmp_path: Path
) -> None:
    failed = {"detect.phrases": FAILED}
    made = pack(source, inputs, tmp_path / "out", failed=failed, include=["hits", "loops"])
    assert made.result.state is StepState.DONE
    assert made.meta["outcomes"]["detect.phrases"]["error"] == FAILED


@pytest.mark.heavy
def test_a_skipped_detection_is_no_failure(source: Path, inputs: Inputs, tmp_path: Path) -> None:
    left = {**inputs, "detect.loops": []}
    failed = {"detect.loops": {"reason": "silent recording"}}
    made = pack(source, left, tmp_path / "out", failed=failed)
    assert made.result.state is StepState.DONE
    outcome = made.meta["outcomes"]["detect.loops"]
    assert (outcome["state"], outcome["reason"]) == ("skipped", "silent recording")


@pytest.mark.heavy
def test_a_thousand_members_do_not_burst_the_document(
    source: Path, inputs: Inputs, tmp_path: Path
) -> None:
    hit = next(each for each in inputs["detect.hits"] if each.kind == "audio_hit")
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(200), RATE_HZ)
    many = [
        replace(
            hit,
            artifact_id=f"art_{n:028d}",
            path=short,
            meta={**hit.meta, "score": 0.9, "onset_ms": float(n), "take_of_ms": None},
        )
        for n in range(1_000)
    ]
    made = pack(source, {"detect.hits": many}, tmp_path / "out")
    assert len(made.manifest["segments"]) == made.meta["member_count"] == 1_000
    assert len(made.meta["members"]) == MEMBERS_IN_META
    document = json.dumps([made.meta, list(made.output.parents)])
    assert len(document) < 200_000
    sfz = [name for name in made.files if name.endswith(".sfz")]
    keys = [
        int(key) for name in sfz for key in re.findall(r" key=(\d+)", made.files[name].decode())
    ]
    assert len(keys) >= 1_000 and max(keys) < 128


@pytest.mark.heavy
def test_members_and_parents_say_where_the_pack_comes_from(packed: Packed, inputs: Inputs) -> None:
    known = {each.artifact_id for segments in inputs.values() for each in segments}
    parents = set(packed.output.parents)
    assert parents <= known
    assert {row["artifact_id"] for row in packed.manifest["segments"]} < parents
    first = packed.manifest["segments"][0]
    told = ("file", "start_ms", "end_ms", "score", "confidence")
    assert packed.meta["members"][0] == {name: first[name] for name in told}


@pytest.mark.heavy
def test_a_segment_that_is_no_sound_is_refused(
    source: Path, inputs: Inputs, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF\x04\x00\x00\x00WAVEnothing")
    hits = [replace(each, path=broken) for each in inputs["detect.hits"]]
    with pytest.raises(UnsupportedMedia):
        pack(source, {"detect.hits": hits}, tmp_path / "out")


CTX = RequestContext.of("t1", "dev", None)
UPSTREAM = {"detect.hits": "key of hits", "detect.loops": "key of loops"}


def test_the_cache_key_is_of_asset_params_and_version() -> None:
    def key(asset: str = "ast_1", version: str = "1", **params: Any) -> str:
        return cache_key(CTX, asset, None, PackParams(**params), version, UPSTREAM)

    assert re.fullmatch(r"[0-9a-f]{64}", key())
    assert key() == key(include=["phrases", "hits", "loops"]) == key(start_offset_ms=0)
    others = [
        key("ast_2"),
        key(version="2"),
        key(min_quality_score=0.3),
        key(max_takes=3),
        key(start_offset_ms=1),
        key(end_offset_ms=900),
        key(include=["hits"]),
        cache_key(CTX, "ast_1", None, PackParams(), "1", {**UPSTREAM, "detect.hits": "other"}),
        cache_key(CTX, "ast_1", "art_1", PackParams(), "1", UPSTREAM),
    ]
    assert len({key(), *others}) == 1 + len(others)


def test_the_engine_declares_its_formula() -> None:
    assert ENGINE.cache_key is cache_key
    assert ENGINE.backend().version.startswith("pack-5+numpy-")
