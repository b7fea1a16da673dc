"""A host near the microphone and a guest far from it come to one loudness; the room does not rise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest

from tests.functions.render.rig import RATE, Sound, mix, write


def voice(level_db: float, seed: int, starts_s: tuple[float, ...], length_s: float = 12.0) -> Sound:
    """Bursts of two seconds, like syllables, at ``starts_s``; a quiet room throughout."""
    rng = np.random.default_rng(seed)
    sound = 10 ** (-75 / 20) * rng.standard_normal(round(length_s * RATE))
    time = np.arange(2 * RATE) / RATE
    burst = rng.standard_normal(len(time)) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))
    for start in starts_s:
        at = round(start * RATE)
        sound[at : at + len(burst)] += 10 ** (level_db / 20) * burst
    return np.asarray(sound)


def timeline(**clips: dict[str, Any]) -> dict[str, Any]:
    tracks = [
        {"track_id": name, "role": "dialogue", "clips": [{"clip_id": name, "start_ms": 0, **clip}]}
        for name, clip in clips.items()
    ]
    return {"tracks": tracks, "mix_preset_id": "flat_mix"}


def lufs(sound: Sound, start_s: float) -> float:
    part = sound[round((start_s + 0.2) * RATE) : round((start_s + 1.8) * RATE)]
    return float(pyloudnorm.Meter(RATE).integrated_loudness(part))


@pytest.mark.first_is_quick
@pytest.mark.parametrize("wanted", [True, False])
def test_two_speakers_seven_decibels_apart(tmp_path: Path, wanted: bool) -> None:
    sources = {
        "a": write(tmp_path, voice(-20, 1, (1.0, 7.0))),
        "b": write(tmp_path, voice(-27, 2, (4.0, 10.0))),
    }
    asked = timeline(host={"asset_id": "a"}, guest={"asset_id": "b"})
    mixed = mix(tmp_path, sources, asked, premaster_export=True, level_dialogue=wanted)
    sound = mixed.sound("premaster")
    host, guest = lufs(sound, 1.0), lufs(sound, 4.0)
    assert host - guest == pytest.approx(0.0 if wanted else 7.0, abs=1.0)
    pause = sound[round(3.3 * RATE) : round(3.7 * RATE)]
    assert 20 * np.log10(np.sqrt(np.mean(pause**2))) < -71
    levelled = mixed.master.meta["levelled_db"]
    assert (
        levelled == {}
        if not wanted
        else levelled["guest"] - levelled["host"] == pytest.approx(7, abs=1)
    )


@pytest.mark.heavy
def test_gains_lie_where_the_speech_is_at_a_rate_without_whole_10_ms(tmp_path: Path) -> None:
    rate, sources = 22_050, {}
    for name, level, starts_s in (("a", 0.1, (1, 55)), ("b", 0.03, (4,))):
        sound = np.full(58 * rate, 1e-5)
        sound[::2] *= -1
        for start in starts_s:
            at = np.arange(start * rate, (start + 2) * rate)
            sound[at] = level * np.sin(2 * np.pi * 441 * at / rate)
        sources[name] = write(tmp_path, sound, rate=rate)
    asked = {**timeline(host={"asset_id": "a"}, guest={"asset_id": "b"}), "sample_rate_hz": rate}
    mixed = mix(tmp_path, sources, asked, premaster_export=True, level_dialogue=True)
    first, last = (mixed.sound("premaster")[at * rate :][: 2 * rate] for at in (1, 55))
    assert np.abs(last - first).max() < 0.01 * np.abs(first).max()
