"""CTranslate2's ``model.bin`` (its version 6), read and written by variable."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)


class Weights(NamedTuple):
    """A model's variables by name, and what stands before and behind them, as it stands."""

    head: bytes
    variables: Mapping[str, Array]
    """A matrix is ``(outputs, inputs)``; one of integers has its rows' divisors in ``<name>_scale``."""
    tail: bytes

    def write(self, path: Path) -> None:
        with path.open("wb") as file:
            file.write(self.head + struct.pack("<I", len(self.variables)))
            for name, array in self.variables.items():
                kind = _TYPES.index(array.dtype.type)
                text = name.encode() + b"\0"
                file.write(struct.pack("<H", len(text)) + text + struct.pack("<B", array.ndim))
                file.write(struct.pack(f"<{array.ndim}IBI", *array.shape, kind, array.nbytes))
                file.write(np.ascontiguousarray(array).tobytes())
            file.write(self.tail)


def read_weights(path: Path) -> Weights:
    with path.open("rb") as file:
        head = file.read(4) + _raw_text(file) + file.read(4)
        variables: dict[str, Array] = {}
        for _ in range(_number(file, "I")):
            name = _raw_text(file)[2:-1].decode()
            shape = [_number(file, "I") for _ in range(_number(file, "B"))]
            kind, size = _number(file, "B"), _number(file, "I")
            variables[name] = np.frombuffer(file.read(size), _TYPES[kind]).reshape(shape)
        return Weights(head, variables, file.read())


def _raw_text(file: BinaryIO) -> bytes:
    size = file.read(2)
    return size + file.read(struct.unpack("<H", size)[0])


def _number(file: BinaryIO, kind: str) -> int:
    found: int = struct.unpack(f"<{kind}", file.read(struct.calcsize(kind)))[0]
    return found
