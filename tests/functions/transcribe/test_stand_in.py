"""Where the configured Whisper is not installed, another that is stands in, and everything says so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from functions.transcribe import captions, semantics
from functions.transcribe.whisper import present_model
from shared.contracts.step import StepState
from shared.settings import settings
from tests.functions.transcribe.harness import MODEL, run
from tests.functions.transcribe.sounds import TWO, spoken, write


def link(*names: str) -> None:
    settings().models.mkdir(exist_ok=True)
    for name in names:
        (settings().models / name).symlink_to(MODEL)


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize(
    ("installed", "asked", "used"),
    [
        (("tiny", "base"), "tiny", "tiny"),
        (("base", "tiny.en"), "tiny", "base"),
        (("tiny",), "base", "tiny"),
        (("tiny", "base"), "large-v3", "base"),
        (("tiny.en", "base"), "base.en", "base"),
        (("tiny.en",), "base.en", "tiny.en"),
        (("tiny.en",), "tiny", "tiny"),  # it would make English of any language
        ((), "tiny", "tiny"),
        (("base",), "/nowhere/tiny", "/nowhere/tiny"),
        (("base",), "my-own", "my-own"),
    ],
)
def test_the_nearest_multilingual_one_stands_in(
    installed: tuple[str, ...], asked: str, used: str
) -> None:
    link(*installed)
    assert present_model(asked) == used


@pytest.mark.heavy
@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("step", [captions, semantics])
def test_results_name_the_model_that_heard(step: object, tmp_path: Path) -> None:
    link("base")
    engine = step.ENGINE  # type: ignore[attr-defined]
    backend = engine.backend()
    assert backend.version.endswith("+base") and "whisper-base" in backend.dependencies
    ran = run(engine, write(tmp_path / "in.wav", spoken(TWO)), tmp_path / "out")
    assert ran.result.state is StepState.DONE
    assert ran.result.reason == "heard with base, for tiny is not installed"
    assert ran.result.outputs[0].meta["model_used"] == "base"
    assert all(f'"{word}"' in ran.result.outputs[0].path.read_text() for word in TWO.split())


@pytest.mark.usefixtures("no_weights")
def test_an_absent_model_is_told_without_loading_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """``backend`` is asked in every process that plans a run."""
    monkeypatch.setitem(sys.modules, "faster_whisper.utils", None)  # an import would fail
    link("base")
    assert present_model("tiny") == "base"
