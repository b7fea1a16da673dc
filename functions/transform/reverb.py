"""A room's answer, made of noise that dies away: the sound is convolved with it.

White noise under an exponential is what a hall's late answer sounds like (J. A. Moorer, "About This
Reverberation Business", Computer Music Journal 3(2), 1979). Two channels get noises of their own, which is
what makes the room wide; more share one. There are no early reflections: the place is told by the delay
alone. Seeds are fixed, so the same room answers the same way each time.
"""

from __future__ import annotations

import math

from functions.transform.fx_chain import Scene
from shared.media.ffmpeg_filters import number

WHOLE_PARTS = "asetnsamples=n=8192:p=1"
"""Fills the last block up: afir reads beyond the end of a part of one, and what is there is chance."""
_FALL = math.log(1000)
"""60 dB, as a reverberation time counts (T60, ISO 3382), in nepers of amplitude."""


def reverb(scene: Scene, decay_s: float, brightness_hz: float, pre_delay_s: float) -> str:
    """The answer alone, after ``pre_delay_s``, about 6 dB softer than the sound itself where that is white.

    ``decay_s``: by 60 dB. ``brightness_hz``: above it the answer falls by 12 dB an octave, from the start:
    it does not darken as it dies. ``afir`` convolves by parts of 8,192 samples, so the cost grows with the
    decay.
    """
    tag, rate = scene.tag, scene.sample_rate_hz
    # Uniform noise of amplitude a has the power a²/3; the answer's energy is to be 1/4.
    amplitude = min(1.0, math.sqrt(3 * 2 * _FALL / (rate * decay_s)) / 2)
    seeds = (1, 2) if scene.channels == 2 else (1,)
    noises = [f"{_noise(scene, decay_s, amplitude, seed)}[{tag}n{seed}]" for seed in seeds]
    answer, kind = f"[{tag}n1]anull", "mono"
    if scene.channels == 2:
        answer, kind = f"[{tag}n1][{tag}n2]join=inputs=2:channel_layout=stereo", "input"
    return (
        f"adelay=delays={round(pre_delay_s * rate)}S:all=1,{WHOLE_PARTS}[{tag}src];{';'.join(noises)};"
        f"{answer},lowpass=f={scene.hz(brightness_hz)}[{tag}ir];"
        f"[{tag}src][{tag}ir]afir=dry=1:wet=1:gtype=none:irfmt={kind}"
    )


def _noise(scene: Scene, decay_s: float, amplitude: float, seed: int) -> str:
    """A source of 1.2 decays, so that it ends at -72 dB; ``amplitude``: at its start, 0 to 1."""
    fall = number(_FALL / decay_s)
    return (
        f"anoisesrc=r={scene.sample_rate_hz}:d={number(1.2 * decay_s)}:a={number(amplitude)}"
        f":c=white:seed={seed},aformat=sample_fmts=dblp,aeval='val(0)*exp(-{fall}*t)':c=same"
    )
