"""The model of twenty words, under the name that the settings ask for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from functions.transcribe.semantics import ENGINE
from shared.settings import settings
from tests.functions.transcribe.harness import MODEL, Ran, run
from tests.functions.transcribe.sounds import Truth, programme


@dataclass(frozen=True)
class Heard:
    """One analysis, and what it should have found."""

    source: Path
    truth: Truth
    ran: Ran


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Settings read anew: variables set in the test count."""
    settings.cache_clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield monkeypatch
    settings.cache_clear()


@pytest.fixture
def words_model(configured: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``tiny`` is the model of twenty words."""
    models = tmp_path / "models"
    models.mkdir()
    (models / "tiny").symlink_to(MODEL)
    configured.setenv("RUSHES_MODELS", str(models))


@contextmanager
def twenty_words(folder: Path) -> Iterator[None]:
    """As ``words_model`` has it, for what a whole module starts from."""
    (folder / "models").mkdir()
    (folder / "models" / "tiny").symlink_to(MODEL)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RUSHES_MODELS", str(folder / "models"))
        settings.cache_clear()
        yield
    settings.cache_clear()


@pytest.fixture(scope="module")
def programme_heard(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """The programme, analysed once with all defaults."""
    folder = tmp_path_factory.mktemp("programme")
    with twenty_words(folder):
        source, truth = programme(folder / "all.wav")
        return Heard(source, truth, run(ENGINE, source, folder / "out"))


@pytest.fixture
def no_weights(configured: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No model anywhere on this machine."""
    configured.setenv("RUSHES_MODELS", str(tmp_path / "none"))
    configured.setenv("HF_HOME", str(tmp_path / "hub"))
    configured.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
