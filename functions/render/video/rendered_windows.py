"""The parts of a recording that a rendering shows, and which picture belongs where.

Pictures of an even frame rate stay on frame borders: each window begins on the border that is
nearest to its place, and so does the part of the recording that it shows. A picture is then at most
half a frame away from where the sound is that belongs to it, and the distances don't add up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import ConfigDict

from shared.contracts.asset import MediaInfo
from shared.contracts.edit_list import EditList, ms_at
from shared.contracts.model import Model
from shared.editing.time_map import time_map
from shared.errors import ValidationError
from shared.media.frames import first_video


class Cut(Model):
    """A part of the recording that stays, ``[start_ms, end_ms)``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    start_ms: float
    end_ms: float


@dataclass(frozen=True)
class Window:
    """A part of the recording, and where it stands in the rendering. Milliseconds."""

    source_start_ms: float
    source_end_ms: float
    start_ms: float
    speed: float = 1.0
    """Milliseconds of the recording for one of the rendering."""

    @property
    def end_ms(self) -> float:
        """Where it ends in the rendering."""
        return self.start_ms + (self.source_end_ms - self.source_start_ms) / self.speed

    def source_ms(self, time_ms: float) -> float:
        """What of the recording is shown at a time of the rendering that lies in it."""
        return self.source_start_ms + (time_ms - self.start_ms) * self.speed


def make_windows(media: MediaInfo, cuts: Sequence[Cut]) -> list[Window]:
    """The parts of the recording, one after the other. Raises ``ValidationError``."""
    stream, duration_ms = first_video(media), media.duration_ms
    if duration_ms is None:
        raise ValidationError("cuts", "a still picture cannot be rendered")
    if not cuts:
        begin_ms = min([stream.start_ms, *(sound.start_ms for sound in media.audio)])
        end_ms = float(stream.start_ms + (stream.duration_ms or duration_ms))
        if stream.frame_rate_kind == "variable" and stream.frame_rate:
            end_ms += 1000 / stream.frame_rate  # MP4 may not tell how long the last picture stands
        return [Window(float(begin_ms), max(end_ms, float(duration_ms)), 0.0)]
    windows, start_ms = [], 0.0
    for number, cut in enumerate(cuts):
        if cut.end_ms > duration_ms + 1:
            reason = f"ends at {cut.end_ms:g} ms, after the recording, at {duration_ms} ms"
            raise ValidationError(f"cuts.{number}", reason)
        windows.append(Window(cut.start_ms, cut.end_ms, start_ms))
        start_ms = windows[-1].end_ms
    return windows


def listed_windows(edits: EditList) -> list[Window]:
    """What an edit list keeps, each at its sample's time, in order and without gaps in the rendering.

    The speed of one that is sped up is what its whole samples make of it, not the one that was asked for.
    """
    whole, rate = time_map(edits), edits.sample_rate_hz
    windows = []
    for piece in whole.pieces:
        speed = 1.0
        if piece.speed != 1:  # to the sample
            speed = (piece.end - piece.start) / (piece.new_end - piece.new_start)
        start_ms, end_ms = ms_at(piece.start, rate), ms_at(piece.end, rate)
        windows.append(Window(start_ms, end_ms, ms_at(piece.new_start, rate), speed))
    return windows


def moments(
    windows: Sequence[Window], frame_ms: float, first_ms: float
) -> Iterator[tuple[float, float]]:
    """When each picture of an even frame rate is shown, and a time at which the recording shows it: the
    middle of one of its frames, of which the first is at ``first_ms``.
    """
    for window in windows:
        first, stop = round(window.start_ms / frame_ms), round(window.end_ms / frame_ms)
        # Frames of the recording and of the rendering lie on two grids: by so many they are apart.
        apart = round((window.source_start_ms - first_ms - window.start_ms) / frame_ms)
        for number in range(first, stop):
            source_ms = first_ms + (number + apart + 0.5) * frame_ms
            if window.speed != 1:
                ahead_ms = (number + 0.5) * frame_ms - window.start_ms
                source_ms = window.source_start_ms + ahead_ms * window.speed
            yield number * frame_ms, source_ms


@dataclass(frozen=True)
class PunchIn:
    """Every other stretch between jumps is shown larger, so that a jump looks like another shot."""

    jumps_ms: Sequence[float]
    within_ms: float
    """A picture so long before a jump is already behind it: half a frame, where they lie on borders."""

    def at(self, time_ms: float) -> bool:
        """Is the picture of this time of the rendering larger?"""
        return bisect_right(self.jumps_ms, time_ms + self.within_ms) % 2 == 1
