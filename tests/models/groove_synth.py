"""Pieces whose beat is known, by seed: what the choice between a tempo and its multiples is trained on.

Each is a bar written in steps, played over and over on drums of ``drum_synth``'s and on plain voices,
a little louder or softer, earlier or later each time, over chords that change from bar to bar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from tests.models.drum_synth import RATE_HZ as DRUMS_HZ
from tests.models.drum_synth import RECIPES

RATE_HZ = 22_050
SECONDS = 12.0
_LATE_S = 0.006
"""Strokes are early or late by so much (a standard deviation)."""

Sound = NDArray[np.floating]
Random = np.random.Generator
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bar:
    """What is played over and over. Rows: ``x`` a stroke, ``o`` a soft one."""

    name: str
    steps_per_beat: int
    beats: int
    rows: Mapping[str, str]
    bpms: tuple[float, ...]


def _bar(text: str, *bpms: float, **rows: str) -> Bar:
    name, steps, beats = text.split()
    return Bar(name, int(steps), int(beats), rows, bpms)


_FOUR = "....x.......x..."
DRUMMED = (
    _bar("two-step 4 4", 165, 174, 180, kick="x.........x.....", snare=_FOUR, hat="x." * 8),
    _bar("break 4 4", 160, 172, 178, kick="x.x.......x..x..", snare="....x..o.o..x...", hat="x.xxx.x." * 2),
    _bar("punk 2 4", 150, 170, 180, 196, kick="x...x...", snare="..x...x.", hat="xxxxxxxx"),
    _bar("d-beat 2 4", 160, 184, 200, kick="x..xx.x.", snare="..x...x.", hat="x.x.x.x."),
    _bar("rock 2 4", 70, 96, 132, 150, kick="x..xx...", snare="..x...x.", hat="xoxoxoxo"),
    _bar("slow 4 4", 62, 84, 104, kick="x.....x.x.......", snare="....x.......x..o", hat="x.o." * 4),
    _bar("hip-hop 4 4", 72, 86, 98, kick="x..x......x.....", snare=_FOUR, hat="x.x.x.x.x.xxx.x."),
    _bar("funk 4 4", 88, 104, 118, kick="x.x...x...x..x..", snare="....x..o.o..x..o", hat="xo" * 8),
    _bar("house 4 4", 112, 124, 134, kick="x...x...x...x...", clap=_FOUR, hat="..x." * 4),
    _bar("shuffle 3 4", 70, 96, 126, 150, kick="x.....x.....", snare="...x.....x..", hat="x.xx.xx.xx.x"),
    _bar("twelve-eight 3 4", 54, 66, 80, kick="x....ox.....", snare="...x.....x..", hat="xooxooxooxoo"),
    _bar("six-eight 3 2", 46, 58, 70, 90, 116, kick="x.....", snare="...x..", hat="xooxoo"),
    _bar("six-eight-off 3 2", 52, 64, 84, 110, kick="x....x", snare="...x..", hat="x.xx.x"),
    _bar("waltz 2 3", 84, 120, 160, kick="x.....", snare="..o.o.", hat="x.x.x."),
    _bar("waltz-late 2 3", 90, 138, 176, kick="x.....", snare="....x.", hat="xxxxxx"),
    _bar("swing 3 4", 112, 150, 190, 220, kick="o..o..o..o..", cymbal="x..x.xx..x.x", hat="...x.....x.."),
    _bar("five 2 5", 100, 140, 170, kick="x..x......", snare="....x...x.", hat="xxxxxxxxxx"),
)  # fmt: skip
NO_DRUMS = (
    _bar("oom-pah 2 4", 92, 120, 168, 200, bass="x...x...", chord="..x...x.", tune="x.x.xxx."),
    _bar("hymn 1 4", 66, 88, 110, bass="xxxx", chord="xxxx"),
    _bar("arpeggio 2 4", 72, 100, 132, bass="x.......", tune="xxxxxxxx"),
    _bar("alberti 4 2", 66, 84, 116, bass="x...x...", tune="xxxxxxxx"),
    _bar("oom-pah-pah 2 3", 96, 150, 180, bass="x.....", chord="..x.x.", tune="x.x.xx"),
    _bar("arpeggio-six 3 2", 48, 64, 80, bass="x.....", tune="xxxxxx"),
    _bar("jig-slow 3 2", 70, 100, 120, bass="x..x..", chord="..x..x", tune="x.xx.x"),
)
_GAINS = {
    **{"kick": 1.0, "snare": 0.8, "clap": 0.7, "hat": 0.3, "cymbal": 0.3},
    **{"bass": 0.7, "chord": 0.25, "tune": 0.4},
}


@dataclass(frozen=True)
class Piece:
    """Mono at ``RATE_HZ``, its tempo, and where its beats and bars are."""

    samples: NDArray[np.float32]
    bpm: float
    beats_s: NDArray[np.float64]
    beats_per_bar: int
    bars_s: NDArray[np.float64]
    """Where they begin."""


def pieces(seed: int, copies: int) -> Iterator[Piece]:
    """Each bar at each tempo, so many times: with other drums, voices and strokes."""
    rng = np.random.default_rng(seed)
    for bar in (*DRUMMED, *NO_DRUMS):
        for bpm in np.repeat(bar.bpms, copies):
            yield played(accompanied(bar, rng), float(bpm + rng.uniform(-1.5, 1.5)), rng)


def accompanied(bar: Bar, rng: Random) -> Bar:
    """Drums alone, or with a bass that goes with the kick, the beats or their halves, or with chords."""
    if "kick" not in bar.rows or rng.random() < 0.3:
        return bar
    steps = bar.steps_per_beat * bar.beats
    half = bar.steps_per_beat // 2 if bar.steps_per_beat % 2 == 0 else 1
    more = (
        {"bass": bar.rows["kick"].replace("o", ".")},
        {"bass": ("x" + "." * (bar.steps_per_beat - 1)) * bar.beats},
        {"bass": ("x" + "." * (half - 1)) * (steps // half)},
        {"chord": ("x" + "." * (half - 1)) * (steps // half)},
        {"chord": "x" + "." * (steps - 1), "bass": bar.rows["kick"].replace("o", ".")},
    )[rng.integers(5)]
    return Bar(bar.name, bar.steps_per_beat, bar.beats, {**bar.rows, **more}, bar.bpms)


def played(
    bar: Bar,
    bpm: float,
    rng: Random,
    *,
    seconds: float = SECONDS,
    kit: Mapping[str, Sound] | None = None,
    after_s: Callable[[Floats], Floats] | None = None,
) -> Piece:
    """Over and over, for so many ``seconds``. ``kit``: drums at ``RATE_HZ`` instead of synthesised ones.

    ``after_s``: seconds from the first beat to each, where the tempo is not ``bpm`` all along.
    """
    timed = after_s or (lambda beats: beats * (60.0 / bpm))
    steps, step_s = bar.steps_per_beat * bar.beats, 60.0 / bpm / bar.steps_per_beat
    lead_s = rng.uniform(0.15, 0.6)
    bars = int(seconds / (steps * step_s))
    steps_s = lead_s + timed(np.arange(bars * steps + 1) / bar.steps_per_beat)
    out = np.zeros(round((max(lead_s + seconds, steps_s[-1]) + 1.0) * RATE_HZ))
    drums = {
        name: _drum(name, rng) for name in bar.rows if name in RECIPES and name not in (kit or {})
    }
    drums |= {name: sound for name, sound in (kit or {}).items() if name in bar.rows}
    bright = {name: rng.uniform(0.3, 1.5) for name in bar.rows}
    tonic_hz = 55.0 * 2 ** (rng.uniform(-3, 9) / 12)
    for number in range(bars):
        root_hz = tonic_hz * 2 ** ((0, 5, 7, 0, -3, 2, 7, 7)[number % 8] / 12)
        for step in range(steps):
            for name, row in bar.rows.items():
                if row[step] == ".":
                    continue
                held_s = _held(row, step) * step_s
                sound = drums.get(name)
                if sound is None:
                    sound = _voice(name, root_hz, step, held_s, bright[name], rng)
                gain = _GAINS[name] * rng.uniform(0.8, 1.0) * (0.45 if row[step] == "o" else 1.0)
                at_s = steps_s[number * steps + step] + rng.normal(0, _LATE_S)
                first = max(0, round(at_s * RATE_HZ))
                part = out[first : first + len(sound)]
                part += gain * sound[: len(part)]
    out += 0.001 * np.abs(out).max() * rng.standard_normal(len(out))
    beats_s = np.asarray(steps_s[: -1 : bar.steps_per_beat], np.float64)
    samples = (0.9 * out / np.abs(out).max()).astype(np.float32)
    return Piece(samples, bpm, beats_s, bar.beats, beats_s[:: bar.beats])


def _drum(name: str, rng: Random) -> Sound:
    sound = RECIPES[name](rng)
    return np.asarray(soxr.resample(sound / np.abs(sound).max(), DRUMS_HZ, RATE_HZ))


def _held(row: str, step: int) -> int:
    """Steps until the row's next stroke."""
    return next(after for after in range(1, len(row) + 1) if row[(step + after) % len(row)] != ".")


def _voice(
    name: str, root_hz: float, step: int, held_s: float, bright: float, rng: Random
) -> Sound:
    """A bass note, a chord of three, or a note of the tune that the chord holds."""
    above = {"bass": (0,), "chord": (24, 28, 31), "tune": (24 + (0, 4, 7, 12, 7, 4)[step % 6],)}
    lasting_s = float(np.clip(0.95 * held_s, 0.12, 2.0))
    t = np.arange(round(lasting_s * RATE_HZ)) / RATE_HZ
    wave = np.zeros(len(t))
    for semitones in above[name]:
        hertz = root_hz * 2 ** (semitones / 12)
        late = rng.uniform(0, 6.28, 8)
        wave += sum(
            np.sin(2 * np.pi * hertz * k * t + late[k - 1]) / k ** (1 / bright) for k in range(1, 9)
        )
    fall = 0.5 ** (t / rng.uniform(0.2, 0.5)) * np.minimum(1.0, (lasting_s - t) / 0.03)
    return np.asarray(0.5 * wave * np.minimum(t / 0.005, 1.0) * fall)
