"""``separate.stems``: drums, bass, other and vocals (and what else a model knows) by demucs.

    the recording -> parts of some minutes: weighted sums of the model's segments   (``part_sums``)
                  -> joined where they overlap, back at the recording's rate        (``joining``)
                  -> WAV

What does the numbers is demucs' own code with its own overlap and weights; only the cutting is done
here, so that memory is bounded, progress is told, parts are done side by side and once, and
nothing is drawn at random. Sums, not samples, are cut: the parts show nowhere.

The models: S. Rouard, F. Massa and A. Defossez, "Hybrid Transformers for Music Source Separation", ICASSP
2023 (``htdemucs``); A. Defossez, "Hybrid Spectrogram and Waveform Source Separation", MDX workshop at
ISMIR 2021 (``hdemucs_mmi``, ``mdx_extra``). None promises that its stems add up to the recording, so what
they lack is measured (``residual_db``) and not spread over them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import model_validator

from functions.separate.grid import OVERLAP
from functions.separate.host import warm_worker
from functions.separate.joining import Joined
from functions.separate.models import DEFAULT_MODEL, MODELS, check_name, find_weights
from functions.separate.pairs import lanes_of
from functions.separate.part_sums import separate_part
from functions.separate.pcm import Plain, decode, write_wav
from shared.contracts.asset import MediaInfo
from shared.contracts.step import StepState
from shared.contracts.step_engine import (
    Backend,
    Dependency,
    Engine,
    InputFile,
    Job,
    Output,
    Part,
    Parts,
    Result,
    SoundParams,
    check_range,
    even_parts,
)
from shared.errors import BackendFailed, MissingDependency
from shared.watch.health import report

REVISION = "stems-4"
STUB_VERSION = "stems-stub-1"
PART_MS, LEAST_PART_MS = 300_000, 30_000
"""Of sound through one model once: a part pays for fetching and decoding the whole recording."""
TOLERANCE = 1e-4
"""By so much of full scale a sample may differ where the same is computed elsewhere: with another
number of threads, another version, another device. With all these equal it does not differ."""


class StemsParams(SoundParams):
    """Which model, and how carefully."""

    model: str = DEFAULT_MODEL
    """One of the table's (``htdemucs``, ``htdemucs_ft``, ``htdemucs_6s``, ``hdemucs_mmi``,
    ``mdx_extra``), or a folder in the models folder."""
    shifts: int = 1
    """So many passes, 1 to 10, each at another offset, are averaged: a little better, so many times
    the work."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        check_name(self.model)
        check_range("shifts", self.shifts, 1, 10)
        return self


def backend() -> Backend:
    """Demucs; the stub where it is not installed.

    Raises ``MissingDependency`` where it is there but not usable.
    """
    found = report("demucs")
    if found.status == "missing":
        return Backend("stub", STUB_VERSION, stub=True, dependencies={"demucs": found.dependency})
    if found.status != "ok":
        raise MissingDependency("demucs", found.required, found.error or "install rushes[separate]")
    try:
        torch = installed_version("torch").split("+")[0]
    except PackageNotFoundError:
        raise MissingDependency("torch", None, "install rushes[separate]") from None
    return Backend(
        "demucs",
        f"{REVISION}+demucs-{found.version}+torch-{torch}",
        dependencies={"demucs": found.dependency, "torch": Dependency(True, torch)},
    )


