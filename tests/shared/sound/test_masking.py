"""What is masked begins nothing, nor what moves: chords that swell or sway, and a coder's noise beneath."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from shared.sound.attacks import SHARP, find_onsets, slope_energy
from shared.sound.masking import HIDDEN_DB, NewSound
from shared.sound.onsets import FLOOR_POWER, mel_edges_hz
from tests.functions.detect import synth
from tests.onset_tracks import analyse

RATE_HZ = 44_100
A_MINOR = (220.0, 261.63, 329.63)


def begun_s(samples: synth.Mono) -> list[float]:
    """Where something begins that stands out as far as a hit does."""
    sound = samples[:, None]
    found = find_onsets(analyse([sound], RATE_HZ), slope_energy(sound, RATE_HZ))
    return [
        onset.step / 2000 for onset in found if onset.strength_db >= 1.0 and onset.sharp_db >= SHARP
    ]


def coded(samples: synth.Mono, folder: Path, bit_rate: str) -> synth.Mono:
    """Through AAC and back."""
    given, packed, heard = (folder / name for name in ("given.wav", "packed.m4a", "heard.wav"))
    soundfile.write(given, samples, RATE_HZ, subtype="FLOAT")
    tool = ("ffmpeg", "-v", "error", "-i")
    subprocess.run([*tool, given, "-c:a", "aac", "-b:a", bit_rate, packed], check=True)
    subprocess.run([*tool, packed, "-c:a", "pcm_f32le", heard], check=True)
    read, _ = soundfile.read(heard, dtype="float32")
    return np.asarray(read, np.float32)


@pytest.mark.heavy
@pytest.mark.parametrize("bit_rate", ["96k", "64k"])
def test_a_coder_s_noise_beneath_a_chord_begins_nothing(bit_rate: str, tmp_path: Path) -> None:
    """Six and more toms came out of such a chord."""
    assert len(begun_s(coded(synth.swell(A_MINOR, 3.5), tmp_path, bit_rate))) <= 1


@pytest.mark.parametrize(
    "samples",
    [
        synth.swell((65.4, 98.0, 130.8), 3.0),
        synth.swell(A_MINOR, 3.0, tremolo_hz=4.0),
        synth.swell((440.0, 466.2), 3.0),
    ],
    ids=["low", "tremolo", "beating"],
)
def test_a_swell_begins_once_at_most(samples: synth.Mono) -> None:
    assert len(begun_s(samples)) <= 1


@pytest.mark.heavy
def test_a_choir_begins_once_at_most() -> None:
    assert len(begun_s(synth.choir(A_MINOR))) <= 1


@pytest.mark.first_is_quick
@pytest.mark.parametrize(
    ("vibrato_hz", "cents", "pitches_hz"),
    [(5.5, 100, (220.0, 277.2, 329.6)), (6.5, 150, (659.0,)), (5.0, 80, (147.0, 220.0, 294.0))],
)
def test_a_wide_vibrato_begins_nothing_once_it_sways(
    vibrato_hz: float, cents: float, pitches_hz: Sequence[float]
) -> None:
    """Each swing began a hit, sometimes two: up to thirteen a second."""
    found_s = begun_s(synth.swaying(pitches_hz, 4.0, vibrato_hz=vibrato_hz, cents=cents))
    assert len([at_s for at_s in found_s if at_s > 1.6]) <= 2
    assert len(found_s) <= 12


@pytest.mark.first_is_quick
@pytest.mark.parametrize(
    ("tremolo_hz", "lowest", "pitches_hz"),
    [(5.5, 0.33, A_MINOR), (7.0, 0.18, (440.0,))],
)
def test_a_deep_tremolo_hardly_begins_anything_once_it_swings(
    tremolo_hz: float, lowest: float, pitches_hz: Sequence[float]
) -> None:
    """Each swing began a hit: 18 and 16 of them."""
    sound = synth.trembling(pitches_hz, 4.0, tremolo_hz=tremolo_hz, lowest=lowest)
    found_s = begun_s(synth.noise_floor(sound, -60))
    assert len([at_s for at_s in found_s if at_s > 1.2]) <= 4


@pytest.mark.first_is_quick
@pytest.mark.parametrize("rate_hz", [8.0, 5.0])
def test_a_roll_begins_with_each_stroke(rate_hz: float) -> None:
    """As even and as often as a tremolo, but struck."""
    starts_s = 0.5 + np.arange(round(3 * rate_hz)) / rate_hz
    sound = np.zeros(5 * RATE_HZ, np.float32)
    for start_s in starts_s:
        synth.place(sound, synth.snare(RATE_HZ), round(RATE_HZ * start_s))
    found_s = np.array(begun_s(synth.noise_floor(sound, -60)))
    assert (np.abs(starts_s[:, None] - found_s).min(axis=1) < 0.03).all()


@pytest.mark.heavy
@pytest.mark.parametrize("level", [1.0, 0.15])
def test_drums_over_a_wide_vibrato_begin(level: float) -> None:
    truth = synth.groove(synth.ROCK, 110, bars=3, seed=60)
    seconds = truth.samples.size / RATE_HZ
    pad = synth.swaying(A_MINOR, seconds, vibrato_hz=5.7, cents=100)[RATE_HZ // 2 :]
    found_s = np.array(begun_s(level * truth.samples + pad[: truth.samples.size]))
    assert (np.abs(truth.onsets_s[:, None] - found_s).min(axis=1) < 0.05).all()


@pytest.mark.heavy
@pytest.mark.parametrize("attack_s", [0.005, 0.03, 0.06])
def test_one_note_played_again_and_again_begins_each_time(attack_s: float) -> None:
    """Four times a second, as often as a vibrato sways, in the same place, and not suddenly."""
    starts_s = 0.5 + 0.25 * np.arange(24)
    sound = np.zeros(7 * RATE_HZ, np.float32)
    for start_s in starts_s:
        synth.place(sound, synth.note(RATE_HZ, 220.0, attack_s=attack_s), round(RATE_HZ * start_s))
    found_s = np.array(begun_s(synth.noise_floor(sound, -60)))
    assert (np.abs(starts_s[:, None] - found_s).min(axis=1) < 0.08).all()


@pytest.mark.first_is_quick
@pytest.mark.parametrize("seed", [0, 1])
def test_bowed_notes_begin(seed: int) -> None:
    """An attack of 60 ms under the note before is heard: seven of ten to 80 ms, as without masking."""
    truth = synth.strings(seed=seed)
    found_s = np.array(begun_s(truth.samples))
    near = np.abs(truth.onsets_s[:, None] - found_s).min(axis=1) < 0.08
    assert near.mean() >= 0.7


def test_a_soft_knock_beside_a_loud_chord_is_heard() -> None:
    """30 dB below it, where the chord has no tones."""
    t = np.arange(RATE_HZ // 5) / RATE_HZ
    chord = synth.swell(A_MINOR, 6.0)
    knock = np.sin(2 * np.pi * 2_000 * t) * np.exp(-t / 0.02)
    synth.place(chord, (0.01 * knock).astype(np.float32), 3 * RATE_HZ)
    assert begun_s(chord) == [pytest.approx(3.0, abs=0.03)]


@pytest.mark.parametrize(("beside_hz", "heard"), [(400.0, False), (4_000.0, True)])
def test_masks_its_neighbours_and_not_what_lies_far_off(beside_hz: float, heard: bool) -> None:
    """What comes 25 dB below a tone at 330 Hz, in the 25th frame of 50."""
    edges_hz = mel_edges_hz(RATE_HZ)
    power = np.full((50, len(edges_hz) - 2), 1e-6, np.float32)
    power[:, np.searchsorted(edges_hz, 330.0) - 1] = 1.0
    wide = np.diff(edges_hz)[np.searchsorted(edges_hz, [330.0, beside_hz])]
    power[25:, np.searchsorted(edges_hz, beside_hz) - 1] = 10**-2.5 * wide[0] / wide[1]
    new = NewSound(edges_hz, FLOOR_POWER)
    parts = [new.process(power[:30]), new.process(power[30:]), new.finish()]
    told_db = np.concatenate(parts, axis=1)[0]
    assert len(told_db) == len(power)
    assert (told_db[4:15] < HIDDEN_DB).all()
    assert (told_db[25] >= HIDDEN_DB) == heard


@pytest.mark.parametrize("frames", [1, 4, 13, 14, 15, 80])
def test_every_frame_is_told_of(frames: int) -> None:
    new = NewSound(mel_edges_hz(RATE_HZ), FLOOR_POWER)
    parts = [new.process(np.ones((frames, 128), np.float32)), new.finish()]
    told_db = np.concatenate(parts, axis=1)
    assert told_db.shape == (2, max(frames, 4))
