"""``lfilter`` and ``sosfilt`` without the rest of ``scipy.signal``, whose import takes longer than a minute
of sound.

It loads scipy's statistics, optimisers and interpolation, and writes 800 docstrings anew: 0.9 s of
processor and 67 MiB in each worker. The core of each is one small extension module, which is opened by
itself; where another scipy keeps it elsewhere, the whole is imported.
"""

from __future__ import annotations

from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def filtered(b: Floats, a: Floats, x: Floats, state: Floats) -> tuple[Floats, Floats]:
    """``scipy.signal.lfilter(b, a, x, axis=0, zi=state)``: the same bits. ``x``: (samples, channels)."""
    if not len(x):  # after nothing, the core's state is anything
        return x, state
    core = _inner("_sigtools", "_linear_filter")
    if core is None:
        from scipy.signal import lfilter

        core = lfilter
    y, after = core(b, a, x, 0, state)
    return y, after


def sos_filtered(sos: Floats, x: NDArray[np.floating]) -> Floats:
    """``scipy.signal.sosfilt(sos, x)``: the same bits. ``sos``: (sections, 6); ``x``: (samples,)."""
    core = _inner("_sosfilt", "_sosfilt")
    if core is None:
        from scipy.signal import sosfilt

        return np.asarray(sosfilt(sos, np.asarray(x, np.float64)))
    y = np.array(x, np.float64)[None]
    core(sos, y, np.zeros((1, len(sos), 2)))
    return np.asarray(y[0])


@cache
def _inner(module_name: str, name: str) -> Any:
    """A function of one of ``scipy.signal``'s extension modules; ``None``: it is not there."""
    scipy = find_spec("scipy")
    inside = [
        str(Path(place) / "signal") for place in (scipy and scipy.submodule_search_locations) or ()
    ]
    found = PathFinder.find_spec(module_name, inside)
    if found is None or found.loader is None:
        return None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return getattr(module, name, None)
