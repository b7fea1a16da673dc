"""Named targets, each checked by its own rule on the result; and speech that is levelled first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest
import soundfile

from functions.detect import activity
from functions.transform import normalise
from shared.contracts.audio_activity import ActivitySpan, AudioActivity
from shared.contracts.step import StepState
from shared.contracts.step_engine import InputFile, Output, Result
from shared.errors import ValidationError
from shared.sound.delivery_targets import DELIVERY_TARGETS, Measured, check_delivery, what_fails
from tests.functions.transform.support import RATE, job_of, recording, run, write


def music(seconds: float = 12.0, loud_end: float = 1.0) -> np.ndarray:
    """Noise in bursts; its last tenth at ``loud_end`` times the level."""
    rng = np.random.default_rng(3)
    time = np.arange(round(seconds * RATE)) / RATE
    sound = 0.1 * rng.standard_normal(len(time)) * (0.6 + 0.4 * np.sin(9 * time))
    sound[9 * len(sound) // 10 :] *= loud_end
    return np.stack([sound, sound], axis=1)


@pytest.mark.heavy
@pytest.mark.parametrize("name", [name for name in DELIVERY_TARGETS if name != "atsc_a85"])
def test_every_target_is_met_and_another_meter_agrees(name: str, tmp_path: Path) -> None:
    result = run(normalise.ENGINE, write(tmp_path, music()), tmp_path, target=name)
    (output,) = result.outputs
    target = DELIVERY_TARGETS[name]  # type: ignore[index]
    assert result.state is StepState.DONE and output.meta["delivery"]["met"]
    sound, rate = soundfile.read(output.path)
    heard = pyloudnorm.Meter(rate).integrated_loudness(sound)
    assert heard == pytest.approx(target.lufs, abs=0.15)
    assert output.meta["norm_stats"]["after"]["true_peak_dbtp"] <= target.ceiling_dbtp


@pytest.mark.heavy
def test_short_form_is_also_checked_by_its_loudest_three_seconds(tmp_path: Path) -> None:
    path = write(tmp_path, music(36.0, loud_end=2.5))
    plain = run(normalise.ENGINE, path, tmp_path, target="ebu_r128")
    short = run(normalise.ENGINE, path, tmp_path, target="ebu_r128_s1")
    assert plain.state is StepState.DONE
    assert short.state is StepState.DEGRADED
    assert (
        short.reason is not None and "does not meet EBU R 128 s1: short_term_lufs" in short.reason
    )


@pytest.mark.heavy
def test_a_loudness_of_ones_own_is_not_held_against_a_name(tmp_path: Path) -> None:
    path = write(tmp_path, music())
    meta = run(normalise.ENGINE, path, tmp_path, target_lufs=-20.0).outputs[0].meta
    assert meta["delivery"] is None and meta["target_lufs"] == -20.0
    assert run(normalise.ENGINE, path, tmp_path).outputs[0].meta["delivery"]["target"] == "podcast"


def test_rules() -> None:
    fine = check_delivery("atsc_a85", Measured(-20.0, -3.0, None, -24.9))
    assert fine["met"] and fine["rules"][0]["rule"] == "dialogue_lufs"
    loud = check_delivery("atsc_a85", Measured(-20.0, -1.0))
    told = what_fails(loud)
    assert told is not None and "integrated_lufs is -20.0, true_peak_dbtp is -1.0" in told
    assert not check_delivery("ebu_r128", Measured(-23.6, -3.0))["met"]
    assert not check_delivery("podcast", Measured(None, None))["met"]
    assert check_delivery("ebu_r128_s1", Measured(-23.0, -3.0, None))["met"]  # under 3 s


# -- with what was heard ---------------------------------------------------------------------------


def two_speakers(folder: Path) -> Path:
    """Two readers take turns, the second one 7 dB softer; two seconds of room between them."""
    first, rate = soundfile.read(recording("transcript/LJ001-0002.wav"))
    other, other_rate = soundfile.read(recording("transcript/goforward.wav"))
    count = round(len(other) * rate / other_rate)
    other = np.interp(np.arange(count) / rate, np.arange(len(other)) / other_rate, other)
    meter = pyloudnorm.Meter(rate)
    first *= 10 ** ((-20.0 - meter.integrated_loudness(first)) / 20)
    other *= 10 ** ((-27.0 - meter.integrated_loudness(other)) / 20)
    pause = np.zeros(2 * rate)
    talk = np.concatenate([pause, first, pause, other, pause, first, pause, other, pause])
    room = 10 ** (-62 / 20) * np.random.default_rng(1).standard_normal(len(talk))
    path = folder / "talk.wav"
    soundfile.write(path, talk + room, rate, subtype="PCM_24")
    return path


def heard_by(path: Path, folder: Path) -> dict[str, list[InputFile]]:
    engine = activity.ENGINE
    result = engine.run(job_of(path, folder), engine.params(), engine.backend())
    found = [
        InputFile(f"art_{each.name}", each.kind, each.path, each.meta) for each in result.outputs
    ]
    return {"detect.activity": found}


def normalised(
    path: Path, folder: Path, heard: dict[str, list[InputFile]] | None = None, **params: Any
) -> Result:
    engine = normalise.ENGINE
    job = job_of(path, folder, heard or heard_by(path, folder))
    return engine.run(job, engine.params.model_validate(params), engine.backend())


@dataclass(frozen=True)
class Talk:
    """Two speakers, what was heard of them, and how that was levelled."""

    path: Path
    heard: dict[str, list[InputFile]]
    levelled: Output


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Talk:
    folder = tmp_path_factory.mktemp("talk")
    path = two_speakers(folder)
    heard = heard_by(path, folder)
    (output,) = normalised(path, folder, heard, level_speech=True).outputs
    return Talk(path, heard, output)


@pytest.mark.heavy
def test_two_speakers_seven_decibels_apart_end_within_one_and_a_half(talk: Talk) -> None:
    path, output = talk.path, talk.levelled
    told = output.meta["levelled"]
    assert told["spread_before_lu"] > 5 and told["spread_after_lu"] <= 1.5
    before, rate = soundfile.read(path)
    after, _ = soundfile.read(output.path)
    gain_db = output.meta["norm_stats"]["gain_db"]
    pause = slice(0, round(1.5 * rate))
    raised_db = 10 * np.log10(np.mean(after[pause] ** 2) / np.mean(before[pause] ** 2)) - gain_db
    assert raised_db <= 0.2


def with_turns(
    heard: dict[str, list[InputFile]], *turns: tuple[int, int], alone: bool = False
) -> dict[str, list[InputFile]]:
    """What was heard, and in addition, or ``alone``, these turns of speech: its file is written anew."""
    (file,) = (one for one in heard["detect.activity"] if one.kind == AudioActivity.kind)
    found = AudioActivity.read(file.path)
    spans = [
        ActivitySpan(kind="speech", start_ms=start, end_ms=end, confidence=1.0)
        for start, end in turns
    ]
    every = spans if alone else [*found.spans, *spans]
    every.sort(key=lambda span: span.start_ms)
    found.model_copy(update={"spans": tuple(every)}).write(file.path)
    return heard


@pytest.mark.heavy
def test_turns_without_a_level_do_not_end_the_levelling(talk: Talk, tmp_path: Path) -> None:
    """Shorter than the levels' 10 ms, or behind their end."""
    usual = talk.levelled.meta["levelled"]
    heard = with_turns(talk.heard, (1, 4), (90_000, 91_500))
    result = normalised(talk.path, tmp_path, heard, level_speech=True)
    assert result.outputs[0].meta["levelled"] == usual | {"turns": usual["turns"] + 2}


