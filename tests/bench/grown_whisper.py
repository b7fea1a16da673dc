"""The fixture's Whisper grown to the size of ``tiny``: it hears the same, at nearly its cost.

Every unit is repeated, every weight behind it divided by how often, and layers that add nothing are
put on top: the network's function stays (Chen, Goodfellow and Shlens: Net2Net, 2016). Only its
vocabulary stays small, so a word costs less than ``tiny``'s.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np

from tests.models.ctranslate2_file import Array, read_weights

WIDER = 6
"""64 units make ``tiny``'s 384."""
LAYERS = 4
_ADDING = re.compile(r"/(self_attention/linear_1|attention/linear_2|ffn/linear_1)/(weight|bias)$")
"""What a layer adds to what went in."""


def grow(source: Path, out: Path) -> Path:
    """Write the grown model of CTranslate2's folder ``source`` to ``out``."""
    shutil.copytree(source, out)
    small = read_weights(source / "model.bin")
    grown = {name: _wider(name, array) for name, array in small.variables.items()}
    for name, array in list(grown.items()):
        if "/layer_1/" in name:
            for layer in range(2, LAYERS):
                above = np.zeros_like(array) if _ADDING.search(name) else array
                grown[name.replace("/layer_1/", f"/layer_{layer}/")] = above
    small._replace(variables=grown).write(out / "model.bin")
    return out


def _wider(name: str, array: Array) -> Array:
    """A variable of the wider network; ``array`` is ``(outputs, inputs)`` where it has both."""
    inputs = array.ndim > 1 and not name.startswith("encoder/conv1/")  # which hears the sound
    if array.ndim == 0:
        return np.asarray(array * WIDER, array.dtype) if name.endswith("/num_heads") else array
    if not name.startswith("decoder/embeddings/") and not name.endswith("/encodings"):
        # Queries, keys and values lie in one matrix behind each other; each grows by itself.
        blocks = {192: 3, 128: 2}.get(len(array), 1) if "attention/linear" in name else 1
        parts = np.split(array, blocks)
        array = np.concatenate([part for part in parts for _ in range(WIDER)])
        if name.startswith("decoder/layer_norm/"):
            return np.asarray(array / np.float32(WIDER))  # the product with the embeddings follows
        if name.endswith("/weight_scale") and not name.startswith("encoder/conv1/"):
            return np.asarray(array * np.float32(WIDER))  # weights are integers, divided by this
    return np.concatenate([array] * WIDER, axis=1) if inputs else array
