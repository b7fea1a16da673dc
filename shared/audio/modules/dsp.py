"""Recursions at the speed of compiled code, with coefficients that may differ at every sample.

A linear recursion is a banded lower-triangular system of equations: one unknown for each sample's
state, the first ones known. BLAS' ``dtbsv`` solves it by forward substitution, in order, sample by
sample, so the result has the same bits however the samples are cut into blocks. (``lfilter`` can't
change its coefficients along the way, and a loop in Python takes a hundred times as long.)
Channels are solved together, one behind the other in one system, with nothing linking them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]


@cache
def _solver() -> Any:
    from scipy.linalg.blas import dtbsv

    return dtbsv


def one_pole(x: Signal, pole: float | Signal, state: Signal) -> Signal:
    """``y[n] = x[n] + pole[n] * y[n-1]`` with ``y[-1] = state``, for each channel.

    ``x`` and the result are ``(frames, channels)``, ``pole`` a number or ``(frames,)``, ``state``
    ``(channels,)``.
    """
    frames, channels = x.shape
    band = np.zeros((channels, frames + 1, 2))
    band[:, :-1, 1] = np.negative(pole)
    unknown = np.empty((channels, frames + 1))
    unknown[:, 0] = state
    unknown[:, 1:] = x.T
    return _solved(1, band, unknown)[:, 1:].T


def two_states(
    x: Signal, matrix: Sequence[float | Signal], gains: Sequence[float | Signal], state: Signal
) -> Signal:
    """``s[n+1] = M[n] s[n] + b[n] x[n]`` for a state of two numbers, for each channel.

    ``x`` is ``(frames, channels)``; ``matrix`` is ``m11, m12, m21, m22`` and ``gains`` ``b1, b2``,
    numbers or ``(frames,)``; ``state`` is ``(channels, 2)``. The result is
    ``(channels, frames + 1, 2)``, from ``s[0] = state`` on.
    """
    frames, channels = x.shape
    band = np.zeros((channels, frames + 1, 2, 4))
    m11, m12, m21, m22 = matrix
    # The entry at distance d below the diagonal links an unknown to the one d places later.
    band[:, :-1, 0, 2], band[:, :-1, 1, 1] = np.negative(m11), np.negative(m12)
    band[:, :-1, 0, 3], band[:, :-1, 1, 2] = np.negative(m21), np.negative(m22)
    unknown = np.empty((channels, frames + 1, 2))
    unknown[:, 0] = state
    unknown[:, 1:, 0] = gains[0] * x.T
    unknown[:, 1:, 1] = gains[1] * x.T
    return _solved(3, band, unknown)


def _solved(width: int, band: Signal, unknown: Signal) -> Signal:
    """Forward substitution; the diagonal is 1. Overwrites ``unknown`` and returns it."""
    columns = band.reshape(-1, width + 1).T
    solved = _solver()(width, columns, unknown.reshape(-1), lower=1, diag=1, overwrite_x=1)
    return np.asarray(solved).reshape(unknown.shape)
