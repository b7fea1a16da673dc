"""Presets for music: mixes, drums, basses. As in ``presets_voice``, each is a piece of filter graph."""

from __future__ import annotations

from functions.transform.fx_chain import Knobs, Preset, Scene, beside, knob
from functions.transform.presets_voice import bell, compress
from shared.media.ffmpeg_filters import joined, number


def wobble(scene: Scene, frequency_hz: float, depth: float) -> str:
    """Pitch that sways, as a chain's last filter; it comes late by ``wobble_late``.

    A delay line of 5 ms, read at a place that goes to and fro ``frequency_hz`` times a second over ``depth``
    (0 to 1) of it. Empty at 0.
    """
    if not depth:
        return ""
    # vibrato gives out its delay line before anything was written to it: silence goes first.
    lead = f"adelay=delays={_delay_line(scene)}S:all=1"
    return f"{lead},vibrato=f={number(frequency_hz)}:d={number(depth)}"


def wobble_late(depth: float, scene: Scene) -> int:
    """In samples: the silence, and where vibrato's delay line is read on the mean, its middle at depth 1.

    The less it sways, the nearer to the line's end that is. 0 without depth.
    """
    line = _delay_line(scene)
    return line + round(0.005 * scene.sample_rate_hz * (1 - depth / 2)) if depth else 0


def _delay_line(scene: Scene) -> int:
    """vibrato's 5 ms, in samples, and a little more: an upper bound, whatever ffmpeg rounds to."""
    return scene.sample_rate_hz // 200 + 2


def _bus_glue(knobs: Knobs, scene: Scene) -> str:
    """One compressor for all channels, so that the picture stays in its place."""
    squeeze = compress(
        knobs["threshold_db"], knobs["ratio"], knobs["attack_ms"], knobs["release_ms"]
    )
    return f"{squeeze},volume={number(knobs['make_up_db'])}dB"


def _tape(knobs: Knobs, scene: Scene) -> str:
    """Saturation, a low-pass (at 18 kHz, at 6 with all ``age``), a head's bump at 90 Hz, wow at 0.8 Hz.

    No hiss: what a machine adds of its own is left out.
    """
    gain_db, dull = knobs["drive_db"], knobs["age"]
    return joined(
        [
            f"volume={number(gain_db)}dB,asoftclip=type=tanh,volume={number(-0.75 * gain_db)}dB",
            f"lowpass=f={scene.hz(18_000 - 12_000 * dull)}",
            bell(scene, 90, 2, 1.5),
            wobble(scene, 0.8, 0.25 * knobs["wow"]),
        ]
    )


def _tape_late(knobs: Knobs, scene: Scene) -> int:
    """Only the wow comes late: filters and curve answer at once."""
    return wobble_late(0.25 * knobs["wow"], scene)


def _lo_fi(knobs: Knobs, scene: Scene) -> str:
    """``bits`` (fractions, too), each sample held ``hold_samples`` times; its aliases are the sound."""
    bits, hold = number(knobs["bits"]), number(knobs["hold_samples"])
    crush = f"acrusher=bits={bits}:samples={hold}:mix=1:mode=lin:aa=0.05"
    return joined([f"highpass=f={scene.hz(90)}", crush, f"lowpass=f={scene.hz(knobs['tone_hz'])}"])


def _wide(knobs: Knobs, scene: Scene) -> str:
    """Middle and sides (A. Blumlein, GB 394325, 1931): width 0 is mono, 1 as it was, 3 mostly sides."""
    width = number(knobs["width"])
    # Middle on the left, sides on the right; the sides lose their bass and gain their width.
    return (
        "pan=stereo|c0=0.5*c0+0.5*c1|c1=0.5*c0-0.5*c1,"
        f"highpass=f={scene.hz(knobs['mono_below_hz'])}:c=FR,"
        f"pan=stereo|c0=c0+{width}*c1|c1=c0-{width}*c1"
    )


def _parallel_drums(knobs: Knobs, scene: Scene) -> str:
    """Beside the drums a copy at 14:1 above -38 dBFS, by its peaks: what is loud adds little of itself."""
    crushed = f"{compress(-38, 14, knobs['attack_ms'], 120)}:detection=peak,volume=14dB"
    return beside(crushed, knobs["amount"], f"{scene.tag}p")


