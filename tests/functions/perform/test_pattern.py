import hashlib
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose

from functions.perform import bank
from functions.perform.format import read_pattern, to_score
from functions.perform.loudness_table import format_performance
from functions.perform.pattern import (
    ENGINE,
    PatternParams,
    perform_file,
    referenced_artifacts,
)
from functions.perform.pattern_rendering import MAX_STEM_S, file_names
from shared.audio.metrics import integrated_lufs
from shared.audio.score import EffectsSetup
from shared.contracts.asset import MediaInfo
from shared.contracts.step import StepState
from shared.contracts.step_engine import Job
from shared.errors import InputTooLarge, UnsupportedMedia, ValidationError
from shared.pipeline import KINDS
from tests.functions.perform.rig import EXAMPLE, MIDI_FILES, pattern, write


def job(source: Path, workdir: Path, **sources: Path) -> Job:
    workdir.mkdir(exist_ok=True)
    fractions: list[float] = []
    media = MediaInfo(container="pattern", duration_ms=None)
    made = Job(source, media, workdir, fractions.append, sources=sources)
    object.__setattr__(made, "heard", fractions)
    return made


@pytest.fixture(scope="module")
def performed(tmp_path_factory):
    """The example, performed as a step."""
    work = job(EXAMPLE, tmp_path_factory.mktemp("work"))
    return work, ENGINE.run(work, PatternParams(), ENGINE.backend())


@pytest.mark.heavy
def test_outputs_are_complete_and_meet_their_kinds(performed):
    work, result = performed
    assert result.state is StepState.DONE
    roles = [output.meta.get("role") for output in result.outputs]
    assert roles == ["master", *["stem"] * 8, "loudness", "automation", None]
    for output in result.outputs:
        assert set(KINDS[output.kind].demands) <= set(output.meta)
        assert output.path.stat().st_size > 0
        json.dumps(output.meta, allow_nan=False)
    assert work.heard[-1] == 1.0


@pytest.mark.heavy
def test_stems_add_up_to_the_master(performed):
    _, result = performed
    sounds = [o for o in result.outputs if o.content_type == "audio/wav"]
    master, *stems = [soundfile.read(output.path)[0] for output in sounds]
    assert_allclose(sum(stems), master, rtol=0, atol=len(stems) * 2.0**-23, equal_nan=False)
    assert np.abs(master).max() == pytest.approx(10.0 ** (-1.0 / 20.0), abs=1e-3), (
        "trimmed to -1 dBFS"
    )
    assert all(np.abs(stem).max() > 0.001 for stem in stems)


@pytest.mark.heavy
def test_the_rows_describe_the_file(performed):
    _, result = performed
    master = result.outputs[0]
    audio, rate = soundfile.read(master.path)
    assert master.meta["integrated_lufs"] == pytest.approx(integrated_lufs(audio, rate), abs=0.02)
    beat = round(rate * 60 / 112)
    expected = 10.0 * np.log10(np.square(audio[:beat]).mean(axis=0))
    assert master.meta["loudness_rows"][0]["rms_dbfs"] == pytest.approx(expected.tolist(), abs=0.02)


@pytest.mark.heavy
def test_fades_are_in_the_log(performed):
    _, result = performed
    log = result.outputs[0].meta["automation_log"]
    fades = [
        (entry["lane"], entry["row"], entry["curve"], entry["applied_ms"])
        for entry in log
        if entry["curve"]
    ]
    assert fades == [
        ("bass swell", 9, "exponential", pytest.approx(267.857)),
        ("pad tone", 9, "s_curve", pytest.approx(1_071.429)),
        ("pad tone", 13, "linear", 5.0),
    ]


@pytest.mark.heavy
def test_performing_again_gives_the_same_bytes(performed, tmp_path):
    _, result = performed
    again = ENGINE.run(job(EXAMPLE, tmp_path / "again"), PatternParams(), ENGINE.backend())
    for one, other in zip(result.outputs, again.outputs, strict=True):
        assert one.meta == other.meta
        digests = [hashlib.sha256(output.path.read_bytes()).hexdigest() for output in (one, other)]
        assert digests[0] == digests[1], one.name


@pytest.mark.heavy
def test_tempo_and_duration_are_the_asker_s(tmp_path):
    rendering = perform_file(
        write(tmp_path, pattern()), PatternParams(tempo_bpm=60, duration_beats=5)
    )
    assert rendering.duration_s == 5.0
    assert [row["label"] for row in rendering.loudness_rows] == ["1.1", "1.2", "1.3", "1.4", "2.1"]
    assert rendering.files == {}


