"""The pack as DecentSampler presets.

Elements and attributes are those of the DecentSampler Developers Guide
(github.com/DecentSamples/DecentSampler-Developers-Guide, "The <groups> element"): a group a layer, so
that each has its own round robin; paths relative to the preset.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from functions.sample.members import Member
from functions.sample.pads import Layer, Pad


def dspreset(played: str, pads: Sequence[Pad]) -> str:
    """The preset as XML text; ``played`` is one of ``sfz.PLAYED``.

    Levels are in dB, times in seconds, tuning in semitones.
    """
    root = ET.Element("DecentSampler", minVersion="1.0.0")
    envelope = {"attack": "0.0", "decay": "0.0", "sustain": "1.0", "release": "0.02"}
    groups = ET.SubElement(root, "groups", envelope)
    for pad in pads:
        for layer in pad.layers:
            group = ET.SubElement(groups, "group", {"name": pad.name, **_turns(layer)})
            for turn, take in enumerate(layer.takes, 1):
                ET.SubElement(group, "sample", _sample(pad, layer, take, turn, played))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _turns(layer: Layer) -> dict[str, str]:
    """Of a group: takes that take turns, and how loud they are."""
    turns = {"seqMode": "round_robin"} if len(layer.takes) > 1 else {}
    return turns | ({"volume": f"{layer.lift_db:g}dB"} if layer.lift_db else {})


def _sample(pad: Pad, layer: Layer, take: Member, turn: int, played: str) -> dict[str, str]:
    """A take's attributes; velocities begin at 0 here."""
    told = {
        "path": take.file,
        "rootNote": str(pad.key),
        "loNote": str(pad.low_key),
        "hiNote": str(pad.high_key),
        "loVel": str(layer.low if layer.low > 1 else 0),
        "hiVel": str(layer.high),
    }
    if len(layer.takes) > 1:
        told["seqPosition"] = str(turn)
    if played == "tuned":
        if take.pitch:
            told["tuning"] = f"{-take.pitch.cents / 100:.2f}"
    else:
        told["pitchKeyTrack"] = "0"
    if played == "loop":
        return told | {"loopEnabled": "true", "loopStart": "0", "loopEnd": str(take.samples - 1)}
    # A pad is struck, not held: the sample is played to its end.
    return told | {"release": f"{max(take.segment.end_ms - take.segment.start_ms, 500) / 1000:.2f}"}
