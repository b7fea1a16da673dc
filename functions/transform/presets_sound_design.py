"""Presets for sound design. As in ``presets_voice``, each is a piece of filter graph; ``stutter`` and
``robot`` compute each sample by an expression of ffmpeg's (``aeval``), for no filter does that.
"""

from __future__ import annotations

from functions.transform.fx_chain import Knobs, Preset, Scene, beside, knob
from functions.transform.presets_music import wobble, wobble_late
from functions.transform.presets_voice import drive
from functions.transform.reverb import WHOLE_PARTS, reverb
from shared.media.ffmpeg_filters import joined, number

_STEPS = 200
"""In which the riser's filter climbs: of a minute's build each lasts 0.3 s."""
_WHOLE_RECORDING_S = 600.0
"""Who plays it backwards holds all of it: ten minutes of stereo in single precision at 48 kHz are 230 MB."""


def _riser(knobs: Knobs, scene: Scene) -> str:
    """A high-pass that climbs evenly in octaves, and a gain that rises evenly in dB up to 0; then both stay.

    Commands reach a filter between two frames only, hence frames of 256 samples.
    """
    build_s, name = knobs["build_s"], f"highpass@{scene.tag}"
    low_hz, high_hz = knobs["from_hz"], knobs["to_hz"]
    moves = [
        f"{number(build_s * step / _STEPS)} {name} f "
        f"{scene.hz(low_hz * (high_hz / low_hz) ** (step / _STEPS))}"
        for step in range(_STEPS + 1)
    ]
    up = f"{number(knobs['lift_db'])}*(min(t/{number(build_s)}\\,1)-1)"
    return (
        f"asetnsamples=n=256:p=0,asendcmd=c='{';'.join(moves)}',"
        f"{name}=f={scene.hz(low_hz)},volume='pow(10\\,{up}/20)':eval=frame"
    )


def _underwater(knobs: Knobs, scene: Scene) -> str:
    """24 dB an octave from ``surface_hz`` on, and a pitch that sways once in three seconds."""
    low = f"lowpass=f={scene.hz(knobs['surface_hz'])}"
    return joined([low, low, wobble(scene, 0.35, knobs["sway"])])


def _underwater_late(knobs: Knobs, scene: Scene) -> int:
    return wobble_late(knobs["sway"], scene)