@pytest.mark.heavy
def test_dialogue_behind_all_levels_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, music(4.0))
    heard = with_turns(heard_by(path, tmp_path), (90_000, 91_500), alone=True)
    result = normalised(path, tmp_path, heard, target="atsc_a85")
    (rule, *_) = result.outputs[0].meta["delivery"]["rules"]
    assert rule["rule"] == "integrated_lufs" and rule["met"]


@pytest.mark.heavy
def test_dialogue_is_what_atsc_measures(tmp_path: Path) -> None:
    speech, rate = soundfile.read(recording("transcript/LJ001-0001.wav"))
    rng = np.random.default_rng(2)
    loud = 0.3 * rng.standard_normal(6 * rate)
    path = tmp_path / "programme.wav"
    soundfile.write(path, np.concatenate([0.3 * speech, 0 * loud[:rate], loud]), rate)
    meta = normalised(path, tmp_path, target="atsc_a85").outputs[0].meta
    rule = meta["delivery"]["rules"][0]
    assert rule["rule"] == "dialogue_lufs" and rule["value"] == pytest.approx(-24, abs=0.5)
    assert meta["norm_stats"]["after"]["integrated_lufs"] > -20


@pytest.mark.heavy
def test_levelling_without_what_was_heard_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as raised:
        run(normalise.ENGINE, write(tmp_path, music(2.0)), tmp_path, level_speech=True)
    assert raised.value.fields["details"]["field"] == "level_speech"
