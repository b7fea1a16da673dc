"""Photographs, written again: as JPEG what came as such, as PNG what loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shared.contracts.asset import MediaInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUALITY = 95
_LOSSY = frozenset({"jpeg_pipe", "webp_pipe"})


def write_still(path: Path, picture: NDArray[np.uint8], media: MediaInfo) -> tuple[Path, str]:
    """``(height, width, 3)``, blue, green, red; returns the file, with its extension, and its type.

    There is nothing in it but the picture: no EXIF, no place, no thumbnail of what it showed before.
    """
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(picture[:, :, ::-1]))
    if media.container in _LOSSY:
        file = path.with_suffix(".jpg")
        image.save(file, format="JPEG", quality=_QUALITY, subsampling=0)
        return file, "image/jpeg"
    file = path.with_suffix(".png")
    image.save(file, format="PNG", compress_level=3)
    return file, "image/png"
