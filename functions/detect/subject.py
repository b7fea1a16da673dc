"""Where in a picture its subject is, and how fast the picture moves.

The subject is the most prominent face; without one what stands out by the spectral residual (Xiaodi
Hou and Liqing Zhang, Saliency Detection: A Spectral Residual Approach, CVPR 2007). Motion is the
mean length of a dense optical flow (Gunnar Farnebäck, Two-Frame Motion Estimation Based on
Polynomial Expansion, 2003), sought from where the picture and single things have gone. Both look at one
moment: nothing is remembered from sample to sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from functions.detect.centerface import FaceDetector
from functions.detect.moved_things import left_over, start_of_flow
from functions.detect.picture_shift import Shift, shared_parts, shift_between

Picture = NDArray[np.uint8]
"""``(height, width, 3)``, blue, green, red."""
Grey = NDArray[np.uint8]
"""``(height, width)``, 0 to 255."""

_SURE = 0.45
"""A face counts from this confidence on, 0 to 1; less would take more for faces."""
_MAP = 64
"""Pixels of a side of the square in which saliency is sought, as in the paper: details don't
stand out."""
_EXPLAINED = 0.8
"""A shift of the whole is believed where the pictures, shifted, differ by less of their plain
difference: of noise and of other pictures behind a cut some shift is always the best."""


@dataclass(frozen=True)
class Subject:
    """A centre in parts of the picture's width and height, and how sure that is."""

    x: float
    y: float
    kind: Literal["face", "saliency", "none"]
    confidence: float
    """A face's as the detector says it; else the share of all saliency that lies where it is
    strong; 0 to 1."""


def subject_of(picture: Picture, faces: FaceDetector | None) -> Subject:
    """The most prominent face's centre; without one, that of what stands out.

    Prominent is what is sure and large: confidence times area. Without ``faces`` none is sought.
    """
    high, wide = picture.shape[:2]
    found = faces.find(picture) if faces else np.zeros((0, 5))
    found = found[found[:, 4] >= _SURE]
    if len(found):
        left, top, width, height, sure = max(found, key=lambda box: box[4] * box[2] * box[3])
        x, y = np.clip(((left + width / 2) / wide, (top + height / 2) / high), 0, 1)
        return Subject(float(x), float(y), "face", float(sure))
    return _salient(picture)


def _salient(picture: Picture) -> Subject:
    """By the spectral residual (Hou and Zhang, 2007): what the picture's spectrum doesn't predict.

    The log spectrum less its 3 x 3 mean, turned back with the phases as they were, squared and
    smoothed (sigma 4 pixels of 64); the centre is that of all that reaches half the maximum. A
    picture of one colour (standard deviation below 2 of 255) has no subject: its middle, with
    confidence 0.
    """
    import cv2

    small = cv2.resize(picture, (_MAP, _MAP), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
    if float(grey.std()) < 2.0:
        return Subject(0.5, 0.5, "none", 0.0)
    spectrum = np.fft.fft2(grey)
    level = np.log(np.abs(spectrum) + 1e-6).astype(np.float32)
    residual = level - cv2.blur(level, (3, 3))
    salient = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    smooth = cv2.GaussianBlur(salient.astype(np.float32), (0, 0), 4.0)
    # The transform takes the picture's edges for neighbours: what it finds there is its own.
    smooth[:3] = smooth[-3:] = smooth[:, :3] = smooth[:, -3:] = 0
    strong = np.where(smooth >= 0.5 * smooth.max(), smooth, 0)
    at = (np.arange(_MAP) + 0.5) / _MAP
    total = max(float(strong.sum()), 1e-12)
    x, y = float(strong.sum(axis=0) @ at) / total, float(strong.sum(axis=1) @ at) / total
    return Subject(x, y, "saliency", float(strong.sum() / max(float(smooth.sum()), 1e-12)))


def flow_length(before: Grey, after: Grey) -> float:
    """Mean length of the optical flow (Farnebäck, 2003) from one to the other, in their widths.

    Windows of 13 pixels, 2 rounds, at one size, for 96 by 54 pixels have no levels (OpenCV leaves
    out those less than 32 pixels high). From where it begins the flow reaches some 5 pixels: that
    is where the picture as a whole and single things in it have gone, up to three eighths of it.
    What is smaller than a window is told as up to three times as much: its surroundings move along.
    """
    import cv2

    start = start_of_flow(before, after, _whole_shift(before, after))
    flow = np.asarray(
        cv2.calcOpticalFlowFarneback(
            before, after, start, 0.5, 1, 13, 2, 5, 1.1, cv2.OPTFLOW_USE_INITIAL_FLOW
        )
    )
    lengths = np.hypot(flow[..., 0], flow[..., 1])
    return float(lengths.mean()) / int(before.shape[1])


def _whole_shift(before: Grey, after: Grey) -> Shift:
    """Where the picture as a whole has gone, if that explains enough of what has changed.

    Of half of the picture it must explain no less than no shift does: one large thing is not the whole.
    """
    import cv2

    shift = shift_between(before.astype(np.float32), after.astype(np.float32))
    if shift == (0, 0):
        return shift
    parts = shared_parts(before, after, shift)
    left = cv2.norm(*parts, cv2.NORM_L1) / parts[0].size
    plain = cv2.norm(before, after, cv2.NORM_L1) / before.size
    if left >= _EXPLAINED * plain:
        return (0, 0)
    shifts: tuple[Shift, ...] = ((0, 0), shift)
    still, shifted = (np.median(left_over(before, after, one, outside=0.0)) for one in shifts)
    return shift if shifted <= still else (0, 0)
