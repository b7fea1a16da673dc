"""How fast a mix is rendered, and in how much memory, beside bare ffmpeg and pydub.

    python -m tests.bench mix

Three minutes (ten at length), sixteen stereo tracks, gain and pan of each moving all the time, mastered
as a podcast. ffmpeg does the same with its own filters, in one command: it holds each gain for a
thousand samples and measures loudness while it goes (its loudnorm in one pass). pydub cannot move gains:
it adds up.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile

from tests.bench.measuring import Cost, cost_of
from tests.bench.report import Row

RATE, TRACKS = 48_000, 16
SWING_S = 10
"""A gain goes down, or a sound from left to right, in so long, and back."""
_FILES = 4


def write_sources(folder: Path, minutes: float) -> list[Path]:
    """Four different recordings of noise, 16-bit stereo; each serves four tracks."""
    paths = [folder / f"source_{number}.wav" for number in range(_FILES)]
    for number, path in enumerate(paths):
        rng = np.random.default_rng(number)
        with soundfile.SoundFile(path, "w", RATE, 2, subtype="PCM_16") as file:
            for _ in range(round(minutes * 60)):
                file.write(rng.normal(0, 0.05, (RATE, 2)).astype(np.float32))
    return [paths[number % _FILES] for number in range(TRACKS)]


# -- ours -------------------------------------------------------------------------------------------


def timeline(minutes: float) -> dict[str, object]:
    """A gain between 0 and -12 dB, a pan between -0.8 and 0.8."""
    times = [1_000.0 * at for at in range(0, round(minutes * 60) + 1, SWING_S)]
    gain = [{"time_ms": at, "value": -12.0 * (n % 2)} for n, at in enumerate(times)]
    pan = [{"time_ms": at, "value": 0.8 - 1.6 * (n % 2)} for n, at in enumerate(times)]
    clip = {"automation": {"gain_db": gain, "pan": pan}}
    tracks = [{"clips": [{"asset_id": f"a{number}", **clip}]} for number in range(TRACKS)]
    return {"mix_preset_id": "flat_mix", "tracks": tracks}


def render(folder: Path, paths: list[Path], minutes: float) -> None:
    """What a worker does, without fetching and storing."""
    from functions.render.audio import ENGINE
    from shared.contracts.asset import MediaInfo
    from shared.contracts.step_engine import Backend, Job

    params = ENGINE.params.model_validate(
        {"timeline": timeline(minutes), "export_preset": "podcast"}
    )
    workdir = folder / "work"
    workdir.mkdir()
    sources = {f"a{number}": path for number, path in enumerate(paths)}
    media = MediaInfo(container="wav", duration_ms=1)
    job = Job(paths[0], media, workdir, lambda part: None, sources=sources, cache_key="k")
    ENGINE.run(job, params, Backend("bench", "bench"))


# -- the others -------------------------------------------------------------------------------------


def bare_ffmpeg(paths: list[Path], out: Path) -> list[str]:
    """The equal graph."""
    swing = f"abs(mod(t,{2 * SWING_S})-{SWING_S})/{SWING_S}"
    level = f"pow(10,-12*(1-{swing})/20)"
    angle = f"(1+1.6*({swing}-0.5))*PI/4"
    strips = [
        f"[{n}]channelsplit[l{n}][r{n}];"
        f"[l{n}]volume=eval=frame:volume='{level}*sqrt(2)*cos({angle})'[L{n}];"
        f"[r{n}]volume=eval=frame:volume='{level}*sqrt(2)*sin({angle})'[R{n}];"
        f"[L{n}][R{n}]join[s{n}]"
        for n in range(len(paths))
    ]
    ins = "".join(f"[s{n}]" for n in range(len(paths)))
    master = (
        f"{ins}amix=inputs={len(paths)}:normalize=0,volume=-6dB,loudnorm=I=-16:TP=-1,"
        f"alimiter=limit=0.891:level=0,aresample={RATE}:osf=s16:dither_method=triangular[out]"
    )
    inputs = [word for path in paths for word in ("-i", str(path))]
    graph = ";".join([*strips, master])
    return [
        "ffmpeg",
        "-y",
        "-v",
        "error",
        *inputs,
        "-filter_complex",
        graph,
        "-map",
        "[out]",
        str(out),
    ]


def add_up_with_pydub(paths: list[Path], out: Path) -> None:
    """All tracks at a gain and a place that stay."""
    from pydub import AudioSegment

    total = AudioSegment.from_wav(paths[0]) - 12
    for number, path in enumerate(paths[1:]):
        total = total.overlay((AudioSegment.from_wav(path) - 12).pan(0.1 * (number % 8) - 0.4))
    total.export(out, format="wav")


def measure() -> Iterator[Row]:
    """Three minutes."""
    yield from rows(3)


def measure_long() -> Iterator[Row]:
    """Ten."""
    yield from rows(10)


def rows(minutes: float) -> Iterator[Row]:
    """Ours beside the others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_sources(folder, minutes)
        own = [sys.executable, "-m", "tests.bench.bench_mix"]
        ours = cost_of([*own, "render", name, f"{minutes}"])
        bare = cost_of(bare_ffmpeg(paths, folder / "bare.wav"))
        what = f"a mix of {TRACKS} tracks, {minutes:g} minutes"
        yield from _compared(f"{what}, beside ffmpeg", ours, bare, "ratio <= 1.0")
        short = cost_of([*own, "render", name, f"{minutes / 5}"])
        peaks = ours.peak_mib, short.peak_mib
        yield Row(f"{what}, beside a fifth of it: memory", *peaks, "MiB", "ratio <= 1.2")
        if find_spec("pydub"):
            pydub = cost_of([*own, "pydub", name, f"{minutes}"])
            yield from _compared(f"{what}, beside pydub, nothing moving", ours, pydub, "")


def _compared(what: str, ours: Cost, bare: Cost, goal: str) -> list[Row]:
    return [
        Row(f"{what}: wall", ours.wall_s, bare.wall_s, "s", goal),
        Row(f"{what}: processor", ours.cpu_s, bare.cpu_s, "s", goal),
        Row(f"{what}: memory", ours.peak_mib, bare.peak_mib, "MiB"),
    ]


def main(what: str, folder: Path, minutes: float) -> None:
    """One of the processes that are measured."""
    paths = [folder / f"source_{number % _FILES}.wav" for number in range(TRACKS)]
    works: dict[str, Callable[[], None]] = {
        "render": lambda: _in_own_folder(folder, paths, minutes),
        "pydub": lambda: add_up_with_pydub(paths, folder / "pydub.wav"),
    }
    works[what]()


def _in_own_folder(folder: Path, paths: list[Path], minutes: float) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        render(Path(own), paths, minutes)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
