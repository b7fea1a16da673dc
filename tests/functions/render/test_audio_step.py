"""``render.audio`` through the runtime: sources, caching, registration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.probe import main as probe
from functions.render import main as render
from shared.contracts.context import RequestContext
from shared.contracts.message import Message
from shared.contracts.step import StepRequest
from shared.homes.home import Home
from shared.messages.delivery import deliver
from shared.runs.intake import Wishes
from shared.runs.opening import requested_run_id
from shared.runs.records import upload_run_id
from shared.runs.uploading import upload
from shared.runs.views import list_artifacts, run_object
from shared.steps.preparing import publish_request
from tests.functions.render.rig import RATE, noise, read, tone, write
from tests.toy import embedded_home

MINE = RequestContext(tenant_id="t1", env="dev")
THEIRS = RequestContext(tenant_id="t2", env="dev")
HANDLERS: dict[str, Callable[[Message, Home], None]] = {
    "uploads": probe.handle,
    "steps-render": render.handle,
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return embedded_home(tmp_path / "data")


def drain(home: Home) -> None:
    while deliveries := home.bus.pull(list(HANDLERS), wait_s=0):
        for delivery in deliveries:
            assert deliver(delivery.message, home, HANDLERS[delivery.subscription]) is None
            home.bus.ack(delivery)


def asset(home: Home, path: Path, ctx: RequestContext = MINE) -> str:
    run_id = upload_run_id(upload(home, ctx, path, Wishes(steps=())))
    drain(home)
    return str(run_object(home, ctx, run_id)["asset_id"])


def rendered(home: Home, filed_under: str, timeline: dict[str, Any], **params: Any) -> Any:
    return rendered_of(home, filed_under, {"timeline": timeline, **params})


def rendered_of(home: Home, filed_under: str, params: dict[str, Any]) -> Any:
    request = StepRequest(
        **{"tenant_id": "t1", "env": "dev", "step": "render.audio", "asset_id": filed_under},
        params=params,
    )
    run_id = requested_run_id(publish_request(home, request))
    drain(home)
    (step,) = run_object(home, MINE, run_id)["steps"]
    return step


def two_tracks(voice: dict[str, str], music: dict[str, str]) -> dict[str, Any]:
    return {
        "tracks": [
            {"role": "vox", "clips": [{**voice}]},
            {"role": "music", "clips": [{**music, "fade_in_ms": 200}]},
        ]
    }


@pytest.mark.real_case("render.audio")
def test_a_podcast_from_two_recordings_and_then_from_one_of_its_stems(
    home: Home, tmp_path: Path
) -> None:
    voice = asset(home, write(tmp_path, tone(2.0, 300)))
    music = asset(home, write(tmp_path, noise(2.0)))
    timeline = two_tracks({"asset_id": voice}, {"asset_id": music})
    step = rendered(home, voice, timeline, export_preset="podcast", stems_export=True)
    assert step["state"] == "done"
    master, *stems = sorted(step["artifacts"], key=lambda one: one["kind"] != "audio_render")
    assert master["parents"] == [voice, music]
    assert [stem["parents"] for stem in stems] == [[master["artifact_id"]]] * 2
    assert {stem["meta"]["parent_master"] for stem in stems} == {master["artifact_id"]}
    assert {stem["meta"]["bus_id"] for stem in stems} == {"bus_dialogue", "bus_music"}

    again = rendered(home, voice, timeline, export_preset="podcast", stems_export=True)
    assert again["state"] == "cached" and again["artifacts"] == step["artifacts"]
    assert len(list(list_artifacts(home.documents, MINE))) == 3, "nothing is registered twice"

    stem = {"artifact_id": stems[0]["artifact_id"], "source_start_ms": 500}
    made = rendered(home, voice, two_tracks(stem, {"asset_id": music}), export_preset="draft")
    assert made["state"] == "done"
    assert made["artifacts"][0]["parents"] == [stem["artifact_id"], music]
    assert made["artifacts"][0]["meta"]["frames"] == 2 * RATE


@pytest.mark.heavy
def test_another_tenants_recording_is_not_found_and_nothing_is_rendered(
    home: Home, tmp_path: Path
) -> None:
    mine = asset(home, write(tmp_path, tone(1.0)))
    theirs = asset(home, write(tmp_path, noise(1.0)), THEIRS)
    step = rendered(home, mine, two_tracks({"asset_id": mine}, {"asset_id": theirs}))
    assert step["state"] == "failed" and step["error"]["code"] == "not_found"
    assert step["error"]["details"]["id"] == theirs
    assert list(list_artifacts(home.documents, MINE)) == []


@pytest.mark.first_is_quick
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fade_in_ms": 9_000}, "tracks.track_1.clips.clip_1.fade_in_ms: "),
        ({"source_end_ms": 9_000}, "tracks.track_1.clips.clip_1.source_end_ms: 9000 is behind"),
    ],
)
def test_errors_name_the_clip(
    home: Home, tmp_path: Path, changes: dict[str, float], message: str
) -> None:
    mine = asset(home, write(tmp_path, tone(1.0)))
    clip = {"asset_id": mine, **changes}
    step = rendered(home, mine, {"tracks": [{"clips": [clip]}]})
    assert step["error"]["code"] == "validation_error"
    assert step["error"]["message"].startswith(message)
    assert step["error"]["service"] == "render.audio"


@pytest.mark.heavy
def test_a_source_without_sound_is_named(home: Home, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (64, 64), "red").save(tmp_path / "picture.png")
    picture = asset(home, tmp_path / "picture.png")
    step = rendered(home, picture, {"tracks": [{"clips": [{"asset_id": picture}]}]})
    assert step["error"]["code"] == "unsupported_media"
    assert picture in step["error"]["message"]


@pytest.mark.heavy
def test_an_arrangement_turns_a_role_down_in_its_section(home: Home, tmp_path: Path) -> None:
    """By the same door by which people ask: the step's params."""
    voice = asset(home, write(tmp_path, tone(4.0, 440)))
    timeline = {"tracks": [{"track_id": "lead", "clips": [{"asset_id": voice}]}]}
    told = {
        "export_preset": "draft",
        "structure": {"bars": [["intro", 1], ["verse", 1]], "tempo_bpm": 120},
        "arrangement": {
            "roles": {"lead": "vox"},
            "levels": [{"section": "verse", "role": "vox", "gain_db": -20, "ramp_ms": 1}],
        },
    }
    step = rendered(home, voice, timeline, **told)
    assert step["state"] == "done", step["reason"]
    master = next(one for one in step["artifacts"] if one["kind"] == "audio_render")
    sound = read(Path(master["path"]))
    intro, verse = (np.sqrt(np.mean(part**2)) for part in (sound[:RATE], sound[-RATE:]))
    assert 20 * np.log10(verse / intro) == pytest.approx(-20, abs=0.1)
    assert master["meta"]["markers"] == 2


@pytest.mark.heavy
def test_an_arrangement_of_a_track_that_is_not_there_is_refused(home: Home, tmp_path: Path) -> None:
    voice = asset(home, write(tmp_path, tone(1.0, 440)))
    timeline = {"tracks": [{"track_id": "lead", "clips": [{"asset_id": voice}]}]}
    step = rendered(home, voice, timeline, arrangement={"roles": {"ghost": "vox"}})
    assert step["state"] == "failed"
    assert "ghost" in str(step["error"])
