"""Small models of the tiny band's stems that never learned anything; demucs' own code loads and runs them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from demucs.demucs import Demucs

from tests.functions.separate.band import RATE_HZ, STEMS
from tests.functions.separate.rig import WEIGHTS


def save_waveform_demucs(folder: Path, name: str) -> str:
    """A Demucs without a spectrogram, with segments of 1 s; its name in the models folder."""
    torch.manual_seed(1)
    shape: dict[str, Any] = {
        "channels": 4,
        "depth": 4,
        "samplerate": RATE_HZ,
        "segment": 1,
        "lstm_layers": 0,
        "dconv_attn": 9,
        "dconv_lstm": 9,
    }
    model = Demucs(list(STEMS), **shape)  # type: ignore[no-untyped-call]
    package = {"klass": Demucs, "args": (list(STEMS),), "kwargs": shape}
    (folder / name).mkdir()
    torch.save(package | {"state": model.state_dict()}, folder / name / f"{name}.th")
    return name


def save_uneven_bag(folder: Path, name: str) -> str:
    """The same and the tiny band's, whose segments are 2 s: a grid of 1 s serves both."""
    save_waveform_demucs(folder, name)
    (weights,) = WEIGHTS.glob("*.th")
    shutil.copy(weights, folder / name / "two.th")
    (folder / name / f"{name}.th").rename(folder / name / "one.th")
    (folder / name / f"{name}.yaml").write_text("models: ['one', 'two']\n")
    return name
