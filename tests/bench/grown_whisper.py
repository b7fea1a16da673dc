"""The fixture's Whisper grown to the size of ``tiny``: it hears the same, at nearly its cost.

Every unit is repeated, every weight behind it divided by how often, and layers that add nothing are
put on top: the network's function stays (Chen, Goodfellow and Shlens: Net2Net, 2016). Only its
vocabulary stays small, so a word costs less than ``tiny``'s.
"""

from __future__ import annotations

import re
import shutil
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
WIDER = 6
"""64 units make ``tiny``'s 384."""
LAYERS = 4
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
_ADDING = re.compile(r"/(self_attention/linear_1|attention/linear_2|ffn/linear_1)/(weight|bias)$")
"""What a layer adds to what went in."""


def grow(source: Path, out: Path) -> Path:
    """Write the grown model of CTranslate2's folder ``source`` to ``out``."""
    shutil.copytree(source, out)
    with (source / "model.bin").open("rb") as file:
        head, small, aliases = _read(file)
    grown = {name: _wider(name, array) for name, array in small.items()}
    for name, array in list(grown.items()):
        if "/layer_1/" in name:
            for layer in range(2, LAYERS):
                above = np.zeros_like(array) if _ADDING.search(name) else array
                grown[name.replace("/layer_1/", f"/layer_{layer}/")] = above
    with (out / "model.bin").open("wb") as file:
        file.write(head + struct.pack("<I", len(grown)))
        for name, array in grown.items():
            kind = _TYPES.index(array.dtype.type)
            file.write(_text(name) + struct.pack("<B", array.ndim))
            file.write(struct.pack(f"<{array.ndim}IBI", *array.shape, kind, array.nbytes))
            file.write(np.ascontiguousarray(array).tobytes())
        file.write(aliases)
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


def _read(file: BinaryIO) -> tuple[bytes, dict[str, Array], bytes]:
    """CTranslate2's version 6: what stands before the variables, them, and what stands behind."""
    begun = file.read(4) + _raw_text(file) + file.read(4)
    variables: dict[str, Array] = {}
    for _ in range(_number(file, "I")):
        name = _raw_text(file)[2:-1].decode()
        shape = [_number(file, "I") for _ in range(_number(file, "B"))]
        kind, size = _number(file, "B"), _number(file, "I")
        variables[name] = np.frombuffer(file.read(size), _TYPES[kind]).reshape(shape)
    return begun, variables, file.read()


def _raw_text(file: BinaryIO) -> bytes:
    size = file.read(2)
    return size + file.read(struct.unpack("<H", size)[0])


def _text(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def _number(file: BinaryIO, kind: str) -> int:
    found: int = struct.unpack(f"<{kind}", file.read(struct.calcsize(kind)))[0]
    return found
