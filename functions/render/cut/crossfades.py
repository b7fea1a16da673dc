"""Seams: what is heard where one stretch gives way to the next."""

from __future__ import annotations

from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from functions.render.cut.cutting_plan import Cutting

Sound = NDArray[np.float32]
"""``(frames, channels)``."""


def crossfade(out: Sound, into: Sound) -> Sound:
    """From the one to the other, as loud as they are, however alike they are.

    Equal power for sounds that have nothing to do with each other, equal gain for the same sound
    twice, and what lies between for what is between: the two sine gains, divided by the root of the
    power that likeness adds (Fink, Holters and Zoelzer, "Signal-matched power-complementary
    cross-fading and dry-wet mixing", DAFx 2016). Likeness is the normalised correlation over the seam and
    all channels, 0 to 1: sounds of opposite sign count as unlike. Both are as long, and so is the result;
    silence on either side makes a plain sine fade.
    """
    turn = (np.arange(len(out)) + 0.5) * (np.pi / 2 / max(1, len(out)))
    power = float(np.vdot(out, out)) * float(np.vdot(into, into))
    alike = max(0.0, float(np.vdot(out, into)) / power**0.5) if power else 0.0
    level = 1 / np.sqrt(1 + alike * np.sin(2 * turn))
    mixed = out * (np.cos(turn) * level)[:, None] + into * (np.sin(turn) * level)[:, None]
    return np.asarray(mixed, np.float32)


class Joined:
    """The rendering's samples on disk, each stretch put where it belongs, in any order."""

    def __init__(self, file: BinaryIO, plan: Cutting, channels: int) -> None:
        self._file, self._plan = file, plan
        self.channels = channels
        self._halves: dict[int, tuple[Literal["out", "into"], Sound]] = {}
        """Seams of which one side is there: as many as there are stretches to be filled later."""
        file.truncate(4 * channels * plan.frames)
        if plan.seams:  # what begins or ends in a cut comes out of silence, and goes into it
            self._seam(0, "out", self._silence(plan.seams[0].frames))
            self._seam(len(plan.stretches), "into", self._silence(plan.seams[-1].frames))

    def put(self, number: int, first: int, sound: Sound) -> None:
        """A part of stretch ``number`` from the rendering's frame ``first``: all of a seam, or
        something between its two. What is put first of a seam waits in memory for its other side.
        """
        before, behind = self._plan.seams[number], self._plan.seams[number + 1]
        if first == before.first and len(sound) == before.frames:
            self._seam(number, "into", sound)
        elif first == behind.first and len(sound) == behind.frames:
            self._seam(number + 1, "out", sound)
        else:
            self._write(first, sound)

    def _seam(self, number: int, side: Literal["out", "into"], sound: Sound) -> None:
        if not len(sound):
            return
        if number not in self._halves:
            self._halves[number] = side, sound
            return
        _, other = self._halves.pop(number)
        out, into = (sound, other) if side == "out" else (other, sound)
        self._write(self._plan.seams[number].first, crossfade(out, into))

    def _write(self, first: int, sound: Sound) -> None:
        self._file.seek(4 * self.channels * first)
        self._file.write(np.ascontiguousarray(sound, "<f4").data)

    def _silence(self, frames: int) -> Sound:
        return np.zeros((frames, self.channels), np.float32)
