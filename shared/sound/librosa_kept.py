"""librosa, kept from importing and compiling what nobody here calls: the one way to it.

We call four of its functions. With them its modules import all of ``scipy.signal`` and librosa's pitch and
spectra, and have numba compile functions over arrays: half a minute of processor on a new machine, 1.4 s
and 180 MiB in each process after that, which takes longer than a minute of sound. So while librosa is
imported, numba is stood for by decorators that compile a function when it is first called, and modules
that only functions of others use by functions that import them when they are called.

Nothing else changes: whoever calls the rest of librosa gets the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from importlib import import_module
from operator import attrgetter
from types import ModuleType
from typing import Any

from shared.errors import MissingDependency

_CALLED = ("onset", "filters", "core.spectrum", "core.convert", "util.utils")
"""Also what these reach for only when they are called."""
_LATER = ("scipy.signal", "scipy.interpolate", "librosa.feature.spectral")

Function = Callable[..., Any]


@cache
def librosa_module(name: str) -> Any:
    """``librosa`` or one of its modules, by its whole name. Raises ``MissingDependency``."""
    try:
        with _lightly():
            for called in _CALLED:
                import_module(f"librosa.{called}")
        return import_module(name)
    except ImportError as error:
        hint = f"install it with `pip install librosa` ({error})"
        raise MissingDependency("librosa", "0.10", hint) from None


@contextmanager
def _lightly() -> Iterator[None]:
    """Modules that were imported before are as they were."""
    stand_ins = {name: _Later(name) for name in _LATER} | {"numba": _Compiling("numba")}
    stand_ins = {name: one for name, one in stand_ins.items() if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            _without_stand_in(name)


class _Later(ModuleType):
    """Stands for a module; each name in it is a function that imports it when it is called."""

    def __getattr__(self, name: str) -> Function:
        if name.startswith("__"):
            raise AttributeError(name)

        def called(*values: Any, **named: Any) -> Any:
            _without_stand_in(self.__name__)
            return getattr(import_module(self.__name__), name)(*values, **named)

        return called


class _Compiling(ModuleType):
    """Stands for numba: each name in it is a decorator, with arguments or without."""

    def __getattr__(self, name: str) -> Function:
        if name.startswith("__"):
            raise AttributeError(name)

        def decorator(*values: Any, **named: Any) -> Any:
            if values and callable(values[0]):
                return _Compiled(attrgetter(name), values[0])
            return lambda function: _Compiled(
                lambda numba: getattr(numba, name)(*values, **named), function
            )

        return decorator


class _Compiled:
    """A function that a decorator of numba's makes of another, when it is first called."""

    def __init__(self, decorator_of: Callable[[ModuleType], Function], function: Function) -> None:
        self._decorator_of, self._function = decorator_of, function
        self.__doc__ = function.__doc__

    def __call__(self, *values: Any, **named: Any) -> Any:
        # What is compiled may call others of its module, and numba must know those.
        space = self._function.__globals__
        for name, other in list(space.items()):
            if isinstance(other, _Compiled):
                space[name] = other._made
        return self._made(*values, **named)

    @cached_property
    def _made(self) -> Any:
        _without_stand_in("numba")
        return self._decorator_of(import_module("numba"))(self._function)


def _without_stand_in(name: str) -> None:
    """Another thread may call what it imported while librosa was."""
    if isinstance(sys.modules.get(name), _Later | _Compiling):
        sys.modules.pop(name, None)