@pytest.mark.heavy
def test_the_printed_table_has_a_line_a_beat(tmp_path):
    printed = format_performance(perform_file(write(tmp_path, pattern()))).splitlines()
    assert printed[0].split() == [
        "beat",
        "LUFS",
        "RMS",
        "dBFS",
        "peak",
        "dBFS",
        "crest",
        "dB",
        "peak",
        "hold",
        "dBFS",
    ]
    assert printed[1].split()[0] == "1.1"
    assert printed[2].split()[0] == "1.2"
    assert "21 automation events scheduled" in printed


@pytest.mark.parametrize("gain_db", [0, 24])
def test_progress_only_grows_also_where_a_piece_is_turned_down(gain_db, tmp_path):
    hats = [{"name": "hats", "sound": "hat", "gain_db": gain_db}]
    work = job(write(tmp_path, pattern(instruments=hats)), tmp_path / "work")
    result = ENGINE.run(work, PatternParams(duration_beats=4), ENGINE.backend())
    assert (result.outputs[0].meta["trim_db"] < 0) == (gain_db > 0)
    assert work.heard == sorted(work.heard)
    assert work.heard[0] < 0.2 and work.heard[-1] == 1.0
    assert max(np.diff(work.heard)) < 0.2


def test_silent_beats_are_dashes(tmp_path):
    lane = {"name": "hats", "instrument": "hats", "notes": "x . . . . . . . . . . ."}
    printed = format_performance(perform_file(write(tmp_path, pattern(lanes=[lane]))))
    assert printed.splitlines()[3].split()[:2] == ["1.3", "-"]


def own_sound(sound) -> dict:
    return pattern(instruments=[{"name": "hats", "sound": sound, "family": "keys"}])


