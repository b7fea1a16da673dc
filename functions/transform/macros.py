"""The macro library: one knob each, which drives several knobs of several presets along curves.

    amount 0 to 1 -> each drive: low + curve(amount) * (high - low) -> knobs settled -> ``fx_chain.chain_of``

A curve is one of ``shared.audio.curves``: ``linear``, ``exponential`` (late), ``log`` (early), ``s_curve``.
Knobs that a macro does not drive stand at their preset's default. Every stage's ``wet`` begins at 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from functions.transform.fx_chain import Category, Stage, knob
from functions.transform.presets import preset_named
from functions.transform.sound import Clamps
from shared.audio.curves import SHAPES, Curve
from shared.errors import ValidationError


@dataclass(frozen=True)
class Drive:
    """How one knob follows the macro's: from ``low`` at 0 to ``high`` at 1, in the knob's own unit.

    ``high`` may be the smaller one. What lies beyond the knob's range is clamped, without being reported.
    """

    low: float
    high: float
    curve: Curve = "linear"

    def at(self, amount: float) -> float:
        """The knob's value where the macro's stands at ``amount``."""
        way = float(SHAPES[self.curve](np.array([amount]))[0])
        return self.low + way * (self.high - self.low)


@dataclass(frozen=True)
class MacroStage:
    """One preset of a macro: how much of it is heard, and what its knobs do; others rest."""

    preset_id: str
    """One of the preset library's; a test asks for it and for its knobs."""
    wet: Drive
    """From 0, so that a macro at 0 leaves the recording as it is."""
    drives: Mapping[str, Drive]

    def at(self, amount: float) -> Stage:
        """The preset as it stands where the macro's knob is at ``amount``."""
        preset = preset_named(self.preset_id)
        driven = {name: drive.at(amount) for name, drive in self.drives.items()}
        return Stage(preset, preset.settle(driven, Clamps()), self.wet.at(amount))


@dataclass(frozen=True)
class Macro:
    """One row of the library; its stages come one after the other, in their order."""

    macro_id: str
    title: str
    category: Category
    does: str
    stages: tuple[MacroStage, ...]

    def at(self, amount: float) -> list[Stage]:
        """Its presets, set."""
        return [stage.at(amount) for stage in self.stages]


AMOUNT = knob("amount", "Amount", (0, 1), 0.5)
"""The one knob that every macro has."""

_IN = Drive(0, 1, "log")
"""Soon there (0.34 of the way at 0.1, 0.88 at 0.5): from then on the other knobs say what is heard."""
_EVEN = Drive(0, 1)
"""As far in as the macro is turned up."""

