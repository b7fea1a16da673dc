"""Weights out of a file that torch saved before its zip form, without torch: nothing in it is run.

The file is a row of pickles (a magic number, a protocol's number, the system's sizes, the object, the
storages' keys), then each storage: how many numbers it has as int64, and the numbers. Tensors are told
as their storage, offset, shape and strides. Of what a pickle may name, only what builds that is known;
anything else is refused (as ``torch.load(weights_only=True)`` does).
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from shared.errors import BackendFailed

_MAGIC = 0x1950A86A20F9469CFC6C
"""``torch.serialization.MAGIC_NUMBER``, which such a file begins with."""
_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8", "IntStorage": "<i4"}


class _Storage:
    """Numbers that come later in the file: zeros until they are read, which tensors already look at."""

    def __init__(self, dtype: str, count: int) -> None:
        self.numbers: NDArray[Any] = np.zeros(count, dtype)


def read_weights(path: Path, name: str) -> Mapping[str, NDArray[Any]]:
    """The tensors of ``name`` in the file's one object, a dictionary, by their names.

    Raises ``BackendFailed`` for a file that is another one.
    """
    try:
        with path.open("rb") as file:
            found: Mapping[str, NDArray[Any]] = _read(file)[name]
            return found
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError) as error:
        raise BackendFailed("weights", f"{path.name} cannot be read: {error!r}") from None


def _read(file: BinaryIO) -> Any:
    """The file's one object, its tensors filled; raises ``ValueError`` for a file of another form."""
    storages: dict[str, _Storage] = {}
    if _Reader(file, storages).load() != _MAGIC:
        raise ValueError("it is of another form")
    for _ in ("protocol", "system"):
        _Reader(file, storages).load()
    found = _Reader(file, storages).load()
    for key in _Reader(file, storages).load():
        numbers = storages[key].numbers
        (count,) = np.frombuffer(file.read(8), "<i8")
        if count != len(numbers):
            raise ValueError("a storage has another length")
        numbers[:] = np.frombuffer(file.read(numbers.nbytes), numbers.dtype)
    return found


class _Reader(pickle.Unpickler):
    def __init__(self, file: BinaryIO, storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle may name; raises ``UnpicklingError`` for anything else, before it is imported."""
        known: dict[tuple[str, str], Callable[..., Any] | str] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            **{("torch", storage): dtype for storage, dtype in _DTYPES.items()},
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} is nothing that weights need")
        return known[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        """A storage by its key: ``("storage", type, key, device, count)``; several tensors may share one."""
        kind, dtype, key, _, count = pid[:5]
        if kind != "storage":
            raise pickle.UnpicklingError(f"{kind} is no storage")
        return self._storages.setdefault(key, _Storage(dtype, count))


def _tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> NDArray[Any]:
    """A view of the storage, whose numbers are read later; contiguous ones alone."""
    count = int(np.prod(shape, dtype=int))
    part = storage.numbers[offset : offset + count]
    made = part.reshape(shape)
    if count and tuple(step // made.itemsize for step in made.strides) != tuple(strides):
        raise pickle.UnpicklingError("a tensor is not contiguous")
    return made