def split(
    media: MediaInfo, _inputs: Mapping[str, Sequence[InputFile]], params: StemsParams
) -> list[Part]:
    """Parts of five minutes through the default model; the more models and passes, the shorter."""
    if not media.has_audio:
        return []
    row = MODELS.get(params.model)
    models = len(row.files) if row else 1
    passes = models * len(lanes_of(media.heard.channels, params.shifts, 1))
    part_ms = max(PART_MS // passes, min(PART_MS, LEAST_PART_MS))
    return even_parts(media.duration_ms or 0, part_ms)


def separate_stretch(job: Job, params: StemsParams, backend: Backend, part: Part) -> Path:
    """The weighted sums of the part's segments, in a file; the stub's is empty.

    Raises ``MissingDependency`` naming a model whose weights are not here, ``BackendFailed`` for one that
    does not hear two channels, and what ``part_sums.separate_part`` raises.
    """
    if backend.stub:
        path = job.workdir / "nothing"
        path.touch()
        return path
    worker, folder = warm_worker(), find_weights(params.model)
    with worker.lock:
        loaded = worker.load(params.model, folder, lambda: job.progress(0.0))
        if loaded.channels != 2:
            raise BackendFailed("demucs", f"{params.model} is not a stereo model")
        return separate_part(job, params.shifts, part, worker, loaded)


def join_stems(job: Job, params: StemsParams, backend: Backend, files: Sequence[Path]) -> Result:
    """Each stem of all parts' sums, and what they lack of the recording.

    Decodes the recording once more, at its own rate, to be compared with. Raises as ``pcm.heard`` and
    ``Joined`` do.
    """
    if backend.stub:
        for path in files:  # nothing stands in them
            path.unlink()
        return _stand_ins(job, params)
    source = decode(job)
    joined = Joined(job, source, params.shifts, files)
    loaded, everywhere = joined.loaded, [head.loaded for head in joined.heads]
    facts = {
        "model_used": params.model,
        "model_sha256": loaded.sha256,
        "device": _told(one.device for one in everywhere),
        "runtime": {
            "demucs": loaded.demucs,
            "torch": loaded.torch,
            "device_name": _told(one.device_name for one in everywhere),
            "threads": _told(one.threads for one in everywhere),
            "models": loaded.models,
            "segment_s": round(loaded.segment_frames / loaded.sample_rate_hz, 3),
            "overlap": OVERLAP,
            "shifts": params.shifts,
            "model_rate_hz": loaded.sample_rate_hz,
        },
    }
    return Result(_outputs(job, source, joined.stems(), facts))


def _told(found: Iterable[Any]) -> Any:
    """What is so for all parts; where they differ, each of it."""
    said = list(dict.fromkeys(found))
    return said[0] if len(said) == 1 else ", ".join(sorted(map(str, said)))


def _outputs(
    job: Job, source: Plain, stems: Mapping[str, Plain], facts: Mapping[str, Any]
) -> list[Output]:
    residual_db = _residual_db(source, list(stems.values()))
    outputs = []
    for number, (name, plain) in enumerate(stems.items(), 1):
        written = write_wav(plain, job.workdir / f"{name}.wav")
        plain.path.unlink()
        meta = {
            "stem": name,
            "stems": list(stems),
            **facts,
            "sample_rate_hz": source.rate_hz,
            "channels": source.channels,
            "frames": source.frames,
            "sample_format": written.sample_format,
            "peak_dbfs": written.peak_dbfs,
            "pcm_sha256": written.pcm_sha256,
            "residual_db": residual_db,
            "tolerance": TOLERANCE,
        }
        outputs.append(Output("audio_stem", name, written.path, "audio/wav", meta))
        job.progress(0.5 + 0.5 * number / len(stems))
    return outputs


def _residual_db(source: Plain, stems: list[Plain]) -> float | None:
    """What the stems' sum lacks of the recording, in dB relative to it, over all frames and channels.

    0: as much as the recording itself; -300 at the least, for nothing. ``None`` for digital silence.
    """
    power = error = 0.0
    for whole, *parts in zip(source.blocks(), *(stem.blocks() for stem in stems), strict=True):
        exact = whole.astype(np.float64)
        power += float(np.square(exact).sum())
        error += float(np.square(exact - np.sum(parts, axis=0, dtype=np.float64)).sum())
    if not power:
        return None
    return round(max(-300.0, 10 * float(np.log10(error / power + 1e-30))), 2)


def _stand_ins(job: Job, params: StemsParams) -> Result:
    """What the stub gives: each stem the recording itself, so much softer that they add up to it.

    Those of ``htdemucs`` for a model that the table has not. ``degraded``, so nobody takes them for stems.
    """
    row = MODELS.get(params.model, MODELS[DEFAULT_MODEL])
    source = decode(job)
    stems = {}
    for name in row.stems:
        path = job.workdir / f"{name}.f32"
        with path.open("wb") as file:
            for block in source.blocks():
                file.write((block / np.float32(len(row.stems))).tobytes())
        stems[name] = Plain(path, source.frames, source.channels, source.rate_hz)
    facts: dict[str, Any] = {"model_used": "stub", "device": "none", "runtime": {}}
    reason = "demucs is not installed: nothing was separated, these are stand-ins"
    return Result(_outputs(job, source, stems, facts), StepState.DEGRADED, reason)


PARTS = Parts(split, separate_stretch, join_stems)
ENGINE = Engine(params=StemsParams, backend=backend, run=PARTS.run, parts=PARTS)
