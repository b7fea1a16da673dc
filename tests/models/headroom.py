"""Quantise a model of CTranslate2 so that integer products come out the same on every processor.

    python -m tests.models.headroom FOLDER

Without VNNI, x86-64 multiplies bytes in pairs (VPMADDUBSW): activations of 0 to 255, weights of -127
to 127, and the sum of two products saturates at 16 bits, where 2 x 255 x 127 = 64,770 does not fit.
Weights of at most 64 do: 2 x 255 x 64 = 32,640. They have one bit less to be right with.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from tests.models.ctranslate2_file import Array, read_weights

LARGEST = 64


def give_headroom(folder: Path, largest: int = LARGEST) -> None:
    """Quantise the int8 matrices of ``folder/model.bin`` anew, each row to at most ``largest``."""
    path = folder / "model.bin"
    weights = read_weights(path)
    fitted = dict(weights.variables)
    for name, array in weights.variables.items():
        if array.dtype == np.int8 and array.ndim > 1:
            scale = f"{name}_scale"
            fitted[name], fitted[scale] = _fitted(array, weights.variables[scale], largest)
    weights._replace(variables=fitted).write(path)


def _fitted(array: Array, scale: Array, largest: int) -> tuple[Array, Array]:
    rows = array.reshape(len(array), -1).astype(np.float64) / scale.reshape(-1, 1)
    loudest = np.abs(rows).max(axis=1)
    to = (largest / np.where(loudest > 0, loudest, 1.0)).astype(np.float32)
    made = np.round(rows * to[:, None]).astype(np.int8)
    return made.reshape(array.shape), to.reshape(scale.shape)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    give_headroom(parser.parse_args().folder)
