"""What a clip of OpenTimelineIO plays: which window of its media, how fast.

OpenTimelineIO counts a clip's source range from where its media's own clock stands at their start: a
camera's timecode, a BWF recorder's time of day. ``available_range`` says where that is; here windows
count from the start of the recording.

    available_range   01:00:00:00 |=======================|
    source_range                 01:00:05:00 |======|          -> source 5,000 ms on
"""

from __future__ import annotations

import importlib
from math import isfinite
from typing import Any

from shared.errors import MissingDependency, ValidationError

_SILENT_GENERATORS = ("black", "silence", "slug")
_EARLY_MS = 1.0
"""So much earlier than its media a clip may begin: other programs round."""


def otio_library() -> Any:
    """OpenTimelineIO, which has no types; raises ``MissingDependency``."""
    try:
        return importlib.import_module("opentimelineio")
    except ImportError:
        hint = "install it with `pip install opentimelineio`"
        raise MissingDependency("opentimelineio", "0.17", hint) from None


def ms(time: Any, where: str) -> float:
    """A time in milliseconds; raises ``ValidationError`` for one that is no number."""
    if not time.rate > 0 or not isfinite(time.value) or not isfinite(time.rate):
        raise ValidationError(where, f"{time.value:g} at {time.rate:g} a second is no time")
    return float(time.value / time.rate * 1000)


def window_ms(item: Any, where: str, notices: list[str]) -> tuple[float, float]:
    """Where in its media a clip begins, and how long it is on the timeline, in milliseconds.

    Without ``source_range`` it is all that is available. Without ``available_range`` its times are
    taken to count from the media's start, with a notice. Raises ``ValidationError`` where neither is
    there.
    """
    available, source = item.media_reference.available_range, item.source_range
    if available is None and source is None:
        raise ValidationError(where, "has no source_range, and its media no available_range")
    if available is None:
        if ms(source.start_time, where):
            notices.append("media without available_range: their source times count from 0")
        return ms(source.start_time, where), ms(source.duration, where)
    begins_ms = ms(available.start_time, where)
    if source is None:
        return 0.0, ms(available.duration, where)
    start_ms = ms(source.start_time, where) - begins_ms
    if not -_EARLY_MS < start_ms <= ms(available.duration, where) + _EARLY_MS:
        raise ValidationError(
            f"{where}.source_range",
            f"begins {start_ms:,.0f} ms behind the start of its media, which are "
            f"{ms(available.duration, where):,.0f} ms long",
        )
    return start_ms, ms(source.duration, where)


def speed(otio: Any, item: Any, where: str, notices: list[str]) -> float:
    """How fast a clip plays; raises ``ValidationError`` for time effects of other kinds."""
    product = 1.0
    for effect in item.effects:
        name = effect.effect_name or effect.name or type(effect).__name__
        if type(effect) is otio.schema.LinearTimeWarp:
            product *= effect.time_scalar
        elif isinstance(effect, otio.schema.TimeEffect):
            raise ValidationError(f"{where}.effects", f"the time effect {name!r} is not read")
        else:
            notices.append(f"effects {name!r} are left out")
    return product


def is_silent(otio: Any, item: Any) -> bool:
    """Is it a stretch of nothing (a generator of black), which takes its time as a gap does?"""
    reference = item.media_reference
    if not isinstance(reference, otio.schema.GeneratorReference):
        return False
    return str(reference.generator_kind).lower() in _SILENT_GENERATORS


def media_url(otio: Any, item: Any, where: str) -> str:
    """The media's URL, empty where it is missing; raises ``ValidationError`` for no recording."""
    reference, schema = item.media_reference, otio.schema
    if isinstance(reference, schema.GeneratorReference):
        kind = reference.generator_kind or reference.name
        raise ValidationError(where, f"the generator {kind!r} is no recording")
    if isinstance(reference, schema.ImageSequenceReference):
        raise ValidationError(where, "a sequence of pictures is no recording")
    return getattr(reference, "target_url", None) or ""