def _low_end(knobs: Knobs, scene: Scene) -> str:
    """A low shelf at ``frequency_hz``, behind a high-pass at 25 Hz that keeps it from lifting rumble."""
    at = scene.hz(knobs["frequency_hz"])
    return f"highpass=f={scene.hz(25)},bass=f={at}:g={number(knobs['weight_db'])}:w=0.7"


def _air(knobs: Knobs, scene: Scene) -> str:
    """An exciter: highs alone, driven 18 dB into the curve; of what comes out only the highs are added."""
    above = f"highpass=f={scene.hz(knobs['from_hz'])}"
    excited = f"{above},volume=18dB,asoftclip=type=tanh,{above},volume=-9dB"
    return beside(excited, knobs["amount"], f"{scene.tag}e")


def _pump(knobs: Knobs, scene: Scene) -> str:
    """A gain of 1 - depth * (1 - x)², x from 0 to 1 within each beat; beats count from the start.

    The tempo is the knob's, not the recording's.
    """
    beats = f"t*{number(knobs['tempo_bpm'] / 60)}"
    down = f"{number(knobs['depth'])}*pow(1-mod({beats}\\,1)\\,2)"
    return f"aeval='val(ch)*(1-{down})':c=same"


MUSIC = (
    Preset(
        "bus_glue",
        "Bus glue",
        "music",
        "A slow, gentle compressor that makes a mix hang together.",
        (
            knob("threshold_db", "Threshold", (-50, 0), -20, "dB", "dynamics"),
            knob("ratio", "Ratio", (1.2, 6), 2, ":1", "dynamics"),
            knob("attack_ms", "Attack", (1, 100), 20, "ms", "dynamics", "log"),
            knob("release_ms", "Release", (50, 1000), 180, "ms", "dynamics", "log"),
            knob("make_up_db", "Make-up", (0, 12), 2, "dB", "dynamics"),
        ),
        _bus_glue,
    ),
    Preset(
        "tape",
        "Tape",
        "music",
        "Warm saturation, rounded highs and the slow wow of a machine.",
        (
            knob("drive_db", "Drive", (0, 24), 8, "dB"),
            knob("wow", "Wow", (0, 1), 0.15, "", "modulation"),
            knob("age", "Age", (0, 1), 0.3),
        ),
        _tape,
        late_samples=_tape_late,
    ),
    Preset(
        "lo_fi",
        "Lo-fi",
        "music",
        "An old sampler: few bits, held samples, a dark filter.",
        (
            knob("bits", "Bits", (3, 16), 9, "bit"),
            knob("hold_samples", "Hold", (1, 32), 6, "samples"),
            knob("tone_hz", "Tone", (800, 16000), 6000, "Hz", "tone", "log"),
        ),
        _lo_fi,
    ),
    Preset(
        "wide",
        "Wide",
        "music",
        "Spreads a stereo mix and keeps its bass in the middle.",
        (
            knob("width", "Width", (0, 3), 1.6, "", "space"),
            knob("mono_below_hz", "Mono below", (20, 400), 140, "Hz", "space", "log"),
        ),
        _wide,
        stereo=True,
    ),
    Preset(
        "parallel_drums",
        "Parallel drums",
        "music",
        "Adds a crushed copy below the drums: body and room come up, the hits stay.",
        (
            knob("amount", "Amount", (0, 1), 0.5, "", "dynamics"),
            knob("attack_ms", "Attack", (0.05, 30), 0.3, "ms", "dynamics", "log"),
        ),
        _parallel_drums,
    ),
    Preset(
        "low_end",
        "Low end",
        "music",
        "Gives weight to bass and kick, without rumble.",
        (
            knob("weight_db", "Weight", (-12, 12), 5, "dB"),
            knob("frequency_hz", "Frequency", (40, 200), 90, "Hz", "tone", "log"),
        ),
        _low_end,
    ),
    Preset(
        "air",
        "Air",
        "music",
        "New overtones above the highs: breath and shimmer that were not recorded.",
        (
            knob("amount", "Amount", (0, 1), 0.4),
            knob("from_hz", "From", (2000, 12000), 5000, "Hz", "tone", "log"),
        ),
        _air,
    ),
    Preset(
        "pump",
        "Pump",
        "music",
        "Ducks on every beat, as if a kick drum pushed the mix aside.",
        (
            knob("tempo_bpm", "Tempo", (40, 240), 120, "BPM", "time"),
            knob("depth", "Depth", (0, 1), 0.7, "", "dynamics"),
        ),
        _pump,
    ),
)
"""Columns as in ``presets_voice.VOICE``."""
