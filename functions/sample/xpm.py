"""The pack as drum programs of Akai's MPCs (``.xpm``, MPC 2; MPC 3 reads them, too).

Akai publishes no schema. Elements, their order and their values follow what is known from programs that
the machines saved (Jürgen Moßgraber's ConvertWithMoss, ``MPCKeygroupTag``): 128 instruments, a pad each,
with up to four layers by velocity; a layer's sample by name, beside the program. A layer holds one
sample, so of takes of one level the best is heard.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from functions.sample.pads import FIRST_KEY, Layer, Pad

_PADS = 128
"""Eight banks of sixteen. Pads without a sound are written, too."""
_LAYERS = 4
"""Of a pad; ``pads.MOST_LAYERS`` is the same for all samplers' sake."""
_BY_VELOCITY = "1"
"""``ZonePlay``: 0 would cycle, 2 draw lots."""
_NOTES = 128
"""Of MIDI: the last pads' notes go round to 0."""

_PROGRAM = {"Volume": "1.000000", "Mute": "False", "Pan": "0.500000", "Pitch": "0.000000"}
"""What stands at the head of each program: levels and pans are 0 to 1."""
_INSTRUMENT = {
    **{"Volume": "1.000000", "Mute": "False", "Pan": "0.500000"},
    **{"TuneCoarse": "0", "TuneFine": "0", "Mono": "True", "Polyphony": "1"},
    **{"LowNote": "0", "HighNote": "127", "IgnoreBaseNote": "False", "ZonePlay": _BY_VELOCITY},
    **{"MuteGroup": "0", "TriggerMode": "0", "OneShot": "True"},
    **{"FilterType": "0", "Cutoff": "1.000000", "Resonance": "0.000000"},
    **{"VolumeHold": "0.000000", "VolumeAttack": "0.000000", "VolumeDecay": "0.000000"},
    **{"VolumeSustain": "1.000000", "VolumeRelease": "0.000000"},
}
"""What all pads have in common: a struck pad plays its sample to the end, and ends its former
stroke."""


def xpm(name: str, pads: Sequence[Pad]) -> str:
    """A drum program as XML text, its samples by name beside it.

    ``name`` is what the machine shows. Pad 1 has the note ``FIRST_KEY``.
    """
    root = ET.Element("MPCVObject")
    version = {"File_Version": "2.1", "Application": "MPC-V", "Application_Version": "2.10.0.0"}
    _texts(ET.SubElement(root, "Version"), {**version, "Platform": "Linux"})
    program = ET.SubElement(root, "Program", type="Drum")
    ET.SubElement(program, "ProgramName").text = name
    ET.SubElement(program, "ProgramPads").text = _colours()
    _texts(program, _PROGRAM)
    instruments = ET.SubElement(program, "Instruments")
    by_key = {pad.key: pad for pad in pads}
    for number in range(_PADS):
        _instrument(instruments, number + 1, by_key.get(FIRST_KEY + number))
    notes = ET.SubElement(program, "PadNoteMap")
    for number in range(_PADS):
        note = ET.SubElement(notes, "PadNote", number=str(number + 1))
        ET.SubElement(note, "Note").text = str((FIRST_KEY + number) % _NOTES)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _instrument(instruments: ET.Element, number: int, pad: Pad | None) -> None:
    """One pad, numbered from 1; ``None``: it has no sound."""
    instrument = ET.SubElement(instruments, "Instrument", number=str(number))
    _texts(instrument, _INSTRUMENT)
    heard = pad.layers if pad else ()
    # Layers have their levels from the recording; one alone has them from the stroke.
    ET.SubElement(instrument, "VelocitySensitivity").text = f"{float(len(heard) < 2):.6f}"
    layers = ET.SubElement(instrument, "Layers")
    for place in range(_LAYERS):
        layer = ET.SubElement(layers, "Layer", number=str(place + 1))
        _texts(layer, _layer(heard[place] if place < len(heard) else None))


def _layer(layer: Layer | None) -> Mapping[str, str]:
    """A layer's best take; ``None``: an empty layer.

    Velocities go from 0 to 127 here, where layers begin at 1. Ends are in samples of the file.
    """
    best = max(layer.takes, key=lambda take: take.segment.score) if layer else None
    return {
        "Active": str(layer is not None),
        **{
            "Volume": "1.000000",
            "Pan": "0.500000",
            "Pitch": "0.000000",
            "TuneCoarse": "0",
            "TuneFine": "0",
        },
        "VelStart": str((layer.low if layer.low > 1 else 0) if layer else 0),
        "VelEnd": str(layer.high if layer else 127),
        "SampleStart": "0",
        "SampleEnd": str(best.samples if best else 0),
        **{"Loop": "False", "LoopStart": "0", "LoopEnd": "0", "Mute": "False"},
        **{"RootNote": "60", "KeyTrack": "False"},
        "SampleName": best.name if best else "",
        "SampleFile": best.file if best else "",
        **{"SliceIndex": "128", "Direction": "0", "Offset": "0", "SliceStart": "0"},
        "SliceEnd": str(best.samples if best else 0),
        "SliceLoop": "0",
    }


def _colours() -> str:
    """The pads' blob, which is JSON: every pad in the colour of all."""
    body = {
        "Universal": {"value0": True},
        "Type": {"value0": 5},
        "universalPad": 32512,
        "pads": {f"value{number}": 0 for number in range(_PADS)},
        "UnusedPads": {"value0": 1},
        "PadsFollowTrackColour": {"value0": False},
    }
    return json.dumps({"ProgramPads": body})


def _texts(parent: ET.Element, texts: Mapping[str, str]) -> None:
    for tag, text in texts.items():
        ET.SubElement(parent, tag).text = text
