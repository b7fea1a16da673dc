"""``transform.loudness``: EBU R 128 in numbers (see ``shared.sound.loudness_meter``). Measured once, it
serves every target.

    the recording's sound -> decoded in blocks -> integrated loudness (ITU-R BS.1770-4), loudness range
                             (EBU Tech 3342), true peak (BS.1770-4, annex 2) -> ``audio_loudness``, a JSON
                             document of the contract ``Loudness``

Of silence, and of less than a gating block of 400 ms, no loudness is told, and the document says why: the
standard defines none. One pass in bounded memory, whatever the length.
"""

from __future__ import annotations

from functions.transform.sound import Sound, all_numbers, levelled, open_sound
from shared.contracts.step_engine import (
    Backend,
    Engine,
    Job,
    Output,
    Progress,
    Result,
    SoundParams,
)
from shared.sound.leveller import Levels
from shared.sound.loudness_meter import FullMeter
from shared.watch.health import dependency, installed, require


class LoudnessParams(SoundParams):
    """There is nothing else to choose: the standard says how to measure."""


def backend() -> Backend:
    """Our meter, by scipy's filter, on what ffmpeg decodes; raises ``MissingDependency``."""
    return meter_backend("loudness-4")


def meter_backend(revision: str) -> Backend:
    """The meter and the decoder, with the engine's revision; raises ``MissingDependency``."""
    ffmpeg, found = require("ffmpeg"), installed("scipy")
    known = {"ffmpeg": dependency("ffmpeg"), **found}
    named = f"{revision}+scipy-{found['scipy'].version}+ffmpeg-{ffmpeg}"
    return Backend("rushes_meter", named, dependencies=known)


def run(job: Job, params: LoudnessParams, backend: Backend) -> Result:
    """Measure what is worked on."""
    measured = measure(open_sound(job), job.progress).result()
    path = job.workdir / "loudness.json"
    measured.write(path)
    meta = measured.content()
    return Result([Output("audio_loudness", "loudness", path, "application/json", meta)])


def measure(sound: Sound, progress: Progress, levels: Levels | None = None) -> FullMeter:
    """One pass over the whole recording, or over it as it is levelled; ``progress``: 0 to 1.

    Raises ``UnsupportedMedia`` for samples that are not numbers, and what decoding raises.
    """
    meter = FullMeter(sound.sample_rate_hz, sound.channels, sound.layout)
    expected = max(1.0, (sound.duration_ms or 0) * sound.sample_rate_hz / 1000)
    with sound.blocks() as blocks:
        for block in levelled(sound, all_numbers(blocks), levels):
            meter.add(block)
            progress(min(1.0, blocks.frames / expected))
    return meter


ENGINE = Engine(params=LoudnessParams, backend=backend, run=run)