@pytest.mark.real_case("perform.pattern")
def test_own_recordings_play(tmp_path):
    clip = tmp_path / "clip.wav"
    time = np.arange(11_025) / 44_100
    soundfile.write(clip, 0.5 * np.sin(2.0 * np.pi * 1_000.0 * time), 44_100)
    path = write(tmp_path, own_sound("artifact:art_1"))
    assert referenced_artifacts(path) == ("art_1",)
    work = job(path, tmp_path / "work", art_1=clip)
    result = ENGINE.run(work, PatternParams(), ENGINE.backend())
    audio, rate = soundfile.read(result.outputs[0].path)
    spectrum = np.abs(np.fft.rfft(audio[: rate // 4, 0]))
    assert spectrum.argmax() * 4 == pytest.approx(1_000, abs=8)


def test_own_recordings_in_layers_are_all_fetched(tmp_path):
    layers = [{"artifact": "soft", "max_velocity": 60}, {"artifact": "loud", "min_velocity": 61}]
    assert referenced_artifacts(write(tmp_path, own_sound(layers))) == ("soft", "loud")


def test_a_missing_recording_and_an_unknown_sound_name_the_instrument(tmp_path):
    with pytest.raises(ValidationError, match="instrument 'hats': there is no recording 'art_1'"):
        perform_file(write(tmp_path, own_sound("artifact:art_1")))
    with pytest.raises(
        ValidationError, match="instrument 'hats': sound 'kazoo' is not in the bank"
    ):
        perform_file(write(tmp_path, own_sound("kazoo")))


def test_a_recording_that_is_none_is_refused(tmp_path):
    clip = tmp_path / "clip.wav"
    clip.write_bytes(b"RIFF nonsense")
    with pytest.raises(UnsupportedMedia, match="a clip can't be read"):
        perform_file(write(tmp_path, own_sound("artifact:art_1")), clips={"art_1": clip})


@pytest.mark.parametrize(
    ("changes", "params", "words"),
    [
        ({}, {"duration_beats": 1e6}, "longer than the 600 s"),
        ({"length_beats": 90_000}, {}, "longer than the 600 s"),
        ({}, {"tempo_bpm": 0.1}, "outside 5 to 1,000 BPM"),
        ({}, {"duration_beats": 0}, "not above 0"),
    ],
)
def test_lengths_and_tempos_have_limits(tmp_path, changes, params, words):
    with pytest.raises(ValidationError, match=words):
        perform_file(write(tmp_path, pattern(**changes)), PatternParams(**params))


def parts(count: int) -> dict:
    names = [f"hats {number}" for number in range(count)]
    return {
        "instruments": [{"name": name, "sound": "hat"} for name in names],
        "lanes": [{"name": name, "instrument": name, "notes": "x . . ."} for name in names],
    }


@pytest.mark.heavy
def test_all_stems_together_have_a_limit(tmp_path, monkeypatch):
    assert MAX_STEM_S == 3_600
    long = write(tmp_path, pattern(**parts(7)))
    with pytest.raises(ValidationError, match="7 stems of 600 s are more than 3,600 s of stems"):
        perform_file(long, PatternParams(duration_beats=1_200))
    monkeypatch.setattr("functions.perform.pattern_rendering.MAX_STEM_S", 4)
    assert (
        perform_file(
            write(tmp_path, pattern(**parts(2))), PatternParams(duration_beats=4)
        ).duration_s
        == 2
    )
    with pytest.raises(ValidationError, match="3 stems of 2 s are more than 4 s of stems"):
        perform_file(write(tmp_path, pattern(**parts(3))), PatternParams(duration_beats=4))


def test_large_files_and_other_bytes_are_refused(tmp_path):
    path = tmp_path / "pattern.json"
    path.write_bytes(b" " * 4_000_001)
    with pytest.raises(InputTooLarge):
        perform_file(path)
    path.write_bytes(b"\xff\xfe\x00garbage")
    with pytest.raises(ValidationError, match="neither JSON text nor a MIDI file"):
        perform_file(path)
    path.write_bytes(b"")
    with pytest.raises(ValidationError, match="is an empty file"):
        perform_file(path)


@pytest.mark.parametrize("head", [b"RIFF\0\0\0\0WAVE", b"fLaC", b"\0\0\0\x18ftypM4A "])
def test_a_recording_is_told_which_command_takes_it(tmp_path, head):
    path = tmp_path / "take.wav"
    path.write_bytes(head + bytes(4_000_001))
    with pytest.raises(ValidationError, match="`rushes process` takes it"):
        perform_file(path)


@pytest.mark.heavy
@pytest.mark.skipif(not MIDI_FILES.exists(), reason="the test recordings are not on this machine")
def test_a_midi_file_performs(tmp_path):
    rendering = perform_file(MIDI_FILES / "test-c-major-scale.mid", out=tmp_path / "out")
    assert rendering.integrated_lufs > -40.0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(names) == 5 and "master.wav" in names and not any("stem" in name for name in names)


@pytest.mark.heavy
@pytest.mark.parametrize("name", bank.names())
def test_every_sound_of_the_bank_speaks_up(name):
    sound = bank.sound(name, 48_000)
    assert bool(sound.layers) != bool(sound.wave)
    for layer in sound.layers:
        assert 0.1 < np.abs(layer.sample).max() <= 0.951
        assert abs(layer.sample.mean()) < 0.02
        assert abs(layer.sample[-1]) < 1e-3


@pytest.mark.parametrize("name", sorted(bank._SAMPLED))
def test_layers_of_a_sound_are_equally_loud_as_its_recipe_says(name):
    said = bank._SAMPLED[name].level_dbfs
    for layer in bank.sound(name, 48_000).layers:
        tenths = [layer.sample[at : at + 4_800] for at in range(0, len(layer.sample), 4_800)]
        loudest = max(float(np.square(tenth).sum()) / 4_800 for tenth in tenths)
        assert 10.0 * np.log10(loudest) == pytest.approx(said, abs=0.02)


@pytest.mark.parametrize("rate", [44_100, 88_200, 96_000, 192_000])
def test_no_click_of_the_drums_passes_full_scale_at_any_rate(rate):
    for name in ("kick", "snare", "hat", "clap", "rim"):
        assert max(np.abs(layer.sample).max() for layer in bank.sound(name, rate).layers) < 0.96


@pytest.mark.heavy
def test_bolder_layers_are_brighter():
    for name in ("keys", "strings", "pluck", "snare"):
        energies = [
            np.square(np.diff(layer.sample)).sum() / np.square(layer.sample).sum()
            for layer in bank.sound(name, 48_000).layers
        ]
        assert energies == sorted(energies)


def test_stems_are_called_after_their_instruments() -> None:
    names = ["master", "bass", "Bass", "hi/hat: *open*", "..", "master"]
    assert file_names(names) == [
        "master.wav",
        "bass.wav",
        "Bass 2.wav",
        "hi hat open.wav",
        "stem.wav",
        "master 2.wav",
    ]


@pytest.mark.parametrize(
    ("sends", "tail_s"),
    [({}, 0.0), ({"reverb": -6.0}, 3.0), ({"delay": -6.0}, 11 * 0.5), ({"delay": -60}, 5.5)],
)
def test_the_tail_lets_delay_and_reverb_die_away(sends: dict[str, float], tail_s: float) -> None:
    score = to_score(read_pattern(json.dumps(pattern())))
    setups = tuple(replace(setup, sends_db=sends) for setup in score.instruments)
    score = replace(score, instruments=setups, effects=EffectsSetup(Fraction(1), 0.5, 3.0))
    rung = score.ringing_out()
    end_s = score.tempo_map.seconds_at(score.length_beats + score.tail_beats)
    rung_s = score.tempo_map.seconds_at(rung.length_beats + rung.tail_beats)
    assert float(rung_s - end_s) == pytest.approx(tail_s, abs=0.01)
    assert rung.length_beats == score.length_beats
