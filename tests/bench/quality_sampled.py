"""How well tempo is heard of sampled instruments, with and without drums.

    python -m tests.bench.quality_sampled SOUNDFONT

``SOUNDFONT``: one of General MIDI's sounds (Debian's ``fluid-soundfont-gm``), which ``fluidsynth`` plays.
Bars are ``groove_synth``'s and ``quality_beats``', and ``PITCHED``, to which nothing was fitted.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import mido
import numpy as np
import soundfile
from numpy.typing import NDArray

from tests.bench.quality_beats import NEAR, OTHERS, SECONDS, heard
from tests.models.groove_synth import DRUMMED, NO_DRUMS, RATE_HZ, Bar, accompanied

SEED = 5
DRUMS = {"kick": 36, "snare": 38, "clap": 39, "hat": 42, "cymbal": 51}
"""General MIDI's percussion keys."""
BANDS = (
    *((0, 0, 0), (24, 24, 24), (25, 25, 25), (48, 48, 40), (6, 6, 6), (32, 0, 73), (45, 45, 45)),
    *((43, 48, 68), (32, 4, 65), (0, 48, 0)),
)
"""Programs of bass, chords and tune: a piano, guitars, strings, a harpsichord, a flute, plucked strings."""
ROOTS = (0, 5, 7, 0, -3, 2, 7, 7)
"""Of each bar's chord, in semitones."""
TUNE = (0, 4, 7, 12, 7, 4)
LATE_S, TICKS = 0.008, 960


def _bar(text: str, *bpms: float, **rows: str) -> Bar:
    name, steps, beats = text.split()
    return Bar(name, int(steps), int(beats), rows, bpms)


PITCHED = (
    _bar("stride 2 4", 100, 132, 176, 208, bass="x...x...", chord="..x...x.", tune="x.xxx.x."),
    _bar("strummed 4 4", 76, 96, 116, chord="x...x.x...x.x.x.", bass="x.......x......."),
    _bar("chorale 1 4", 60, 72, 84, chord="xxxx", tune="xxxx", bass="xxxx"),
    _bar("mazurka 2 3", 120, 144, 168, bass="x.....", chord="..x.x.", tune="xxx.x."),
    _bar("nocturne 3 4", 50, 60, 70, bass="x..x..x..x..", tune="x.....x.....", chord=".xx" * 4),
    _bar("fingerstyle 4 4", 70, 90, 110, bass="x...x...x...x...", tune="x.....x..xx...x."),
    _bar("synth-arp 4 4", 100, 120, 138, tune="x" * 16, bass="x...x...x...x..."),
    _bar("habanera 4 2", 56, 64, 72, bass="x..xx.x.", tune="x.x.x..."),
    _bar("ragtime 4 2", 72, 84, 96, bass="x...x...", chord="..x...x.", tune="x.xx.xx."),
    _bar("pop-piano 2 4", 88, 104, 122, chord="x.x.x.x.", bass="x..x...."),
    _bar("ballade 2 4", 56, 66, 76, bass="x...x...", tune="xxxxxxxx"),
    _bar("gigue 3 2", 84, 96, 110, tune="x.xxxx", bass="x..x.."),
    _bar("landler 2 3", 90, 108, bass="x.....", chord="..x.x.", tune="x.xx.x"),
    _bar("off-beat 2 4", 72, 90, 130, bass="x.x.x.x.", chord=".x.x.x.x"),
)  # fmt: skip
"""Without drums."""


