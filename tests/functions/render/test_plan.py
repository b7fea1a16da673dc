"""Planning: routing, presets, and the same plan every time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import sosfreqz

from functions.render.audio import ENGINE, AudioRenderParams
from functions.render.audio.clip_filters import biquad
from functions.render.audio.export_presets import EXPORT_PRESETS, MIX_PRESETS, routes
from functions.render.audio.mix_plan import Plan, plan_mix
from shared.contracts.context import RequestContext
from shared.contracts.step_engine import SourceRef
from shared.contracts.timeline import Timeline
from shared.contracts.timeline_parts import EqBand
from shared.errors import ValidationError

LENGTHS = {"a": 1_000.0, "b": 2_000.0}
TRACKS = [
    {"track_id": "music", "role": "music", "clips": [{"asset_id": "a"}]},
    {"track_id": "host", "role": "vox", "clips": [{"artifact_id": "b", "start_ms": 250}]},
]


def planned(timeline: dict[str, Any] | None = None, **options: Any) -> Plan:
    made = Timeline.model_validate(timeline or {"tracks": TRACKS})
    return plan_mix(made, LENGTHS, **options)


def reason(timeline: dict[str, Any], **params: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        AudioRenderParams.model_validate({"timeline": timeline, **params})
    return caught.value.message


def test_the_same_timeline_gives_the_same_plan_and_string() -> None:
    assert planned() == planned()
    assert str(planned()) == str(planned())
    assert str(planned()) != str(planned(preset_id="podcast"))


def test_times_become_samples() -> None:
    clip = next(iter(planned().clips)), list(planned().clips)[1]
    assert [(one.source, one.start, one.frames) for one in clip] == [
        ("b", 12_000, 96_000),
        ("a", 0, 48_000),
    ]
    assert planned().frames == 108_000


@given(st.lists(st.floats(1, 500), min_size=2, max_size=12))
def test_clips_that_touch_leave_no_gap_and_no_overlap(lengths: list[float]) -> None:
    at, clips = 0.0, []
    for length in lengths:
        clips.append({"asset_id": "b", "start_ms": at, "source_end_ms": length})
        at += length
    made = list(planned({"tracks": [{"clips": clips}]}).clips)
    assert all(a.stop == b.start for a, b in pairwise(made))


def test_an_unknown_export_preset_is_named_with_the_known_ones() -> None:
    message = reason({"tracks": TRACKS}, export_preset="loud")
    assert "Unknown export preset: loud" in message
    assert all(name in message for name in EXPORT_PRESETS)


def test_unknown_mix_presets_roles_and_buses_are_refused() -> None:
    assert "Unknown mix preset: x" in reason({"mix_preset_id": "x"})
    track = {"track_id": "t", "role": "kazoo"}
    assert "tracks.t.role: no bus takes 'kazoo'" in reason({"tracks": [track]})
    duck = {"bus_id": "bus_music", "duck": {"under": ["bus_x"]}}
    assert "there is no bus 'bus_x'" in reason({"buses": [duck]})


def test_nothing_to_hear_and_late_markers_are_refused() -> None:
    with pytest.raises(ValidationError, match="no clip to be heard"):
        planned({"tracks": [{**TRACKS[0], "muted": True}]})
    late = {"tracks": TRACKS, "markers": [{"time_ms": 9_999, "name": "late"}]}
    with pytest.raises(ValidationError, match=r"markers\.late"):
        planned(late)


@pytest.mark.parametrize("preset", MIX_PRESETS)
def test_every_mix_preset_takes_every_role(preset: str) -> None:
    roles = ("dialogue", "vox", "drums", "bass", "keys", "music", "fx", "ambience")
    timeline = {"mix_preset_id": preset, "tracks": [{"track_id": r, "role": r} for r in roles]}
    taken = routes(Timeline.model_validate(timeline))
    assert set(taken) == set(roles) and taken["vox"].bus_id == "bus_dialogue"


def test_a_timelines_own_bus_replaces_the_presets_or_takes_its_roles() -> None:
    own = [{"bus_id": "bus_drums", "roles": ["drums"], "gain_db": -9}]
    own.append({"bus_id": "choir", "roles": ["vox", "choir"]})
    taken = routes(
        Timeline.model_validate(
            {
                "buses": own,
                "tracks": [
                    {"track_id": r, "role": r} for r in ("drums", "vox", "choir", "dialogue")
                ],
            }
        )
    )
    assert taken["drums"].gain_db == -9
    assert [taken[r].bus_id for r in ("vox", "choir", "dialogue")] == [
        "choir",
        "choir",
        "bus_dialogue",
    ]


def test_buses_come_in_the_presets_order_whatever_the_tracks() -> None:
    swapped = {"tracks": TRACKS[::-1]}
    orders = [[one.bus.bus_id for one in plan.buses] for plan in (planned(), planned(swapped))]
    assert orders == [["bus_dialogue", "bus_music"]] * 2


def test_the_step_names_its_sources_once_and_keys_its_cache_by_a_digest() -> None:
    tracks = [*TRACKS, {"clips": [{"asset_id": "a"}]}]
    params = AudioRenderParams.model_validate({"timeline": {"tracks": tracks}})
    assert ENGINE.sources is not None and ENGINE.cache_key is not None
    assert list(ENGINE.sources(params)) == [SourceRef("a"), SourceRef(artifact_id="b")]
    ctx = RequestContext.of("t1", "dev")
    keys = [ENGINE.cache_key(ctx, "x", None, params, "1", {"source a": digest}) for digest in "mn"]
    assert keys[0] != keys[1] and len(keys[0]) < 200


@pytest.mark.parametrize(
    ("band", "hz", "gain_db"),
    [
        (EqBand(kind="peak", frequency_hz=1_000, gain_db=6), 1_000, 6.0),
        (EqBand(kind="low_shelf", frequency_hz=200, gain_db=-6), 20, -6.0),
        (EqBand(kind="high_shelf", frequency_hz=5_000, gain_db=4), 20_000, 4.0),
        (EqBand(kind="highpass", frequency_hz=100), 100, -3.01),
        (EqBand(kind="lowpass", frequency_hz=8_000), 8_000, -3.01),
    ],
)
def test_equaliser_bands_do_what_they_say(band: EqBand, hz: float, gain_db: float) -> None:
    _, response = sosfreqz(biquad(band, 48_000)[None], worN=[hz], fs=48_000)
    assert 20 * np.log10(abs(response[0])) == pytest.approx(gain_db, abs=0.2)
