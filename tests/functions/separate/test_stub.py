"""Where demucs is not installed: stand-ins that say so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from functions.separate import stems
from shared.contracts.step import StepState
from shared.errors import MissingDependency, Unavailable
from shared.watch import health
from tests.functions.separate.rig import separate, song, write


@pytest.fixture(autouse=True)
def probed_afresh() -> Iterator[None]:
    health.report.cache_clear()
    yield
    health.report.cache_clear()


def demucs_is(monkeypatch: pytest.MonkeyPatch, distribution: str, check: str = "") -> None:
    row = health.Requirement("4.0", "install it", distribution=distribution, check=check)
    monkeypatch.setitem(health.REQUIREMENTS, "demucs", row)


@pytest.mark.heavy
def test_the_stub_is_flagged_and_adds_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    demucs_is(monkeypatch, "no-such-distribution")
    backend = stems.backend()
    assert backend.stub and backend.type == "stub"
    assert not backend.dependencies["demucs"].available
    _, mix = song(1.5)
    source = write(tmp_path / "song.wav", mix)
    made = separate(source, tmp_path, backend=backend, model="htdemucs_6s")
    names = [output.name for output in made.result.outputs]
    assert names == ["drums", "bass", "other", "vocals", "guitar", "piano"]
    assert made.result.state is StepState.DEGRADED and "not installed" in str(made.result.reason)
    assert {(meta["model_used"], meta["device"]) for meta in made.metas} == {("stub", "none")}
    assert np.abs(made.total() - mix).max() < 1e-5
    again = separate(source, tmp_path, backend=backend, model="htdemucs_6s")
    assert again.metas == made.metas


def test_a_broken_package_is_an_error_and_no_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    demucs_is(monkeypatch, "pydantic", "raise ImportError('demucs has no entry point')")
    with pytest.raises(MissingDependency, match="has no entry point"):
        stems.backend()


def test_a_busy_machine_is_asked_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ENGINE_PATIENCE_S", 0.3)
    demucs_is(monkeypatch, "pydantic", "import time; time.sleep(60)")
    with pytest.raises(Unavailable, match="demucs"):
        stems.backend()


def test_the_version_names_what_the_numbers_come_from() -> None:
    pytest.importorskip("demucs", reason="demucs is not installed")
    backend = stems.backend()
    assert backend.version.startswith(f"{stems.REVISION}+demucs-4.")
    assert "+torch-2." in backend.version and "cpu" not in backend.version
