"""The words on processors without VNNI: oneDNN is told to use AVX2's kernels, as it must there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.functions.transcribe.harness import MODEL
from tests.functions.transcribe.sounds import FIVE, FOUR, silence, spoken
from tests.models.ctranslate2_file import read_weights
from tests.models.headroom import LARGEST, give_headroom

OLDER = {"DNNL_MAX_CPU_ISA": "AVX2", "CT2_USE_MKL": "0"}
"""The second has CTranslate2 ask oneDNN on Intel's processors, too, where it would ask MKL."""
HEAR = """
import sys, numpy
from pathlib import Path
from functions.transcribe.whisper import load_model
segments, _ = load_model(Path(sys.argv[1]), "cpu").transcribe(
    numpy.load(sys.argv[2]), language="en", temperature=0.0, beam_size=1
)
print(*(word for one in segments for word in one.text.split()))
"""


def heard(model: Path, folder: Path, compute: str) -> str:
    """What a process hears that has only an older processor's kernels."""
    sound = folder / "sound.npy"
    np.save(sound, np.concatenate([spoken(FIVE), silence(1), spoken(FOUR), silence(1)]))
    environment = {**os.environ, **OLDER, "RUSHES_WHISPER_COMPUTE": compute}
    command = [sys.executable, "-c", HEAR, model, sound]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_two_products_of_bytes_fit_into_16_bits() -> None:
    """Or processors without VNNI saturate, and hear other words."""
    variables = read_weights(MODEL / "model.bin").variables
    matrices = [array for array in variables.values() if array.dtype == np.int8 and array.ndim > 1]
    assert len(matrices) == 25
    largest = max(int(np.abs(array.astype(int)).max()) for array in matrices)
    assert largest == LARGEST and 2 * 255 * largest < 2**15


@pytest.mark.heavy
@pytest.mark.parametrize("compute", ["int8", "float32"])
def test_an_older_processor_hears_the_same_words(tmp_path: Path, compute: str) -> None:
    assert heard(MODEL, tmp_path, compute) == f"{FIVE} {FOUR}"


@pytest.mark.heavy
def test_without_headroom_only_float32_hears_them(tmp_path: Path) -> None:
    """So the switch does change the kernels, and headroom is what the test before shows."""
    full = shutil.copytree(MODEL, tmp_path / "full")
    give_headroom(full, 127)
    assert heard(full, tmp_path, "int8") != f"{FIVE} {FOUR}"
    assert heard(full, tmp_path, "float32") == f"{FIVE} {FOUR}"
