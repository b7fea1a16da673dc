"""How fast the transforms are, beside the tools that people would use instead.

    python -m tests.bench transform

The same two minutes of stereo for all. Compared with bare ffmpeg and the same filter graph, with
ffmpeg-normalize at the same target, and with pedalboard for a comparable chain, where installed.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from functions.transform import fx, loudness, normalise, resample
from functions.transform.fx_chain import Mix, Stage, chain_of
from functions.transform.presets import preset_named
from functions.transform.sound import Clamps, open_sound
from shared.contracts.step_engine import Engine, InputFile, Job
from shared.media.probe import probe
from shared.media.stretch import late_samples, stretch_filters
from tests.bench.report import Row, show

RATE, SECONDS, ROUNDS = 48_000, 120, 5
METER = "ebur128=peak=true"
"""What somebody would measure with by hand."""
Work = Callable[[], object]


def programme(path: Path) -> Path:
    """Noise with a song's ups and downs, 24 bits, -1 dBFS."""
    times = np.arange(RATE * SECONDS) / RATE
    sound = np.random.default_rng(1).standard_normal((times.size, 2))
    sound *= (0.3 + 0.7 * np.square(np.sin(np.pi * times / 7)))[:, None]
    soundfile.write(path, 0.89 * sound / np.abs(sound).max(), RATE, subtype="PCM_24")
    return path


def ours(engine: Engine, source: Path, folder: Path, **given: Any) -> Work:
    params, backend = engine.params.model_validate(given), engine.backend()

    def work() -> object:
        late_samples.cache_clear()
        return engine.run(job(source, folder), params, backend)

    return work


def job(source: Path, folder: Path, inputs: Any = None) -> Job:
    workdir = Path(tempfile.mkdtemp(dir=folder))
    return Job(source, probe_once(source), workdir, lambda fraction: None, inputs or {})


_PROBED: dict[Path, Any] = {}


def probe_once(source: Path) -> Any:
    if source not in _PROBED:
        _PROBED[source] = probe(source)
    return _PROBED[source]


def ffmpeg(source: Path, graph: str, *out: str | Path) -> Work:
    command = ["ffmpeg", "-y", "-v", "error", "-nostdin", "-i", source]
    words = [*command, "-filter_complex", f"[0:0]{graph}[out]", "-map", "[out]", *out]
    return lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def in_turn(*works: Work) -> list[float]:
    """Median seconds of each, run in turn so that a busy machine hurts all alike."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for times, work in zip(taken, works, strict=True):
            begun = time.perf_counter()
            work()
            times.append(time.perf_counter() - begun)
    return [statistics.median(times) for times in taken]


def effects(source: Path, folder: Path) -> list[Row]:
    """Presets, beside ffmpeg with the very same graph."""
    rows = []
    for preset_id in ("bus_glue", "voice_clean_up", "cathedral"):
        preset = preset_named(preset_id)
        stages = [Stage(preset, preset.settle({}, Clamps()))]
        chain = (
            f"aformat=sample_fmts=fltp,{chain_of(stages, Mix(), open_sound(job(source, folder)))}"
        )
        bare = ffmpeg(source, chain, "-c:a", "pcm_s24le", folder / "bare.wav")
        taken = in_turn(ours(fx.ENGINE, source, folder, preset_id=preset_id), bare)
        rows.append(Row(f"fx {preset_id}: bare ffmpeg", *taken, "s", "at most 1.05"))
    return rows


def pedalboard_chain(source: Path, folder: Path) -> list[Row]:
    """A compressor and gain, as ``bus_glue``, read, processed and written by pedalboard."""
    if not find_spec("pedalboard"):
        return []
    from pedalboard import Compressor, Gain, Pedalboard
    from pedalboard.io import AudioFile

    def work() -> None:
        board = Pedalboard([Compressor(-20, 2, 20, 180), Gain(2)])
        with AudioFile(str(source)) as heard:
            shape = (heard.samplerate, heard.num_channels)
            with AudioFile(str(folder / "board.wav"), "w", *shape, bit_depth=24) as out:
                while heard.tell() < heard.frames:
                    out.write(board(heard.read(1 << 16), heard.samplerate, reset=False))

    taken = in_turn(ours(fx.ENGINE, source, folder, preset_id="bus_glue"), work)
    return [Row("fx bus_glue: pedalboard", *taken, "s")]


def normalised(source: Path, folder: Path, target: float) -> list[Row]:
    """Measure and gain, beside two bare passes and beside ffmpeg-normalize."""
    full = ours(normalise.ENGINE, source, folder, target_lufs=target)
    measured = ffmpeg(source, METER, "-f", "null", "-")
    gained = ffmpeg(source, "volume=-3dB", "-c:a", "pcm_s24le", folder / "bare.wav")
    works: list[Work] = [
        full,
        lambda: (measured(), gained()),
        second_target(source, folder, target),
    ]
    works += [lambda: other_tool(source, folder, target)] if shutil.which(*_other()) else []
    taken = in_turn(*works)
    rows = [Row(f"normalise to {target:g}: two bare passes", *taken[:2], "s", "at most 1.05")]
    rows += [Row("a second target: one bare pass", taken[2], in_turn(gained)[0], "s", "about 1")]
    if len(taken) > 3:
        rows.append(Row("normalise: ffmpeg-normalize", taken[0], taken[3], "s", "below 1"))
    return rows


def second_target(source: Path, folder: Path, target: float) -> Work:
    """Normalising where the measurement is there already."""
    engine = loudness.ENGINE
    made = engine.run(job(source, folder), engine.params(), engine.backend()).outputs[0]
    file = folder / "loudness.json"
    file.write_text(json.dumps(dict(made.meta)))
    inputs = {"transform.loudness": [InputFile("a", made.kind, file, made.meta)]}
    params, backend = normalise.NormaliseParams(target_lufs=target), normalise.ENGINE.backend()
    return lambda: normalise.ENGINE.run(job(source, folder, inputs), params, backend)


def _other() -> tuple[str, int, str]:
    return "ffmpeg-normalize", 1, str(Path(sys.executable).parent)


def other_tool(source: Path, folder: Path, target: float) -> None:
    words = [str(shutil.which(*_other())), source, "-f", "-t", str(target), "-tp", "-1"]
    out = ["-c:a", "pcm_s24le", "-ar", str(RATE), "-o", folder / "other.wav"]
    subprocess.run([*words, *out], check=True, capture_output=True)


def stretched(source: Path, folder: Path) -> list[Row]:
    """Tempo and pitch, beside ffmpeg with the same filters (and neither timing nor length set right)."""
    rows = []
    for quality in ("draft", "high"):
        filters = stretch_filters(1.25, 2, quality, RATE, False)
        bare = ffmpeg(
            source, f"aformat=sample_fmts=fltp,{filters}", "-c:a", "pcm_s24le", folder / "b.wav"
        )
        mine = ours(resample.ENGINE, source, folder, tempo=1.25, pitch=2, quality=quality)
        rows.append(Row(f"resample {quality}: bare ffmpeg", *in_turn(mine, bare), "s"))
    return rows


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = programme(folder / "programme.wav")
        rows = [*effects(source, folder), *pedalboard_chain(source, folder)]
        rows += [*normalised(source, folder, -23), *stretched(source, folder)]
    show("transform", rows, bare="other")


if __name__ == "__main__":
    main()
