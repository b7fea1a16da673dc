"""The grown model costs more and hears the same, or the bench would compare something else."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from functions.transcribe.whisper import load_model
from tests.bench.grown_whisper import LAYERS, WIDER, grow
from tests.functions.transcribe.harness import MODEL
from tests.functions.transcribe.sounds import FIVE, Samples, silence, spoken

pytestmark = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")


@pytest.mark.heavy
def test_hears_what_the_small_one_hears(tmp_path: Path) -> None:
    grown = grow(MODEL, tmp_path / "grown")
    samples = np.concatenate([spoken(FIVE), silence(1)])
    heard = _heard(grown, samples)
    assert [word for word, _, _ in heard] == FIVE.split()
    assert heard == _heard(MODEL, samples)
    size, small = ((folder / "model.bin").stat().st_size for folder in (grown, MODEL))
    assert size > WIDER * LAYERS / 2 * small


def _heard(model: Path, samples: Samples) -> list[tuple[str, float, float]]:
    segments, _ = load_model(model, "cpu").transcribe(
        samples, language="en", temperature=0.0, word_timestamps=True
    )
    return [(word.word.strip(), word.start, word.end) for one in segments for word in one.words]
