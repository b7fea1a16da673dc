"""How well tempo, bars and changes of tempo are heard, on pieces whose truth is exact, made by seed.

    python -m tests.bench.quality_beats [KITS]

``KITS``: Hydrogen's drum kits (see ``quality_hits``), played beside synthesised drums. Nothing here is
what the weights of ``pulse_level`` were fitted to: other seeds, and of the bars those in ``OTHERS``.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import mir_eval
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from shared.sound.beats import Section, hear_beats
from tests.bench.quality_hits import samples as kit_samples
from tests.models.groove_synth import DRUMMED, NO_DRUMS, RATE_HZ, Bar, Piece, accompanied, played
from tests.onset_tracks import analyse

Floats = NDArray[np.float64]
Kit = Mapping[str, NDArray[np.floating]]

SEED = 2026
SECONDS = 16.0
KITS = ("GMRockKit", "ColomboAcousticDrumkit", "TR808EmulationKit", "Millo_MultiLayered2")
NEAR, WITHIN_S = 0.03, 0.07
BARS_RIGHT = 0.9
"""F from which on a groove's bars begin where they should."""
DRIFT_S = 24.0
AROUND_S = 4.0
"""A join is judged by so much on both its sides."""


def _bar(text: str, *bpms: float, **rows: str) -> Bar:
    name, steps, beats = text.split()
    return Bar(name, int(steps), int(beats), rows, bpms)


OTHERS = (
    _bar("six-eight-ballad 3 2", 50, 64, 76, kick="x....x", snare="...x..", hat="xxxxxx"),
    _bar("six-eight-march 3 2", 84, 100, 116, kick="x.x...", snare="...x.o", hat="x.xx.x"),
    _bar("six-eight-folk 3 2", 66, 96, 120, kick="x..o..", clap="...x..", hat="xooxoo"),
    _bar("tarantella 3 2", 104, 116, bass="x..x..", chord=".xx.xx", tune="xxxxxx"),
    _bar("barcarole 3 2", 44, 56, bass="x.....", chord="..xx.x", tune="x.xxx."),
    _bar("slow-blues 3 4", 52, 64, 76, kick="x....xx..x..", snare="...x.....x..", hat="x" * 12),
    _bar("gospel 3 4", 56, 70, 84, kick="x.......xx..", snare="...x.....x.x", hat="xooxooxooxoo"),
    _bar("doo-wop 3 4", 60, 76, 90, bass="x....xx..x.x", chord="x" * 12, snare="...x.....x.."),
    _bar("nine-eight 3 3", 60, 80, 104, kick="x........", snare="...x..x..", hat="xooxooxoo"),
    _bar("boogie 3 4", 120, 140, 160, kick="x..x..x..x..", snare="...x.....x..", hat="x.xx.xx.xx.x"),
    _bar("triplets 6 4", 80, 100, kick="x.....o.....x...........", snare="......x...........x.....",
         hat="x.x.x.xxxxxxx.x.x.xxx.xx"),
    _bar("ska 2 4", 120, 140, kick="..x...x.", snare="..x...x.", chord=".x.x.x.x"),
    _bar("soul 2 4", 96, 112, 126, kick="x.xx..x.", snare="xxxxxxxx", hat="xxxxxxxx"),
    _bar("polka 2 2", 100, 116, 126, kick="x...", snare=".x.x", hat="x.x."),
)  # fmt: skip


@dataclass
class Told:
    """Of one recording, or of many, summed."""

    tempo: bool
    metre: bool
    beat_f: float
    downbeat_f: float
    begun: str
    """On which beat of its first bar."""


def kit_of(kits: Path, name: str) -> Kit:
    """The first sound of each kind, at ``RATE_HZ`` and full level; a closed hat before an open one."""
    found: dict[str, NDArray[np.floating]] = {}
    for kit, kind, path in kit_samples(kits):
        if kit == name and kind not in found:
            sound, rate_hz = soundfile.read(path, dtype="float64", always_2d=True)
            mono = soxr.resample(sound.mean(axis=1), rate_hz, RATE_HZ)[: round(1.5 * RATE_HZ)]
            found[kind] = mono / np.abs(mono).max()
    return found


def grooves(kits: Sequence[Kit]) -> Iterator[tuple[Bar, Piece]]:
    """Each bar at each tempo, from any beat on: twice on synthesised drums, once on one of the ``kits``."""
    rng = np.random.default_rng(SEED)
    for bar in (*DRUMMED, *NO_DRUMS, *OTHERS):
        for number, bpm in enumerate(bar.bpms):
            kit = (kits[number % len(kits)],) if kits and bar in (*DRUMMED, *OTHERS) else ()
            sets: tuple[Kit, ...] = ({}, {}, *kit)
            for drums in sets:
                tempo = float(bpm + rng.uniform(-1.5, 1.5))
                piece = played(accompanied(bar, rng), tempo, rng, seconds=SECONDS, kit=drums)
                yield bar, begun_later(piece, int(rng.integers(bar.beats)))


