"""What the console's list reads."""

from __future__ import annotations

import json

import numpy as np
import pytest

from functions.api.recordings import highest_levels
from shared.contracts.audio_activity import Series, Waveform
from shared.homes.documents import Document
from shared.steps.preparing import asset_path
from tests.functions.api.conftest import Desk

MANY = 300
MOST_BYTES = 60_000
"""Of the list's first answer."""


def test_a_list_of_many_is_small(desk: Desk) -> None:
    stored = _stored(desk)
    for number in range(MANY):
        one = f"ast_{number:032x}"
        name = f"Interview {number:03d}, second take.wav"
        source = {"key": f"k/{number}", "generation": 1, "name": name}
        data = {**stored.data, "asset_id": one, "sources": [source]}
        desk.home.documents.create(asset_path(desk.ctx, one), data)
    first = desk.client.get("/recordings", params={"limit": "200"})
    page = first.json()
    assert (len(page["recordings"]), page["recordings"][0]["kind"]) == (200, "audio")
    assert int(first.headers["content-length"]) < len(first.content) < MOST_BYTES
    rest = desk.client.get("/recordings", params={"limit": "200", "after": page["next"]}).json()
    assert len(page["recordings"]) + len(rest["recordings"]) == MANY + 1
    assert len(json.dumps(page["recordings"] + rest["recordings"])) < 1.2 * MOST_BYTES


def _stored(desk: Desk) -> Document:
    run = desk.recording(steps=("probe",))
    found = desk.home.documents.get(asset_path(desk.ctx, run["asset_id"]))
    assert found is not None
    return found


def test_a_recording_is_shown_to_its_tenant_alone(desk: Desk) -> None:
    asset_id = desk.recording(steps=("toy.one",))["asset_id"]
    (row,) = desk.client.get("/recordings").json()["recordings"]
    assert (row["asset_id"], row["name"], row["state"]) == (asset_id, "take.wav", "done")
    other = desk.as_tenant("t2")
    assert other.get("/recordings").json() == {"recordings": [], "next": None}
    for path in ("levels", "results.zip"):
        assert other.get(f"/assets/{asset_id}/{path}").status_code == 404


def test_levels_are_none_before_anything_was_heard(desk: Desk) -> None:
    asset_id = desk.recording(steps=("probe",))["asset_id"]
    assert desk.client.get(f"/assets/{asset_id}/levels").json()["levels"] == []


@pytest.mark.parametrize(
    ("samples", "points", "levels"),
    [
        ([(-0.5, 0.25), (0, 0), (-0.1, 1.0)], 8, [0.5, 0, 1]),
        ([(-0.5, 0), (0, 0.75), (0, 0), (-0.25, 0), (0, 0.1)], 2, [0.75, 0.25]),
        ([], 8, []),
    ],
)
def test_levels_are_the_highest_of_each_part(
    samples: list[tuple[float, float]], points: int, levels: list[float]
) -> None:
    rows = np.array(samples, float).reshape(-1, 2)
    lowest, highest = (Series.of(rows[:, at], 10, "int16", 1e-4) for at in (0, 1))
    waveform = Waveform(lowest=lowest, highest=highest)
    assert list(highest_levels(waveform, points)) == pytest.approx(levels)


def test_only_text_is_compressed(desk: Desk) -> None:
    run = desk.recording(text="sound " * 1000, steps=("toy.one",))
    gzip = {"Accept-Encoding": "gzip"}
    media = desk.client.get(f"/assets/{run['asset_id']}/media", headers=gzip)
    assert "content-encoding" not in media.headers and media.headers["etag"].startswith('"')
    listed = desk.client.get("/pipeline", headers=gzip)
    assert listed.headers["content-encoding"] == "gzip"
    tag = listed.headers["etag"]
    assert tag.startswith('W/"')
    again = desk.client.get("/pipeline", headers={**gzip, "If-None-Match": tag})
    assert again.status_code == 304
