"""The two tables: buses to mix on, and masters to export.

A mix preset is a list of buses; each takes the tracks of its roles, equalises them, and may duck under
others. A timeline's own bus replaces the one of its id, further ones stand behind, and for a role that
both have its own bus takes the track. An export preset says how the master is made. The loudness in it
is what places ask for (sources in ``shared.sound.delivery_targets``): -16 LUFS for podcasts, -14 for
music services. Gains and equalisers of the mix presets are a starting point and no measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shared.contracts.timeline import Timeline
from shared.contracts.timeline_parts import Bus, Duck, EqBand
from shared.errors import ValidationError

Format = Literal["wav", "flac", "mp3", "aac", "opus"]

_RUMBLE = EqBand(kind="highpass", frequency_hz=80.0)
"""12 dB an octave below a speaking voice: handling, wind and traffic."""
_VOICE_EQ = (
    _RUMBLE,
    EqBand(kind="peak", frequency_hz=300.0, gain_db=-1.5, q=1.0),
    EqBand(kind="peak", frequency_hz=3_500.0, gain_db=1.5, q=0.8),
)
_BACK_SEAT_EQ = (EqBand(kind="peak", frequency_hz=2_500.0, gain_db=-2.0, q=0.7),)
"""Room for a voice in whatever plays under it."""


def _bus(name: str, *roles: str, gain_db: float = 0.0, eq: tuple[EqBand, ...] = ()) -> Bus:
    """``bus_NAME``; without ``roles`` it takes the role of its own name."""
    return Bus(bus_id=f"bus_{name}", roles=roles or (name,), gain_db=gain_db, eq=eq)


def _ducked(bus: Bus, amount_db: float) -> Bus:
    """The bus, turned down by so much while dialogue is heard; times and threshold are ``Duck``'s own."""
    return bus.model_copy(update={"duck": Duck(under=("bus_dialogue",), amount_db=amount_db)})


MIX_PRESETS: Mapping[str, tuple[Bus, ...]] = {
    "default_mix": (
        _bus("dialogue", "dialogue", "vox", eq=(_RUMBLE,)),
        _bus("drums"),
        _bus("bass"),
        _bus("keys", gain_db=-1.0),
        _bus("music", gain_db=-3.0),
        _bus("fx", gain_db=-3.0),
        _bus("ambience", gain_db=-6.0),
    ),
    "podcast_mix": (
        _bus("dialogue", "dialogue", "vox", eq=_VOICE_EQ),
        _ducked(
            _bus("music", "music", "drums", "bass", "keys", gain_db=-6.0, eq=_BACK_SEAT_EQ), 12.0
        ),
        _ducked(_bus("fx", gain_db=-6.0), 4.0),
        _ducked(_bus("ambience", gain_db=-10.0, eq=(_RUMBLE,)), 6.0),
    ),
    "music_mix": (
        _bus("dialogue", "dialogue", "vox", eq=_VOICE_EQ),
        _bus("drums"),
        _bus("bass", eq=(EqBand(kind="highpass", frequency_hz=30.0),)),
        _bus("keys", gain_db=-2.0, eq=(EqBand(kind="highpass", frequency_hz=100.0),)),
        _bus("music", gain_db=-2.0),
        _bus("fx", gain_db=-4.0),
        _bus("ambience", gain_db=-8.0),
    ),
    "flat_mix": tuple(
        _bus(name, *(("dialogue", "vox") if name == "dialogue" else (name,)))
        for name in ("dialogue", "drums", "bass", "keys", "music", "fx", "ambience")
    ),
}
"""Preset -> its buses, in the order in which they are summed."""


@dataclass(frozen=True)
class ExportPreset:
    """What a master is made for."""

    loudnorm_target: float
    """LUFS of a stereo master; a mono one gets 3 LU less, which sounds as loud from two speakers: BS.1770
    adds up channels, and the one that is played twice is measured once."""
    limiter_thresh: float
    """dBTP: no true peak is higher."""
    headroom: float
    """dB below full scale: what the meta's gain is divided at (``Mastered.headroom_gain_db``); not heard."""
    dither: bool
    """TPDF, of whatever is written in 16 or 24 bits."""
    bit_depth: Literal[16, 24]
    channels: Literal[1, 2]
    rounds: int
    """How often loudness is measured behind the limiter and corrected."""


EXPORT_PRESETS: Mapping[str, ExportPreset] = {
    "default": ExportPreset(-16.0, -1.0, 6.0, True, 24, 2, 4),
    "podcast": ExportPreset(-16.0, -1.0, 6.0, True, 16, 2, 4),
    "music": ExportPreset(-14.0, -1.0, 3.0, True, 24, 2, 4),
    "voiceover": ExportPreset(-16.0, -1.0, 6.0, True, 24, 1, 4),
    "draft": ExportPreset(-16.0, -1.0, 3.0, False, 16, 2, 1),
}


def export_preset(name: str) -> ExportPreset:
    """The row; raises ``ValidationError``: ``Unknown export preset: ...``."""
    if name not in EXPORT_PRESETS:
        known = ", ".join(EXPORT_PRESETS)
        raise ValidationError("export_preset", f"Unknown export preset: {name} (known: {known})")
    return EXPORT_PRESETS[name]


def buses_of(timeline: Timeline) -> tuple[Bus, ...]:
    """The preset's buses with the timeline's own in their places, and its further ones behind.

    Raises ``ValidationError`` for an unknown preset, or a bus that ducks under an unknown one.
    """
    if timeline.mix_preset_id not in MIX_PRESETS:
        known = ", ".join(MIX_PRESETS)
        raise ValidationError(
            "mix_preset_id", f"Unknown mix preset: {timeline.mix_preset_id} (known: {known})"
        )
    buses = {bus.bus_id: bus for bus in MIX_PRESETS[timeline.mix_preset_id]}
    buses |= {bus.bus_id: bus for bus in timeline.buses}
    for bus in timeline.buses:
        for other in bus.duck.under if bus.duck else ():
            if other not in buses:
                raise ValidationError(
                    f"buses.{bus.bus_id}.duck.under",
                    f"there is no bus {other!r}; buses: {', '.join(buses)}",
                )
    return tuple(buses.values())


def routes(timeline: Timeline) -> Mapping[str, Bus]:
    """Track id -> the bus that takes it: the timeline's own buses first, then the preset's.

    Raises ``ValidationError`` naming the track whose role no bus has.
    """
    buses = buses_of(timeline)
    own = {bus.bus_id for bus in timeline.buses}
    takers: dict[str, Bus] = {}
    for bus in sorted(buses, key=lambda bus: bus.bus_id in own):
        takers |= dict.fromkeys(bus.roles, bus)
    for track in timeline.tracks:
        if track.role not in takers:
            raise ValidationError(
                f"tracks.{track.track_id}.role",
                f"no bus takes {track.role!r}; roles: {', '.join(sorted(takers))}",
            )
    return {str(track.track_id): takers[track.role] for track in timeline.tracks}