def begun_later(piece: Piece, beat: int) -> Piece:
    """Cut off a tenth of a second before one of its first bar's beats."""
    cut = max(0, round((piece.beats_s[beat] - 0.1) * RATE_HZ)) if beat else 0
    beats_s = piece.beats_s[beat:] - cut / RATE_HZ
    bars_s = piece.beats_s[piece.beats_per_bar * bool(beat) :: piece.beats_per_bar] - cut / RATE_HZ
    return Piece(piece.samples[cut:], piece.bpm, beats_s, piece.beats_per_bar, bars_s)


def told(piece: Piece, sections: Sequence[Section]) -> Told:
    begun = "on the first beat" if piece.bars_s[0] == piece.beats_s[0] else "on another"
    longest = max(sections, key=lambda each: len(each.beats_s), default=None)
    if longest is None:
        return Told(False, False, 0.0, 0.0, begun)
    beats_s = np.concatenate([each.beats_s for each in sections])
    bars_s = np.concatenate([each.beats_s[each.phase :: each.beats_per_bar] for each in sections])
    return Told(
        tempo=abs(longest.bpm / piece.bpm - 1) < NEAR,
        metre=longest.beats_per_bar == piece.beats_per_bar,
        beat_f=_f(piece.beats_s, beats_s),
        downbeat_f=_f(piece.bars_s, bars_s),
        begun=begun,
    )


def _f(truth_s: Floats, found_s: Floats) -> float:
    return float(mir_eval.beat.f_measure(truth_s, found_s, WITHIN_S))


@dataclass(frozen=True)
class Join:
    """Two pieces, one behind the other."""

    samples: NDArray[np.float32]
    at_s: float
    """Where the second's first beat is."""
    bpms: tuple[float, float]
    beats_s: Floats


def joins(*, rest: bool) -> Iterator[Join]:
    """``rest``: the same goes on after half a second to two, half a beat off; else another tempo at once."""
    rng = np.random.default_rng(SEED + rest)
    bars = [bar for bar in DRUMMED if bar.beats == 4 and bar.name != "swing"]
    ratios = (1.15, 1.25, 1.4, 1 / 1.15, 1 / 1.25, 1 / 1.4)
    for number in range(48 if rest else 36):
        bar, bpm = bars[number % len(bars)], float(rng.uniform(84, 150))
        after = bpm if rest else bpm * ratios[number % len(ratios)]
        mine = accompanied(bar, rng)
        one = played(mine, bpm, rng, seconds=12.0)
        other = played(
            mine if rest else accompanied(bars[(number + 3) % len(bars)], rng), after, rng
        )
        gap_s = 60 / bpm * (0.5 + np.floor(rng.uniform(0.5, 2.0) * bpm / 60)) if rest else 0.0
        yield _joined(one, other, gap_s)


def _joined(one: Piece, other: Piece, gap_s: float) -> Join:
    """The second's first beat a beat, and the gap, behind the first's last."""
    end_s = one.beats_s[-1] + 60 / one.bpm
    end, first = round(end_s * RATE_HZ), round((other.beats_s[0] - 0.02) * RATE_HZ)
    fade = np.linspace(1.0, 0.0, round(0.02 * RATE_HZ))
    head = one.samples[:end].copy()
    head[-len(fade) :] *= fade
    gap = np.zeros(max(0, round((gap_s - 0.02) * RATE_HZ)), np.float32)
    at_s = (len(head) + len(gap)) / RATE_HZ + 0.02
    noise = 3e-4 * np.random.default_rng(len(head)).standard_normal(
        len(head) + len(gap) + len(other.samples)
    )
    samples = np.concatenate([head, gap, other.samples[first:]])
    beats_s = np.concatenate([one.beats_s, other.beats_s - other.beats_s[0] + at_s])
    return Join(
        (samples + noise[: len(samples)]).astype(np.float32), at_s, (one.bpm, other.bpm), beats_s
    )


def join_told(join: Join, sections: Sequence[Section]) -> tuple[bool, float, float]:
    """Are both sides' tempi right, and F of the beats around the join and of all; a pause's are nobody's."""
    found_s = np.concatenate([np.zeros(0), *(each.beats_s for each in sections)])
    last_s = join.beats_s[join.beats_s < join.at_s - WITHIN_S].max()
    found_s = found_s[(found_s < last_s + WITHIN_S) | (found_s > join.at_s - WITHIN_S)]
    before, after = (_tempo_at(sections, join.at_s + side * AROUND_S) for side in (-1, 1))
    right = all(
        abs(told_bpm / bpm - 1) < NEAR
        for told_bpm, bpm in zip((before, after), join.bpms, strict=True)
    )
    near, found_near = (
        each[np.abs(each - join.at_s) < AROUND_S] for each in (join.beats_s, found_s)
    )
    return right, _f(near, found_near), _f(join.beats_s, found_s)


def _tempo_at(sections: Sequence[Section], at_s: float) -> float:
    return next((each.bpm for each in sections if each.beats_s[0] <= at_s <= each.beats_s[-1]), 0.0)


