"""Presets for voices."""

from __future__ import annotations

from functions.transform.fx_chain import Knobs, Preset, Scene, added, beside, knob
from functions.transform.reverb import reverb
from shared.media.ffmpeg_filters import joined, number


def compress(threshold_db: float, ratio: float, attack_ms: float, release_ms: float) -> str:
    """A compressor without make-up gain."""
    threshold = number(10 ** (threshold_db / 20))
    return (
        f"acompressor=threshold={threshold}:ratio={number(ratio)}:attack={number(attack_ms)}"
        f":release={number(release_ms)}:knee=4:makeup=1"
    )


def even_out(evenness: float) -> str:
    """Levelling of speech: up to 5:1 above -26 dBFS, with the level made up."""
    if not evenness:
        return ""
    gain_db = number(6 * evenness)
    return f"{compress(-26, 1 + 4 * evenness, 8, 160)},volume={gain_db}dB"


def bell(scene: Scene, frequency_hz: float, gain_db: float, width_octaves: float) -> str:
    """A peak or dip in the spectrum."""
    width = f"t=o:w={number(width_octaves)}"
    return f"equalizer=f={scene.hz(frequency_hz)}:{width}:g={number(gain_db)}"


def band(scene: Scene, low_hz: float, high_hz: float) -> str:
    """What lies between, 24 dB an octave on either side."""
    low, high = f"highpass=f={scene.hz(low_hz)}", f"lowpass=f={scene.hz(high_hz)}"
    return joined([low, low, high, high])


def drive(amount: float, most_db: float) -> str:
    """Soft saturation: ``amount`` 0 to 1 drives it by up to ``most_db``, at about the same level."""
    if not amount:
        return ""
    gain_db = amount * most_db
    return f"volume={number(gain_db)}dB,asoftclip=type=tanh,volume={number(-0.7 * gain_db)}dB"


def _clean_up(knobs: Knobs, scene: Scene) -> str:
    nr, floor = number(max(knobs["reduction_db"], 0.01)), number(knobs["noise_floor_db"])
    return joined(
        [
            f"highpass=f={scene.hz(knobs['low_cut_hz'])}",
            f"afftdn=nr={nr}:nf={floor}",
            even_out(knobs["evenness"]),
        ]
    )


def _denoiser_late(knobs: Knobs, scene: Scene) -> int:
    return 2 * (scene.sample_rate_hz // 80)


def _broadcast(knobs: Knobs, scene: Scene) -> str:
    return joined(
        [
            f"highpass=f={scene.hz(60)}",
            bell(scene, 160, knobs["warmth_db"], 1.5),
            bell(scene, 4200, knobs["presence_db"], 1.6),
            even_out(knobs["evenness"]),
        ]
    )


def _telephone(knobs: Knobs, scene: Scene) -> str:
    return joined(
        [
            band(scene, knobs["low_hz"], knobs["high_hz"]),
            drive(knobs["grit"], 24),
            bell(scene, 1600, 4, 1),
            f"lowpass=f={scene.hz(knobs['high_hz'])}",
        ]
    )


def _radio(knobs: Knobs, scene: Scene) -> str:
    return joined(
        [
            band(scene, 150, knobs["high_hz"]),
            compress(-32, 1 + 11 * knobs["squash"], 3, 90),
            f"volume={number(12 * knobs['squash'])}dB",
            bell(scene, 1800, 3, 1.5),
            drive(knobs["grit"], 12),
        ]
    )


def _de_ess(knobs: Knobs, scene: Scene) -> str:
    # The low part is cut out of the sound by subtraction, so that low and high add up to it.
    tag, ratio = scene.tag, 1 + 11 * knobs["amount"]
    squeeze = compress(knobs["threshold_db"], ratio, 0.5, 40)
    low = f"lowpass=f={scene.hz(knobs['from_hz'])}"
    return (
        f"asplit=3[{tag}x][{tag}y][{tag}z];[{tag}x]{low}[{tag}lo];[{tag}y]{low},volume=-1,apad[{tag}no];"
        f"[{tag}no][{tag}z]{added(1, 1)},{squeeze},apad[{tag}hi];[{tag}hi][{tag}lo]{added(1, 1)}"
    )


def _room(knobs: Knobs, scene: Scene) -> str:
    piece = reverb(scene, knobs["decay_s"], knobs["brightness_hz"], 0.008)
    return beside(piece, knobs["amount"], f"{scene.tag}r")


_EVENNESS = ("evenness", "Evenness", (0.0, 1.0))

VOICE = (
    Preset(
        "voice_clean_up",
        "Clean-up",
        "voice",
        "Takes steady noise and rumble out from under speech and evens its level.",
        (
            knob("reduction_db", "Noise reduction", (0, 40), 14, "dB", "dynamics"),
            knob("noise_floor_db", "Noise floor", (-80, -20), -50, "dB", "dynamics"),
            knob("low_cut_hz", "Low cut", (20, 300), 80, "Hz", "tone", "log"),
            knob(*_EVENNESS, 0.4, "", "dynamics"),
        ),
        _clean_up,
        late_samples=_denoiser_late,
    ),
    Preset(
        "voice_broadcast",
        "Broadcast voice",
        "voice",
        "The near, full sound of a presenter: warmth below, presence above, an even level.",
        (
            knob("warmth_db", "Warmth", (-6, 9), 3, "dB"),
            knob("presence_db", "Presence", (-6, 9), 3, "dB"),
            knob(*_EVENNESS, 0.5, "", "dynamics"),
        ),
        _broadcast,
    ),
    Preset(
        "telephone",
        "Telephone",
        "voice",
        "A voice at the other end of the line.",
        (
            knob("low_hz", "Lowest", (150, 800), 320, "Hz", "tone", "log"),
            knob("high_hz", "Highest", (1800, 5000), 3300, "Hz", "tone", "log"),
            knob("grit", "Grit", (0, 1), 0.3),
        ),
        _telephone,
    ),
    Preset(
        "radio",
        "Radio",
        "voice",
        "A small transistor set: narrow, squashed and a little rough.",
        (
            knob("high_hz", "Highest", (2500, 12000), 5500, "Hz", "tone", "log"),
            knob("squash", "Squash", (0, 1), 0.6, "", "dynamics"),
            knob("grit", "Grit", (0, 1), 0.3),
        ),
        _radio,
    ),
    Preset(
        "de_ess",
        "De-ess",
        "voice",
        "Turns sharp s and sh down while they last, and nothing else.",
        (
            knob("from_hz", "From", (2500, 10000), 5200, "Hz", "tone", "log"),
            knob("threshold_db", "Threshold", (-60, 0), -34, "dB", "dynamics"),
            knob("amount", "Amount", (0, 1), 0.6, "", "dynamics"),
        ),
        _de_ess,
    ),
    Preset(
        "room",
        "Room",
        "voice",
        "Puts a dry recording into a small room.",
        (
            knob("decay_s", "Decay", (0.1, 1.5), 0.45, "s", "space", "log"),
            knob("amount", "Amount", (0, 1), 0.35, "", "space"),
            knob("brightness_hz", "Brightness", (1000, 16000), 6000, "Hz", "tone", "log"),
        ),
        _room,
    ),
)
