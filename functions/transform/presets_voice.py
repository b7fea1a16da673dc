"""Presets for voices, and the tools that presets of all kinds are made of.

Each ``_name(knobs, scene)`` gives a piece of ffmpeg's filter graph, as text, and runs nothing. Bells,
shelves and passes are ffmpeg's biquads, by R. Bristow-Johnson's "Audio EQ Cookbook". Knobs come in their
units (dB, Hz, ms, or 0 to 1), within their ranges. What levels make up is a fixed gain: nothing is
measured first, so a recording far from the usual levels wants another threshold.
"""

from __future__ import annotations

from functions.transform.fx_chain import Knobs, Preset, Scene, added, beside, knob
from functions.transform.reverb import reverb
from shared.media.ffmpeg_filters import joined, number


def compress(threshold_db: float, ratio: float, attack_ms: float, release_ms: float) -> str:
    """A compressor without make-up gain: RMS, all channels by their mean, with a knee of 12 dB.

    ``threshold_db`` in dBFS, -60 to 0 (ffmpeg's lowest is -60.2); ``ratio`` 1 (nothing) to 20, n:1.
    ``acompressor``'s knee of 4 begins at half its threshold and ends at twice.
    """
    threshold = number(10 ** (threshold_db / 20))
    return (
        f"acompressor=threshold={threshold}:ratio={number(ratio)}:attack={number(attack_ms)}"
        f":release={number(release_ms)}:knee=4:makeup=1"
    )


def even_out(evenness: float) -> str:
    """Levelling of speech, ``evenness`` 0 to 1: up to 5:1 above -26 dBFS, with up to 6 dB made up.

    Attack 8 ms, release 160 ms. Empty at 0.
    """
    if not evenness:
        return ""
    gain_db = number(6 * evenness)
    return f"{compress(-26, 1 + 4 * evenness, 8, 160)},volume={gain_db}dB"


def bell(scene: Scene, frequency_hz: float, gain_db: float, width_octaves: float) -> str:
    """A peak or dip in the spectrum, of two poles; ``width_octaves`` between its half gains in dB."""
    width = f"t=o:w={number(width_octaves)}"
    return f"equalizer=f={scene.hz(frequency_hz)}:{width}:g={number(gain_db)}"


def band(scene: Scene, low_hz: float, high_hz: float) -> str:
    """What lies between, 24 dB an octave on either side, 6 dB down at both edges.

    Two Butterworth filters of 12 dB one after the other, as Linkwitz and Riley's crossovers have them.
    """
    low, high = f"highpass=f={scene.hz(low_hz)}", f"lowpass=f={scene.hz(high_hz)}"
    return joined([low, low, high, high])


def drive(amount: float, most_db: float) -> str:
    """Soft saturation: ``amount`` 0 to 1 drives it by up to ``most_db``, at about the same level.

    A hyperbolic tangent, which is odd: it adds odd multiples of each frequency. Only 0.7 of the gain (in dB)
    is taken back, for the curve takes some itself. Empty at 0.
    """
    if not amount:
        return ""
    gain_db = amount * most_db
    return f"volume={number(gain_db)}dB,asoftclip=type=tanh,volume={number(-0.7 * gain_db)}dB"


def _clean_up(knobs: Knobs, scene: Scene) -> str:
    """Low cut (12 dB an octave), then spectral denoising, then levelling, which would lift noise otherwise.

    ``afftdn`` takes the noise to be white at ``noise_floor_db`` and to stay; 0.01 dB is its least reduction.
    """
    nr, floor = number(max(knobs["reduction_db"], 0.01)), number(knobs["noise_floor_db"])
    return joined(
        [
            f"highpass=f={scene.hz(knobs['low_cut_hz'])}",
            f"afftdn=nr={nr}:nf={floor}",
            even_out(knobs["evenness"]),
        ]
    )


def _denoiser_late(knobs: Knobs, scene: Scene) -> int:
    """``afftdn`` moves on by 1/80 s (rounded down to a sample) and works in windows of three such steps."""
    return 2 * (scene.sample_rate_hz // 80)


def _broadcast(knobs: Knobs, scene: Scene) -> str:
    """Warmth: a bell at 160 Hz, as a near microphone has it; presence: one at 4.2 kHz, among consonants."""
    return joined(
        [
            f"highpass=f={scene.hz(60)}",
            bell(scene, 160, knobs["warmth_db"], 1.5),
            bell(scene, 4200, knobs["presence_db"], 1.6),
            even_out(knobs["evenness"]),
        ]
    )


def _telephone(knobs: Knobs, scene: Scene) -> str:
    """A line's band (300 to 3,400 Hz by ITU-T G.712), driven by up to 24 dB, its new overtones cut again."""
    return joined(
        [
            band(scene, knobs["low_hz"], knobs["high_hz"]),
            drive(knobs["grit"], 24),
            bell(scene, 1600, 4, 1),
            f"lowpass=f={scene.hz(knobs['high_hz'])}",
        ]
    )


def _radio(knobs: Knobs, scene: Scene) -> str:
    """A band from 150 Hz on, up to 12:1 above -32 dBFS with up to 12 dB made up, then saturation."""
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
    """A compressor on what lies above ``from_hz`` alone: up to 12:1, down in 0.5 ms, back in 40."""
    # The low part is cut out of the sound by subtraction, so that low and high add up to it.
    tag, ratio = scene.tag, 1 + 11 * knobs["amount"]
    squeeze = compress(knobs["threshold_db"], ratio, 0.5, 40)
    low = f"lowpass=f={scene.hz(knobs['from_hz'])}"
    return (
        f"asplit=3[{tag}x][{tag}y][{tag}z];[{tag}x]{low}[{tag}lo];[{tag}y]{low},volume=-1,apad[{tag}no];"
        f"[{tag}no][{tag}z]{added(1, 1)},{squeeze},apad[{tag}hi];[{tag}hi][{tag}lo]{added(1, 1)}"
    )


def _room(knobs: Knobs, scene: Scene) -> str:
    """The answer begins after 8 ms (2.7 m of way); the dry sound keeps its level."""
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
"""Each knob: name, title, range, default, unit, what it is musically, and how faces spread it: ``log`` where
ears hear ratios (frequencies, times). The order is that of the listing and of the docs."""
