"""Verifying: what differs, by how much, and whether that was promised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from shared.contracts.step_engine import Output, Result
from shared.errors import NotFound
from shared.homes.home import Home
from shared.steps.claims import claim_path
from shared.steps.verifying import verify_artifact
from tests.toy import CTX, Toy, run_file

SOUND = np.linspace(-0.5, 0.5, 3 << 16, dtype=np.float32)


@pytest.fixture
def plays(toy: Toy) -> dict[str, Any]:
    """What the toy step gives: a WAV file of this sound, with this meta and name."""
    given: dict[str, Any] = {"sound": SOUND, "meta": {}, "name": "one"}

    def result(_step: str, job: Any, _params: Any) -> Result:
        path = job.workdir / "one.wav"
        soundfile.write(path, given["sound"], 8000, subtype="PCM_24")
        meta = {"duration_ms": 1000, "segment_count": 0, **given["meta"]}
        return Result([Output("audio_hits", given["name"], path, "audio/wav", meta)])

    toy._result = result  # type: ignore[method-assign]
    return given


def made(home: Home, folder: Path) -> str:
    run = run_file(home, folder, steps=("toy.one",))
    return str(run["steps"][1]["artifacts"][0]["artifact_id"])


def test_the_same_again_is_identical(home: Home, plays: dict[str, Any], tmp_path: Path) -> None:
    found = verify_artifact(home, CTX, made(home, tmp_path))
    assert found["identical"] and found["as_promised"] and found["largest_deviation"] == 0.0
    assert found["stored_sha256"] == found["computed_sha256"]


@pytest.mark.parametrize(("off_by", "within"), [(0.001, True), (0.01, False)])
def test_on_another_version_a_deviation_within_the_tolerance_was_promised(
    home: Home, toy: Toy, plays: dict[str, Any], tmp_path: Path, off_by: float, within: bool
) -> None:
    plays["meta"] = {"tolerance": 0.005}
    name = made(home, tmp_path)
    plays["sound"] = SOUND.copy()
    plays["sound"][-1] += off_by  # in the last of several blocks
    here = verify_artifact(home, CTX, name)
    assert here["largest_deviation"] == pytest.approx(off_by, abs=1e-6)
    assert not here["identical"] and not here["as_promised"], "the same version must give the same"
    toy.version = "toy-2"
    assert verify_artifact(home, CTX, name)["as_promised"] is within


def test_another_number_of_samples_has_no_deviation(
    home: Home, toy: Toy, plays: dict[str, Any], tmp_path: Path
) -> None:
    plays["meta"] = {"tolerance": 0.005}
    name = made(home, tmp_path)
    plays["sound"], toy.version = SOUND[:-1], "toy-2"
    found = verify_artifact(home, CTX, name)
    assert found["largest_deviation"] is None and not found["as_promised"]


def test_what_is_no_longer_made_or_of_which_nothing_is_known_is_not_found(
    home: Home, plays: dict[str, Any], tmp_path: Path
) -> None:
    name = made(home, tmp_path)
    plays["name"] = "another"
    with pytest.raises(NotFound, match="output of the step"):
        verify_artifact(home, CTX, name)
    stored = home.documents.get(f"{CTX.document_prefix}artifacts/{name}")
    assert stored is not None
    home.documents.delete(claim_path(CTX, stored.data["meta"]["cache_key"]))
    with pytest.raises(NotFound, match="record of how it was made"):
        verify_artifact(home, CTX, name)