def _stutter(knobs: Knobs, scene: Scene) -> str:
    """Of every ``repeats`` grains the first is heard so many times; edges are 2 ms, at most a quarter."""
    rate = scene.sample_rate_hz
    grain_samples = round(knobs["grain_ms"] * rate / 1000)
    repeats = round(knobs["repeats"])
    edge = max(1, min(rate // 500, grain_samples // 4))
    into = f"mod(n\\,{repeats * grain_samples})"
    # One grain of every `repeats` stays, with soft edges; then it is repeated into the gap.
    grain = f"clip(min({into}\\,{grain_samples}-{into})/{edge}\\,0\\,1)"
    delays = "|".join(number(1000 * n * grain_samples / rate) for n in range(1, repeats))
    return f"aeval='val(ch)*{grain}':c=same,aecho=1:1:{delays}:{'|'.join(['1'] * (repeats - 1))}"


def _reverse_swell(knobs: Knobs, scene: Scene) -> str:
    """Backwards into a room and forwards again: the room's answer comes before what it answers."""
    # areverse works in place, and asplit gives both its outputs the same samples: hence the copy.
    answer = reverb(scene, knobs["swell_s"], 7000, 0.0)
    piece = f"acopy,{WHOLE_PARTS},areverse,{answer},areverse,asetpts=N/SR/TB"
    return beside(piece, knobs["amount"], f"{scene.tag}w")


def _robot(knobs: Knobs, scene: Scene) -> str:
    """Times a sine: each partial f becomes f + carrier and f - carrier. 1.4 makes up for 3 dB of power."""
    carrier = f"sin(2*PI*{number(knobs['carrier_hz'])}*t)"
    return joined([f"aeval='1.4*val(ch)*{carrier}':c=same", drive(knobs["grit"], 18)])


def _tape_echo(knobs: Knobs, scene: Scene) -> str:
    """The first echo, then ``feedback``, its square, its cube ... of it, down to -40 dB, and 24 at most.

    All go through one low-pass of 12 dB an octave.
    """
    time_ms, feedback = knobs["time_ms"], knobs["feedback"]
    levels = [feedback**count for count in range(24) if feedback**count > 0.01]
    later = [number(time_ms * count) for count in range(1, len(levels))]
    more = f"aecho=1:1:{'|'.join(later)}:{'|'.join(map(number, levels[1:]))}," if later else ""
    delay = round(time_ms * scene.sample_rate_hz / 1000)
    echoes = f"adelay=delays={delay}S:all=1,{more}lowpass=f={scene.hz(knobs['tone_hz'])}"
    return beside(echoes, knobs["amount"], f"{scene.tag}t")


def _cathedral(knobs: Knobs, scene: Scene) -> str:
    """``room`` with a longer decay and a delay of its own, which tells how far the walls are."""
    piece = reverb(scene, knobs["decay_s"], knobs["brightness_hz"], knobs["pre_delay_ms"] / 1000)
    return beside(piece, knobs["amount"], f"{scene.tag}c")


SOUND_DESIGN = (
    Preset(
        "riser",
        "Riser",
        "sound design",
        "Builds up: the sound climbs out of thinness and quiet, and then stays up.",
        (
            knob("build_s", "Build", (0.5, 60), 8, "s", "time", "log"),
            knob("from_hz", "From", (20, 2000), 60, "Hz", "tone", "log"),
            knob("to_hz", "To", (20, 8000), 2500, "Hz", "tone", "log"),
            knob("lift_db", "Lift", (0, 48), 24, "dB", "dynamics"),
        ),
        _riser,
    ),
    Preset(
        "underwater",
        "Underwater",
        "sound design",
        "Everything above the surface is far away, and sways.",
        (
            knob("surface_hz", "Surface", (120, 2500), 450, "Hz", "tone", "log"),
            knob("sway", "Sway", (0, 1), 0.6, "", "modulation"),
        ),
        _underwater,
        late_samples=_underwater_late,
    ),
    Preset(
        "stutter",
        "Stutter",
        "sound design",
        "Catches short grains and repeats each of them.",
        (
            knob("grain_ms", "Grain", (15, 500), 90, "ms", "time", "log"),
            knob("repeats", "Repeats", (2, 8), 4, "", "time"),
        ),
        _stutter,
    ),
    Preset(
        "reverse_swell",
        "Reverse swell",
        "sound design",
        "Each sound is drawn in by a swell that ends where it begins.",
        (
            knob("swell_s", "Swell", (0.2, 5), 1.5, "s", "space", "log"),
            knob("amount", "Amount", (0, 1), 0.8, "", "space"),
        ),
        _reverse_swell,
        longest_s=_WHOLE_RECORDING_S,
    ),
    Preset(
        "robot",
        "Robot",
        "sound design",
        "Ring modulation: metallic, and no longer human.",
        (
            knob("carrier_hz", "Carrier", (15, 1000), 70, "Hz", "modulation", "log"),
            knob("grit", "Grit", (0, 1), 0.2),
        ),
        _robot,
    ),
    Preset(
        "tape_echo",
        "Tape echo",
        "sound design",
        "Echoes, all equally darker than what they answer.",
        (
            knob("time_ms", "Time", (30, 1500), 380, "ms", "time", "log"),
            knob("feedback", "Feedback", (0, 0.85), 0.45, "", "time"),
            knob("amount", "Amount", (0, 1), 0.5, "", "space"),
            knob("tone_hz", "Tone", (800, 12000), 3200, "Hz", "tone", "log"),
        ),
        _tape_echo,
    ),
    Preset(
        "cathedral",
        "Cathedral",
        "sound design",
        "A long, wide space around the sound.",
        (
            knob("decay_s", "Decay", (1, 10), 4.5, "s", "space", "log"),
            knob("amount", "Amount", (0, 1), 0.5, "", "space"),
            knob("brightness_hz", "Brightness", (800, 16000), 4500, "Hz", "tone", "log"),
            knob("pre_delay_ms", "Pre-delay", (0, 200), 30, "ms", "space"),
        ),
        _cathedral,
    ),
)
"""Columns as in ``presets_voice.VOICE``."""
