"""Measure the detections against exact truth, beside bare librosa: the table in docs/quality/music.md.

python -m tests.bench.quality_detect
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import librosa
import mir_eval
import numpy as np
from numpy.typing import NDArray

from functions.detect import hits, loops, phrases
from tests.functions.detect import synth
from tests.functions.detect.harness import REAL_MEDIA, Ran, run, write

Seconds = NDArray[np.float64]


def recordings() -> Iterator[tuple[str, synth.Truth]]:
    """Named, with truth; those without beats have no steady tempo."""
    for noise_dbfs in (-70, -50, -35):
        yield f"drums, noise at {noise_dbfs} dBFS", synth.drums(bars=16, noise_dbfs=noise_dbfs)
    yield "swing 62 %, 96 bpm", synth.drums(bars=16, swing=0.62, bpm=96, noise_dbfs=-45)
    yield "tempo 100 to 125 bpm", synth.drums(bars=16, bpm=100, bpm_end=125, noise_dbfs=-45)
    yield "drums, 170 bpm", synth.drums(bars=16, bpm=170, noise_dbfs=-45)
    yield "drums, 8 kHz", synth.drums(bars=16, rate_hz=8_000, noise_dbfs=-50)
    yield "notes, attack 10 ms", synth.melody(attack_s=0.01, notes=80)
    yield "notes, attack 60 ms", synth.melody(attack_s=0.06, notes=80)


def onset_f(truth: synth.Truth, found_s: Seconds) -> float:
    """mir_eval's, within 50 ms."""
    return float(mir_eval.onset.f_measure(truth.onsets_s, found_s)[0])


def beat_f(truth: synth.Truth, found_s: Seconds) -> float:
    """mir_eval's, within 70 ms, the first 5 s left out as usual."""
    trim = mir_eval.beat.trim_beats
    return float(mir_eval.beat.f_measure(trim(truth.beats_s), trim(found_s)))


def rhythm_row(name: str, truth: synth.Truth, folder: Path) -> str:
    source = write(folder / "in.wav", truth.samples, truth.rate_hz)
    ran = run(hits.ENGINE, source, folder / "hits")
    late_ms = lateness_ms(truth, ran)
    bare = librosa.resample(truth.samples, orig_sr=truth.rate_hz, target_sr=22_050)
    bare_s = librosa.onset.onset_detect(y=bare, sr=22_050, units="time")
    cells = [
        f"{onset_f(truth, ran.seconds('start_ms')):.3f}",
        f"{onset_f(truth, bare_s):.3f}",
        f"{np.median(late_ms):+.1f} ({np.percentile(np.abs(late_ms), 90):.1f})",
    ]
    if truth.beats_s.size:
        body = run(loops.ENGINE, source, folder / "loops").body
        _, bare_beats_s = librosa.beat.beat_track(y=bare, sr=22_050, units="time")
        beats_s = np.array(body["beats_ms"]) / 1000
        cells += [f"{beat_f(truth, beats_s):.3f}", f"{beat_f(truth, bare_beats_s):.3f}"]
    else:
        cells += ["", ""]
    return f"| {name} | {' | '.join(cells)} |"


def lateness_ms(truth: synth.Truth, ran: Ran) -> Seconds:
    """Of each onset that was found."""
    found_s = ran.seconds("onset_ms")
    pairs = mir_eval.util.match_events(truth.onsets_s, found_s, 0.05)
    return np.array([1000 * (found_s[there] - truth.onsets_s[here]) for here, there in pairs])


def loop_rows(folder: Path) -> Iterator[str]:
    for path in sorted((REAL_MEDIA / "truth" / "loops").glob("*.json")):
        truth = json.loads(path.read_text())
        source = REAL_MEDIA / truth["file"]
        best = run(loops.ENGINE, source, folder / path.stem).body["segments"][0]
        samples, rate_hz = librosa.load(source)
        bare_bpm = float(np.squeeze(librosa.beat.beat_track(y=samples, sr=rate_hz)[0]))
        yield (
            f"| {source.stem} | {truth['tempo']:.1f}, {truth['bars_4_4']:g} "
            f"| {best['bpm']:.1f}, {best['bars']} | {bare_bpm:.1f} |"
        )


def phrase_rows(folder: Path) -> Iterator[str]:
    for path in sorted((REAL_MEDIA / "truth" / "segments").glob("*.json")):
        truth = json.loads(path.read_text())
        ran = run(phrases.ENGINE, REAL_MEDIA / truth["file"], folder / path.stem)
        covered_s = truth.get("covers", [0, ran.body["duration_ms"] / 1000])[1]
        t = np.arange(0, covered_s, 0.01)
        speech = [row for row in truth["segments"] if row["label"] == "speech"]
        spans = [(row["start"], row["end"]) for row in speech]
        found = list(zip(ran.seconds("start_ms"), ran.seconds("end_ms"), strict=True))
        here, there = (
            np.array([any(a <= now < b for a, b in each) for now in t]) for each in (spans, found)
        )
        recall, false_alarm = mir_eval.melody.voicing_measures(here * 1.0, there * 1.0)
        precision = (here & there).sum() / max(there.sum(), 1)
        yield f"| {path.stem} | {recall:.3f} | {precision:.3f} | {false_alarm:.3f} |"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(
            "| recording | onset F | librosa | late by ms, median (90 % within) | beat F | librosa |"
        )
        print("| --- | --- | --- | --- | --- | --- |")
        for title, truth in recordings():
            print(rhythm_row(title, truth, folder))
        print("\n| loop | true bpm, bars | found | librosa |\n| --- | --- | --- | --- |")
        print("\n".join(loop_rows(folder)))
        print("\n| speech | recall | precision | false alarm |\n| --- | --- | --- | --- |")
        print("\n".join(phrase_rows(folder)))


if __name__ == "__main__":
    main()
