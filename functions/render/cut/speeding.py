"""Stretches that are played faster, their pitch kept: all of one speed through one Rubber Band.

They are gathered one behind the other, each with some of what is around it, so that none begins or
ends in the sound of another. A list may hold thousands of silences, and one ffmpeg for each speed is enough.
Where a stretch comes out is reckoned as a fraction of samples, and rounded only when it is read; how near
to that it is heard: docs/cut.md, rendering a list.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from functions.render.cut.crossfades import Sound
from functions.render.cut.cutting_plan import Stretch
from shared.media.ffmpeg import run, timeout_for
from shared.media.stretch import stretch_filters, timed

_FASTEST_TEMPO = 4.0
"""At more than this Rubber Band's answers wander by tens of milliseconds."""
_AROUND_S = 0.05
"""So much of what is around a stretch goes in with it on either side, as long as it lasts then."""


@dataclass
class Gathered:
    """What is played at one speed: float32 files in ``folder``, removed when they are no longer needed."""

    speed: float
    """Above 1, up to 20."""
    sample_rate_hz: int
    channels: int
    folder: Path
    _places: dict[int, Fraction] = field(default_factory=dict)
    """Stretch -> where its first frame comes out."""
    _frames: int = 0

    @property
    def _name(self) -> str:
        return f"speed_{self.speed!r}".replace(".", "_")

    @property
    def _unsped(self) -> Path:
        return self.folder / f"{self._name}.f32"

    @property
    def _sped(self) -> Path:
        return self.folder / f"{self._name}_sped.f32"

    def around(self, one: Stretch) -> tuple[int, int]:
        """What of the recording ``add`` needs for it: ``[first, stop)`` in samples, perhaps from before its
        beginning."""
        more = round(_AROUND_S * self.sample_rate_hz * self.speed)
        return one.source_start - more, one.source_stop + more

    def add(self, number: int, one: Stretch, parts: Iterator[Sound]) -> None:
        """The next stretch; ``parts``: of ``around``, in order."""
        before = one.source_start - self.around(one)[0]
        self._places[number] = Fraction(self._frames + before) / Fraction(self.speed)
        with self._unsped.open("ab") as file:
            for part in parts:
                file.write(np.ascontiguousarray(part, "<f4").data)
                self._frames += len(part)

    def stretch(self) -> None:
        """All of them at once, in the quality ``high``, as long as what was gathered divided by the speed.

        Raises ``MissingDependency`` without Rubber Band, and as ``run`` does.
        """
        raw = ["-f", "f32le", "-ar", f"{self.sample_rate_hz}", "-ac", f"{self.channels}"]
        source = ["-protocol_whitelist", "file", *raw, "-i", f"file:{self._unsped.absolute()}"]
        rate = self.sample_rate_hz
        filters = ",".join(
            stretch_filters(tempo, 0.0, "high", rate, preserve_formants=False)
            for tempo in in_turn(self.speed)
        )
        frames = round(self._frames / self.speed)
        chain = f"aformat=sample_fmts=fltp,{timed(filters, self.speed, rate, frames)}"
        duration_ms = round(1000 * self._frames / rate)
        out = ("-c:a", "pcm_f32le", "-f", "f32le", "-y", self._sped)
        run([*source, "-af", chain, *out], timeout_s=timeout_for(duration_ms))
        self._unsped.unlink()

    def read(self, number: int, offset: int, frames: int) -> Sound:
        """Of stretch ``number`` the frames from ``offset`` on (from its own first one, perhaps before it):
        ``(frames, channels)``, zeros behind the file's end."""
        first = round(self._places[number]) + offset
        with self._sped.open("rb") as file:
            file.seek(4 * self.channels * max(0, first))
            data = file.read(4 * self.channels * frames)
        sound = np.frombuffer(data, "<f4").reshape(-1, self.channels)
        return np.pad(sound, ((0, frames - len(sound)), (0, 0)))

    def close(self) -> None:
        """Remove what was made."""
        self._sped.unlink()


def in_turn(speed: float) -> list[float]:
    """Equal tempi, none above ``_FASTEST_TEMPO``, that make this speed one after the other."""
    count = max(1, math.ceil(math.log(speed, _FASTEST_TEMPO) - 1e-9))
    return [speed ** (1 / count)] * count
