"""The pack as SFZ instruments (opcodes of sfzformat.com).

Every region is one line that ends with its sample, whose path is relative to the SFZ file: a path
with spaces is read to the end of its line. Takes of a layer take turns by ``seq_position``. A sound
of one layer answers all velocities, which is what SFZ takes for granted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from functions.sample.pads import Layer, Pad

PLAYED: Mapping[str, str] = {
    "hit": "loop_mode=one_shot pitch_keytrack=0",
    "loop": "loop_mode=loop_continuous pitch_keytrack=0 ampeg_release=0.02",
    "phrase": "loop_mode=one_shot pitch_keytrack=0",
    "tuned": "loop_mode=one_shot",
}
"""How a sort of sounds is played."""


def sfz(title: str, played: str, pads: Sequence[Pad]) -> str:
    """The instrument's text; ``played``: one of ``PLAYED``; ``title`` stands in a comment."""
    regions = [line for pad in pads for line in _regions(pad, played)]
    return "\n".join([f"// {title}", f"<global> {PLAYED[played]}", *regions, ""])


def _regions(pad: Pad, played: str) -> Iterator[str]:
    """A line for each take of each layer.

    ``loop_end`` is the last sample that the loop plays, ``tune`` is in cents.
    """
    tuned = played == "tuned"
    keys = f"lokey={pad.low_key} hikey={pad.high_key}" if tuned else f"key={pad.key}"
    for layer in pad.layers:
        levels = _levels(layer, whole=len(pad.layers) == 1)
        for turn, take in enumerate(layer.takes, 1):
            parts = ["<region>", keys, *levels]
            if len(layer.takes) > 1:
                parts.append(f"seq_length={len(layer.takes)} seq_position={turn}")
            if tuned and take.pitch:
                parts.append(f"pitch_keycenter={pad.key} tune={round(-take.pitch.cents)}")
            if played == "loop":
                parts.append(f"loop_start=0 loop_end={take.samples - 1}")
            yield " ".join([*parts, f"sample={take.file}"])


def _levels(layer: Layer, *, whole: bool) -> list[str]:
    """Velocities 1 to 127 and a volume in dB; nothing where the layer is the ``whole`` sound."""
    if whole:
        return []
    return [f"lovel={layer.low} hivel={layer.high} volume={layer.lift_db:g}"]
