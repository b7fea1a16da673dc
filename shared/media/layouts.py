"""What a channel layout's name says: which loudspeaker each channel is for.

Names are ffmpeg's (``ffmpeg -layouts``). A file that names no layout has so many equal channels: no
LFE is guessed, and nothing is weighed; but one channel is mono and two are stereo.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

LAYOUTS: Mapping[str, str] = {
    "mono": "FC",
    "stereo": "FL FR",
    "2.1": "FL FR LFE",
    "3.0": "FL FR FC",
    "3.0(back)": "FL FR BC",
    "4.0": "FL FR FC BC",
    "quad": "FL FR BL BR",
    "quad(side)": "FL FR SL SR",
    "3.1": "FL FR FC LFE",
    "5.0": "FL FR FC BL BR",
    "5.0(side)": "FL FR FC SL SR",
    "4.1": "FL FR FC LFE BC",
    "5.1": "FL FR FC LFE BL BR",
    "5.1(side)": "FL FR FC LFE SL SR",
    "6.0": "FL FR FC BC SL SR",
    "6.0(front)": "FL FR FLC FRC SL SR",
    "hexagonal": "FL FR FC BL BR BC",
    "6.1": "FL FR FC LFE BC SL SR",
    "6.1(back)": "FL FR FC LFE BL BR BC",
    "6.1(front)": "FL FR LFE FLC FRC SL SR",
    "7.0": "FL FR FC BL BR SL SR",
    "7.0(front)": "FL FR FC FLC FRC SL SR",
    "7.1": "FL FR FC LFE BL BR SL SR",
    "7.1(wide)": "FL FR FC LFE BL BR FLC FRC",
    "7.1(wide-side)": "FL FR FC LFE FLC FRC SL SR",
    "octagonal": "FL FR FC BL BR BC SL SR",
    "hexadecagonal": "FL FR FC BL BR BC SL SR TFL TFC TFR TBL TBC TBR WL WR",
    "downmix": "DL DR",
    "22.2": "FL FR FC LFE BL BR FLC FRC BC SL SR TC TFL TFC TFR TBL TBC TBR LFE2 TSL TSR BFC BFL BFR",
}
_LEFT = frozenset(["FL", "FLC", "BL", "SL", "TFL", "TBL", "TSL", "WL", "BFL", "DL"])
_RIGHT = frozenset(["FR", "FRC", "BR", "SR", "TFR", "TBR", "TSR", "WR", "BFR", "DR"])
_FRONT = frozenset(["FL", "FR", "DL", "DR"])
LFE = frozenset({"LFE", "LFE2"})
_MINUS_3_DB = 0.5**0.5


def channel_names(layout: str | None, channels: int) -> tuple[str, ...] | None:
    """The loudspeakers, in the order of the channels; ``None`` where no layout (of so many) is named."""
    if layout is None:
        return {1: ("FC",), 2: ("FL", "FR")}.get(channels)
    listed = re.search(r"\(([A-Z0-9]+(?:\+[A-Z0-9]+)+)\)$", layout)
    names = listed[1].split("+") if listed else LAYOUTS.get(layout, "").split()
    return tuple(names) if len(names) == channels else None


def layout_words(layout: str | None, channels: int) -> str | None:
    """The layout as ffmpeg's options and filters take it; ``None`` where none is known."""
    names = channel_names(layout, channels)
    if names is None:
        return None
    return layout if layout in LAYOUTS else "+".join(names)


def is_ambisonic(layout: str | None) -> bool:
    """Are the channels no loudspeakers, but a sound field (in the order ACN: W, Y, Z, X, ...)?"""
    return layout is not None and layout.startswith("ambisonic")


def heard_in_mono(layout: str | None, channels: int) -> list[int]:
    """The channels that a mix to one takes: all but the LFE; of a sound field W, what is all around."""
    if is_ambisonic(layout):
        return [0]
    names = channel_names(layout, channels) or ("",) * channels
    return [index for index, name in enumerate(names) if name not in LFE]


def even_mono(layout: str | None, channels: int, taken: Sequence[int] = ()) -> Matrix:
    """To one channel: the mean of ``taken``, or of what is heard in mono: ``(channels, 1)``."""
    import numpy as np

    chosen = list(taken) or heard_in_mono(layout, channels) or range(channels)
    matrix = np.zeros((channels, 1))
    matrix[chosen] = 1 / len(chosen)
    return matrix


def stereo_of(layout: str | None, channels: int, taken: Sequence[int] = ()) -> Matrix:
    """To two channels: ``(channels, 2)``.

    A named layout as ITU-R BS.775 has it: what is neither left nor right at -3 dB into both, what is
    not in front at -3 dB, no LFE; scaled so that nothing can clip. Equal channels evenly into both. A
    sound field as two cardioids hear it that look left and right.
    """
    import numpy as np

    if is_ambisonic(layout) and channels > 1:
        cardioids = np.zeros((channels, 2))
        cardioids[:2] = [[0.5, 0.5], [0.5, -0.5]]
        return cardioids
    names = channel_names(layout, channels)
    if names is None or not set(names) - LFE:
        return np.repeat(even_mono(layout, channels, taken), 2, axis=1)
    matrix = np.zeros((channels, 2))
    for index, name in enumerate(names):
        if name in LFE:
            continue
        level = 1.0 if name in _FRONT else _MINUS_3_DB
        sides = (name not in _RIGHT, name not in _LEFT)
        matrix[index] = np.array(sides) * level
    return np.asarray(matrix / max(1.0, float(matrix.sum(axis=0).max())))
