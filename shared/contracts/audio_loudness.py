"""The loudness: what ``transform.loudness`` measures, and ``transform.normalise`` reads."""

from __future__ import annotations

from typing import ClassVar, Literal

from shared.contracts.result_document import ResultDocument

Undefined = Literal["silent", "softer than -70 LUFS", "shorter than 400 ms"]
"""Below the standard's absolute gate there is sound, and no loudness."""


class Loudness(ResultDocument):
    """How loud a recording is, after EBU R 128."""

    kind: ClassVar[str] = "audio_loudness"
    title: ClassVar[str] = "measurement of loudness"
    largest_bytes: ClassVar[int] = 1 << 20

    integrated_lufs: float | None
    """None: undefined, ``undefined`` says why."""
    loudness_range_lu: float | None
    """None: shorter than 3 s, or nothing above the gates."""
    true_peak_dbtp: float | None
    """To 0.01 dB; none: digital silence."""
    undefined: Undefined | None = None
    """Why there is no loudness."""