def strokes(
    bar: Bar, bpm: float, rng: np.random.Generator
) -> Iterator[tuple[float, int, int, int]]:
    """When (s), channel, key and velocity, 0 where it ends; a hand's breadth early or late."""
    steps, step_s = bar.steps_per_beat * bar.beats, 60 / bpm / bar.steps_per_beat
    lead_s, tonic = rng.uniform(0.15, 0.6), 33 + int(rng.integers(12))
    for at in range(steps * int(SECONDS / (steps * step_s))):
        number, step = divmod(at, steps)
        for name, row in bar.rows.items():
            if row[step] == ".":
                continue
            loud = rng.uniform(0.7, 1.0) * (0.5 if row[step] == "o" else 1.0)
            start_s = max(0.0, lead_s + at * step_s + rng.normal(0, LATE_S))
            rest = (row[step + 1 :] + row).replace("o", "x").index("x")
            end_s = start_s + float(np.clip(0.95 * (rest + 1) * step_s, 0.1, 3.0))
            root = tonic + ROOTS[number % len(ROOTS)]
            keys = {"bass": (0,), "chord": (24, 28, 31), "tune": (24 + TUNE[step % len(TUNE)],)}
            channel = 9 if name in DRUMS else list(keys).index(name)
            for key in (DRUMS[name],) if name in DRUMS else (root + up for up in keys[name]):
                yield start_s, channel, key, round(105 * loud)
                yield end_s, channel, key, 0


def played(
    bar: Bar, bpm: float, band: Sequence[int], rng: np.random.Generator, soundfont: Path
) -> NDArray[np.float32]:
    """Mono at ``RATE_HZ``, its peak at 0.9. Raises ``CalledProcessError``."""
    track = mido.MidiTrack()
    track += [mido.Message("program_change", channel=at, program=it) for at, it in enumerate(band)]
    now = 0
    for at_s, channel, key, velocity in sorted(strokes(bar, bpm, rng), key=lambda each: each[::3]):
        tick = round(at_s * TICKS)
        track.append(
            mido.Message(
                "note_on", channel=channel, note=key, velocity=velocity, time=max(0, tick - now)
            )
        )
        now = max(now, tick)
    file = mido.MidiFile(ticks_per_beat=TICKS // 2)  # 120 BPM, as no tempo is said
    file.tracks.append(track)
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = f"{folder}/a.mid", f"{folder}/a.wav"
        file.save(midi)
        command = ["fluidsynth", "-niq", "-r", str(RATE_HZ), "-g", "0.5", "-F", wav]
        subprocess.run([*command, str(soundfont), midi], check=True, capture_output=True)
        samples, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)[: round((SECONDS + 1) * RATE_HZ)]
    return np.asarray(0.9 * mono / np.abs(mono).max(), np.float32)


def row(name: str, bars: Sequence[Bar], soundfont: Path, *, every: int = 1) -> str:
    """How many tempi are right within 3 %, twice or half as fast, and not told; of each bar each so many."""
    rng, told = np.random.default_rng(SEED), []
    for bar in bars:
        for bpm in bar.bpms[::every]:
            tempo = float(bpm + rng.uniform(-1.5, 1.5))
            mine = accompanied(bar, rng)
            sections = heard(played(mine, tempo, BANDS[len(told) % len(BANDS)], rng, soundfont))
            longest = max(sections, key=lambda each: len(each.beats_s), default=None)
            told.append(longest.bpm / tempo if longest else 0.0)
    ratios = np.array(told)
    counts = [int((np.abs(ratios / ratio - 1) < NEAR).sum()) for ratio in (1.0, 2.0, 0.5)]
    return f"| {name}: {len(told)} | {counts[0]} | {sum(counts[1:])} | {(ratios == 0).sum()} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("soundfont", type=Path)
    soundfont = parser.parse_args().soundfont
    drummed = [bar for bar in (*DRUMMED, *OTHERS) if bar.rows.keys() & DRUMS.keys()]
    print("| sampled instruments | right | an octave off | not told |\n| --- | --- | --- | --- |")
    print(row("without drums, bars that nothing was fitted to", PITCHED, soundfont), flush=True)
    print(row("without drums, trained bars", NO_DRUMS, soundfont), flush=True)
    print(row("with drums, half of the tempi", drummed, soundfont, every=2), flush=True)


if __name__ == "__main__":
    main()
