"""``lfilter`` without the rest of ``scipy.signal``, whose import takes longer than a minute of sound.

It loads scipy's statistics, optimisers and interpolation, and writes 800 docstrings anew: 0.9 s of
processor and 67 MiB in each worker. Its core is one small extension module, which is opened by itself;
where another scipy keeps it elsewhere, the whole is imported.
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
    y, after = _core()(b, a, x, 0, state)
    return y, after


@cache
def _core() -> Any:
    scipy = find_spec("scipy")
    inside = [
        str(Path(place) / "signal") for place in (scipy and scipy.submodule_search_locations) or ()
    ]
    found = PathFinder.find_spec("_sigtools", inside)
    if found is not None and found.loader is not None:
        module = module_from_spec(found)
        found.loader.exec_module(module)
        if core := getattr(module, "_linear_filter", None):
            return core
    from scipy.signal import lfilter

    return lfilter