MACROS: Mapping[str, Macro] = {
    macro.macro_id: macro
    for macro in (
        Macro(
            "podcast_polish",
            "Podcast polish",
            "voice",
            "From the raw microphone to a finished voice: noise down, warmth and presence up, s tamed.",
            (
                MacroStage(
                    "voice_clean_up",
                    _IN,
                    {"reduction_db": Drive(4, 24), "evenness": Drive(0, 0.5)},
                ),
                MacroStage(
                    "voice_broadcast",
                    _IN,
                    {
                        "warmth_db": Drive(0, 4),
                        "presence_db": Drive(0, 5, "s_curve"),
                        "evenness": Drive(0, 0.6),
                    },
                ),
                MacroStage("de_ess", _IN, {"amount": Drive(0, 0.8, "exponential")}),
            ),
        ),
        # A directional microphone lifts bass where it is near: that goes first, then the direct sound.
        Macro(
            "distance",
            "Distance",
            "voice",
            "Walks away from the microphone: bass and highs go, the room comes.",
            (
                MacroStage(
                    "voice_broadcast",
                    _IN,
                    {
                        "warmth_db": Drive(0, -6),
                        "presence_db": Drive(0, -6),
                        "evenness": Drive(0, 0),
                    },
                ),
                MacroStage(
                    "room",
                    _IN,
                    {
                        "amount": Drive(0, 1, "s_curve"),
                        "decay_s": Drive(0.2, 1.2),
                        "brightness_hz": Drive(9000, 2500),
                    },
                ),
            ),
        ),
        # The band closes from both ends while the sampler behind it loses bits and samples.
        Macro(
            "bad_line",
            "Bad line",
            "voice",
            "A connection that gets worse and worse.",
            (
                MacroStage(
                    "telephone",
                    _IN,
                    {
                        "low_hz": Drive(200, 600),
                        "high_hz": Drive(5000, 2200, "log"),
                        "grit": Drive(0, 1, "exponential"),
                    },
                ),
                MacroStage(
                    "lo_fi",
                    Drive(0, 0.8, "exponential"),
                    {"bits": Drive(12, 4), "hold_samples": Drive(1, 14)},
                ),
            ),
        ),
        Macro(
            "vintage",
            "Vintage",
            "music",
            "Back through the decades: tape, then worn tape, then an old sampler.",
            (
                MacroStage(
                    "tape",
                    _IN,
                    {
                        "drive_db": Drive(2, 18),
                        "wow": Drive(0, 0.6, "exponential"),
                        "age": Drive(0, 0.9),
                    },
                ),
                MacroStage(
                    "lo_fi",
                    Drive(0, 0.7, "exponential"),
                    {"bits": Drive(14, 8), "tone_hz": Drive(14000, 5000)},
                ),
            ),
        ),
        Macro(
            "energy",
            "Energy",
            "music",
            "Denser, heavier, brighter.",
            (
                MacroStage("parallel_drums", _IN, {"amount": Drive(0, 0.8)}),
                MacroStage("low_end", _IN, {"weight_db": Drive(0, 5)}),
                MacroStage("air", _IN, {"amount": Drive(0, 0.7, "exponential")}),
            ),
        ),
        # One compressor that works on more and more, and a tape's saturation that all tracks then share.
        Macro(
            "one_record",
            "One record",
            "music",
            "Makes tracks that were recorded apart sound like one record.",
            (
                MacroStage(
                    "bus_glue",
                    _IN,
                    {
                        "threshold_db": Drive(-8, -32),
                        "ratio": Drive(1.4, 3.5),
                        "make_up_db": Drive(0, 5),
                    },
                ),
                MacroStage(
                    "tape",
                    _EVEN,
                    {"drive_db": Drive(0, 9), "wow": Drive(0, 0), "age": Drive(0, 0.2)},
                ),
            ),
        ),
        # Frequencies fall along "log", fast first: most of the highs are gone at half the way.
        Macro(
            "submerge",
            "Submerge",
            "sound design",
            "Sinks below the surface and into a wide, dark space.",
            (
                MacroStage(
                    "underwater",
                    _IN,
                    {"surface_hz": Drive(2500, 200, "log"), "sway": Drive(0, 0.9)},
                ),
                MacroStage(
                    "cathedral",
                    Drive(0, 0.7, "exponential"),
                    {"decay_s": Drive(1, 7), "brightness_hz": Drive(6000, 1200)},
                ),
            ),
        ),
        Macro(
            "disintegrate",
            "Disintegrate",
            "sound design",
            "Falls apart into grains and bits.",
            (
                MacroStage(
                    "stutter",
                    Drive(0, 1, "s_curve"),
                    {"grain_ms": Drive(240, 40), "repeats": Drive(2, 6)},
                ),
                MacroStage(
                    "lo_fi",
                    _EVEN,
                    {
                        "bits": Drive(12, 3, "exponential"),
                        "hold_samples": Drive(1, 24, "exponential"),
                        "tone_hz": Drive(16000, 4000),
                    },
                ),
            ),
        ),
        Macro(
            "dream",
            "Dream",
            "sound design",
            "Echoes, then a cathedral, then swells that come before the sound.",
            (
                MacroStage(
                    "tape_echo",
                    _IN,
                    {"amount": Drive(0, 0.7), "feedback": Drive(0.2, 0.7)},
                ),
                MacroStage(
                    "cathedral",
                    _EVEN,
                    {"amount": Drive(0, 0.9), "decay_s": Drive(2, 8)},
                ),
                MacroStage("reverse_swell", Drive(0, 0.8, "exponential"), {}),
            ),
        ),
    )
}


def macro_named(macro_id: str) -> Macro:
    """The row; raises ``ValidationError`` that lists the known ids."""
    if macro_id not in MACROS:
        told = f"{macro_id!r} is unknown" if macro_id else "is needed"
        raise ValidationError("macro_id", f"{told}; known: {', '.join(MACROS)}")
    return MACROS[macro_id]