def drifts() -> Iterator[Piece]:
    """The tempo goes up or down all along, falls at the end, or is a player's, four per cent around."""
    rng = np.random.default_rng(SEED)
    bars = [bar for bar in (*DRUMMED, *OTHERS) if "kick" in bar.rows and bar.name != "swing"]
    for number in range(30):
        bar = bars[int(rng.integers(len(bars)))]
        bpm = float(rng.choice(bar.bpms))
        mine = accompanied(bar, rng)
        count = DRIFT_S * bpm / 60
        at = np.arange(0.0, count + 1, 1 / 16)
        if number % 3 == 0:
            tempo = 1 + rng.choice([-0.2, -0.13, 0.15, 0.25]) * at / count
        elif number % 3 == 1:
            slowing = rng.uniform(4.0, 8.0) * bpm / 60
            tempo = 1 - rng.uniform(0.2, 0.4) * np.clip((at - count) / slowing + 1, 0, 1)
        else:
            walk = np.convolve(rng.standard_normal(len(at) + 255), np.hanning(258)[1:-1], "valid")
            tempo = 1 + 0.02 * walk / walk.std()
        passed_s = np.append(0.0, np.cumsum(60 / bpm / tempo / 16)[:-1])
        yield played(
            mine,
            bpm,
            rng,
            seconds=DRIFT_S,
            after_s=partial(np.interp, xp=at, fp=passed_s),
        )


def drift_row() -> str:
    """How many stay in one piece, and F of their beats and of where bars begin."""
    pieces = [(piece, heard(piece.samples)) for piece in drifts()]
    whole = sum(len(sections) == 1 for _, sections in pieces)
    fs = [(one.beat_f, one.downbeat_f) for one in (told(*each) for each in pieces)]
    beat_f, downbeat_f = np.mean(fs, axis=0)
    return f"| drifts: {len(pieces)} | {whole} | {beat_f:.3f} | {downbeat_f:.3f} |"


def heard(samples: NDArray[np.float32]) -> list[Section]:
    return hear_beats(analyse([samples[:, None]], RATE_HZ))


def kind_of(bar: Bar) -> str:
    """Which row of the table it is in."""
    beats = {2: "two", 3: "three", 4: "four", 5: "five"}[bar.beats]
    parts = "thirds" if bar.steps_per_beat % 3 == 0 else "halves"
    return f"bars of {beats}, beats in {parts}, {'other' if bar in OTHERS else 'trained'} bars"


def groove_rows(told_of: Mapping[str, Sequence[Told]]) -> Iterator[str]:
    for name, all_told in told_of.items():
        tempo, metre = (
            sum(getattr(each, what) for each in all_told) for what in ("tempo", "metre")
        )
        both = sum(each.tempo and each.metre for each in all_told)
        fs = [
            np.mean([getattr(each, what) for each in all_told]) for what in ("beat_f", "downbeat_f")
        ]
        yield f"| {name}: {len(all_told)} | {tempo} | {metre} | {both} | {fs[0]:.3f} | {fs[1]:.3f} |"


def bar_rows(told_of: Mapping[str, Sequence[Told]]) -> Iterator[str]:
    """Where bars begin, of the grooves whose tempo and metre are right."""
    right = [each for row in told_of.values() for each in row if each.tempo and each.metre]
    for begun in ("on the first beat", "on another"):
        fs = np.array([each.downbeat_f for each in right if each.begun == begun])
        yield f"| {begun}: {len(fs)} | {(fs >= BARS_RIGHT).sum()} | {fs.mean():.3f} |"


def join_row(name: str, *, rest: bool) -> str:
    found = [join_told(join, heard(join.samples)) for join in joins(rest=rest)]
    right, near, whole = (np.array(each) for each in zip(*found, strict=True))
    return (
        f"| {name}: {len(found)} | {right.sum()} | {(near >= 0.9).sum()} "
        f"| {near.mean():.3f} | {whole.mean():.3f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kits", nargs="?", type=Path)
    kits = parser.parse_args().kits
    drums = [kit_of(kits, name) for name in KITS] if kits else []
    print("| grooves | tempo right | metre right | both | beat F | downbeat F |")
    print("| --- | --- | --- | --- | --- | --- |")
    told_of: defaultdict[str, list[Told]] = defaultdict(list)
    for bar, piece in grooves(drums):
        told_of[kind_of(bar)].append(told(piece, heard(piece.samples)))
    print("\n".join(groove_rows(told_of)))
    print("\n| begun | bars right | downbeat F |\n| --- | --- | --- |")
    print("\n".join(bar_rows(told_of)), flush=True)
    print("\n| joins | both tempi right | F >= 0.9 within 4 s of it | F there | F of all |")
    print("| --- | --- | --- | --- | --- |")
    print(join_row("another tempo at once", rest=False), flush=True)
    print(join_row("the same tempo, half a beat off after 0.5 to 2 s", rest=True), flush=True)
    print("\n| tempi that drift | one section | beat F | downbeat F |")
    print("| --- | --- | --- | --- |")
    print(drift_row(), flush=True)


if __name__ == "__main__":
    main()
