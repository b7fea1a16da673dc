"""Buses at work: equaliser, ducking, fader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.functions.render.rig import RATE, level_db, mix, read, tone, write


def stems(folder: Path, timeline: dict[str, Any], sources: dict[str, Path]) -> dict[str, Any]:
    done = mix(folder, sources, timeline, stems_export=True)
    return {stem.meta["bus_id"]: read(stem.path) for stem in done.stems}


def talking_over_music(folder: Path, **duck: Any) -> np.ndarray[Any, Any]:
    """The music's level in dB every 10 ms; somebody talks from 1 s to 2 s."""
    sources = {"voice": write(folder, tone(1.0, 200)), "music": write(folder, tone(5.0, 2_000))}
    buses = [
        {"bus_id": "bus_dialogue", "roles": ["dialogue"]},
        {
            **{"bus_id": "bus_music", "roles": ["music"]},
            "duck": {"under": ["bus_dialogue"], "amount_db": 12, **duck},
        },
    ]
    tracks = [
        {"role": "dialogue", "clips": [{"asset_id": "voice", "start_ms": 1_000}]},
        {"role": "music", "clips": [{"asset_id": "music"}]},
    ]
    heard = stems(folder, {"buses": buses, "tracks": tracks}, sources)["bus_music"][:, 0]
    power = np.square(heard.reshape(-1, RATE // 100)).mean(axis=1)
    return 10 * np.log10(power) - 10 * np.log10(0.125)


def test_music_makes_way_for_a_voice_and_comes_back(tmp_path: Path) -> None:
    level = talking_over_music(tmp_path, attack_ms=80, hold_ms=400, release_ms=600)
    assert np.abs(level[:100]).max() < 0.01, "untouched before"
    assert level[115] < -11, "95 % of the way within 80 ms"
    assert level[150:240].max() < -11.9, "held while it lasts, and 400 ms more"
    assert -6 > level[255] > -11.9, "then it comes back"
    assert level[320:].min() > -0.5
    assert np.abs(np.diff(level)).max() < 5, "without a jump"


def test_a_voice_below_the_threshold_does_not_count(tmp_path: Path) -> None:
    level = talking_over_music(tmp_path, threshold_dbfs=-3)
    assert np.abs(level).max() < 0.01


def test_gain_pan_and_equaliser_of_a_bus(tmp_path: Path) -> None:
    source = {"a": write(tmp_path, tone(2.0, 1_000))}
    bus = {
        **{"bus_id": "mine", "roles": ["music"], "gain_db": -6.0, "pan": 1.0},
        "eq": [{"kind": "peak", "frequency_hz": 1_000, "gain_db": 3.0}],
    }
    timeline = {"buses": [bus], "tracks": [{"clips": [{"asset_id": "a"}]}]}
    (heard,) = stems(tmp_path, timeline, source).values()
    dry = level_db(read(source["a"]))
    assert level_db(heard[RATE:, 1:]) == pytest.approx(dry - 6 + 3 + 3.01, abs=0.05)
    assert level_db(heard[RATE:, :1]) < -100


def test_only_buses_with_tracks_give_stems_and_only_when_asked(tmp_path: Path) -> None:
    source = {"a": write(tmp_path, tone(0.5))}
    timeline = {"tracks": [{"role": "fx", "clips": [{"asset_id": "a"}]}]}
    assert set(stems(tmp_path, timeline, source)) == {"bus_fx"}
    assert mix(tmp_path, source, timeline).stems == []
