"""How fast the transforms are, beside the tools that people would use instead.

    python -m tests.bench transform

The same minute of stereo for all. Compared with bare ffmpeg and the same filter graph, with
ffmpeg-normalize at the same target, and with pedalboard for a comparable chain, where that is installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
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
from tests.bench.measuring import TOOLS, cpu_s, with_tools
from tests.bench.report import Row

RATE, SECONDS = 48_000, 60
METER = "ebur128=peak=true"
"""What somebody would measure with by hand."""
Work = Callable[[], object]
DRAWN = "its peak is read back; excerpts of before and after go through a spectrum into the audition picture"
HEARD = (
    "how late the filters answer is heard by bursts in an ffmpeg of its own, once for each setting"
)


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


def effects(source: Path, folder: Path) -> Iterator[Row]:
    """Presets, beside ffmpeg with the very same graph."""
    for preset_id in ("bus_glue", "voice_clean_up", "cathedral"):
        preset = preset_named(preset_id)
        stages = [Stage(preset, preset.settle({}, Clamps()))]
        chain = (
            f"aformat=sample_fmts=fltp,{chain_of(stages, Mix(), open_sound(job(source, folder)))}"
        )
        bare = ffmpeg(source, chain, "-c:a", "pcm_s24le", folder / "bare.wav")
        taken = cpu_s(ours(fx.ENGINE, source, folder, preset_id=preset_id), bare)
        yield Row(f"fx {preset_id}, beside ffmpeg: processor", *taken, "s", "ratio <= 1.05", DRAWN)


def pedalboard_chain(source: Path, folder: Path) -> Iterator[Row]:
    """A compressor and gain, as ``bus_glue``, read, processed and written by pedalboard."""
    if not find_spec("pedalboard"):
        return
    from pedalboard import Compressor, Gain, Pedalboard
    from pedalboard.io import AudioFile

    def work() -> None:
        board = Pedalboard([Compressor(-20, 2, 20, 180), Gain(2)])
        with AudioFile(str(source)) as heard:
            shape = (heard.samplerate, heard.num_channels)
            with AudioFile(str(folder / "board.wav"), "w", *shape, bit_depth=24) as out:
                while heard.tell() < heard.frames:
                    out.write(board(heard.read(1 << 16), heard.samplerate, reset=False))

    taken = cpu_s(ours(fx.ENGINE, source, folder, preset_id="bus_glue"), work)
    yield Row("fx bus_glue, beside pedalboard: processor", *taken, "s")


def normalised(source: Path, folder: Path, target: float) -> Iterator[Row]:
    """Measure and gain, beside two bare passes and beside ffmpeg-normalize."""
    full = ours(normalise.ENGINE, source, folder, target_lufs=target)
    measured = ffmpeg(source, METER, "-f", "null", "-")
    gained = ffmpeg(source, "volume=-3dB", "-c:a", "pcm_s24le", folder / "bare.wav")
    works: list[Work] = [
        full,
        lambda: (measured(), gained()),
        second_target(source, folder, target),
    ]
    mine, passes, again, one_pass = cpu_s(*works, gained)
    what = f"normalise to {target:g} LUFS"
    why = "the meter is ours, and hears what ffmpeg decodes through a pipe"
    yield Row(
        f"{what}, beside two ffmpeg passes: processor", mine, passes, "s", "ratio <= 1.05", why
    )
    yield Row(f"{what}, measured before, beside one: processor", again, one_pass, "s")
    (other,) = cpu_s(lambda: other_tool(source, folder, target), rounds=1)
    yield Row(f"{what}, beside ffmpeg-normalize: processor", mine, other, "s", "ratio <= 1")


def second_target(source: Path, folder: Path, target: float) -> Work:
    """Normalising where the measurement is there already."""
    engine = loudness.ENGINE
    made = engine.run(job(source, folder), engine.params(), engine.backend()).outputs[0]
    file = folder / "loudness.json"
    file.write_text(json.dumps(dict(made.meta)))
    inputs = {"transform.loudness": [InputFile("a", made.kind, file, made.meta)]}
    params, backend = normalise.NormaliseParams(target_lufs=target), normalise.ENGINE.backend()
    return lambda: normalise.ENGINE.run(job(source, folder, inputs), params, backend)


def other_tool(source: Path, folder: Path, target: float) -> None:
    words = [source, "-f", "-t", f"{target}", "-tp", "-1"]
    out = ["-c:a", "pcm_s24le", "-ar", f"{RATE}", "-o", folder / "other.wav"]
    script = TOOLS / "bin" / "ffmpeg-normalize"
    environment = {**os.environ, **with_tools()}
    subprocess.run(
        [sys.executable, script, *words, *out], check=True, capture_output=True, env=environment
    )


def stretched(source: Path, folder: Path) -> Iterator[Row]:
    """Tempo and pitch, beside ffmpeg with the same filters (and neither timing nor length set right)."""
    for quality in ("draft", "high"):
        filters = stretch_filters(1.25, 2, quality, RATE, False)
        bare = ffmpeg(
            source, f"aformat=sample_fmts=fltp,{filters}", "-c:a", "pcm_s24le", folder / "b.wav"
        )
        mine = ours(resample.ENGINE, source, folder, tempo=1.25, pitch=2, quality=quality)
        taken = cpu_s(mine, bare, rounds=3 if quality == "draft" else 1)
        yield Row(
            f"resample {quality}, beside ffmpeg: processor", *taken, "s", "ratio <= 1.1", HEARD
        )


def measure() -> Iterator[Row]:
    """Effects, loudness, tempo and pitch."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = programme(folder / "programme.wav")
        yield from effects(source, folder)
        yield from pedalboard_chain(source, folder)
        yield from stretched(source, folder)
        yield from normalised(source, folder, -23)
