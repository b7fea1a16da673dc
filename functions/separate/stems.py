"""``separate.stems``: drums, bass, other and vocals (and what else a model knows) by demucs.

    the recording -> plain samples -> the model's rate -> pieces of some segments each
         each piece is one job of the warm worker, 300 s at most, kept in ``job.scratch``
      -> overlapping sums joined -> back to the recording's rate, channels and length -> WAV

What does the numbers is demucs' own code with its own overlap and weights; only the cutting is done
here, so that memory is bounded, progress is told, a killed job resumes behind its last piece, and
nothing is drawn at random. Sums, not samples, are cut: the pieces show nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from functions.separate.grid import OVERLAP, Grid, Joiner
from functions.separate.host import Loaded, Worker, warm_worker
from functions.separate.models import (
    DEFAULT_MODEL,
    MODELS,
    check_name,
    find_weights,
    normalise_stem,
)
from functions.separate.pairs import Braid, Lane, lanes_of
from functions.separate.pcm import Plain, Resampler, at_rate, decode, level, write_wav
from shared.contracts.ids import digest
from shared.contracts.step import StepState
from shared.contracts.step_engine import (
    Backend,
    Dependency,
    Engine,
    Job,
    Output,
    Result,
    SoundParams,
    check_range,
)
from shared.errors import BackendFailed, MissingDependency
from shared.watch.health import report

REVISION = "stems-2"
STUB_VERSION = "stems-stub-1"
PIECE_S = 45.0
"""Of sound through one model: some 45 s of work for the default model on two cores of a CPU."""
TOLERANCE = 1e-4
"""By so much of full scale a sample may differ where the same is computed elsewhere: with another
number of threads, another version, another device. With all these equal it does not differ."""
_LEAST_DEVIATION = 1e-8
_WRITING = 0.04
"""Of the progress."""

Samples = NDArray[np.float32]


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


def run(job: Job, params: StemsParams, backend: Backend) -> Result:
    """Separate; raises ``MissingDependency`` naming a model whose weights are not here."""
    if backend.stub:
        return _stand_ins(job, params)
    worker, folder = warm_worker(), find_weights(params.model)
    source = decode(job)
    with worker.lock:
        loaded = worker.load(params.model, folder, lambda: job.progress(0.0))
        if loaded.channels != 2:
            raise BackendFailed("demucs", f"{params.model} is not a stereo model")
        stems = _Separation(job, params, source, worker, loaded).made()
    facts = {
        "model_used": params.model,
        "model_sha256": loaded.sha256,
        "device": loaded.device,
        "runtime": {
            "demucs": loaded.demucs,
            "torch": loaded.torch,
            "device_name": loaded.device_name,
            "threads": loaded.threads,
            "models": loaded.models,
            "segment_s": round(loaded.segment_frames / loaded.sample_rate_hz, 3),
            "overlap": OVERLAP,
            "shifts": params.shifts,
            "model_rate_hz": loaded.sample_rate_hz,
        },
    }
    return Result(_outputs(job, source, stems, facts))


@dataclass(frozen=True)
class _Separation:
    """One recording through one model."""

    job: Job
    params: StemsParams
    source: Plain
    worker: Worker
    loaded: Loaded

    @cached_property
    def lanes(self) -> list[Lane]:
        return lanes_of(self.source.channels, self.params.shifts, self.loaded.sample_rate_hz)

    @cached_property
    def mix(self) -> Plain:
        """The recording at the model's rate."""
        return at_rate(self.source, self.loaded.sample_rate_hz, self.job.workdir / "mix.f32")

    @cached_property
    def levels(self) -> dict[tuple[int, int], tuple[float, float]]:
        """Mean and deviation of each pair of channels."""
        found = {}
        for lane in self.lanes:
            if lane.columns not in found:
                mean, deviation = level(self.mix, lane.columns)
                found[lane.columns] = mean, deviation + _LEAST_DEVIATION
        return found

    @cached_property
    def grids(self) -> list[Grid]:
        """Each lane's."""
        segment = self.loaded.segment_frames
        return [Grid(self.mix.frames + lane.lead_frames, segment) for lane in self.lanes]

    @cached_property
    def pieces(self) -> list[tuple[int, range]]:
        """Lane and segments of each piece, in the order of time."""
        stride_s = self.grids[0].stride_frames / self.loaded.sample_rate_hz
        segments = max(1, int(PIECE_S / (stride_s * self.loaded.models * len(self.lanes))))
        numbered = [
            (number, lane, piece)
            for lane, grid in enumerate(self.grids)
            for number, piece in enumerate(grid.pieces(segments))
        ]
        return [(lane, piece) for _, lane, piece in sorted(numbered, key=lambda one: one[:2])]

    @cached_property
    def likeness(self) -> str:
        """What a kept piece depends on beside the cache key: where it was made, and with what."""
        return digest({**self.loaded.model_dump(mode="json"), "piece_s": PIECE_S})[:12]

    def made(self) -> dict[str, Plain]:
        """Each stem at the recording's rate, with its channels and its length."""
        names = [normalise_stem(stem) for stem in self.loaded.stems]
        if len(set(names)) < len(names):
            raise BackendFailed("demucs", f"two stems of the model are called alike: {names}")
        source = self.source
        plain = [self.job.workdir / f"{name}.f32" for name in names]
        left = source.frames
        with ExitStack() as stack:
            files = [stack.enter_context(path.open("wb")) for path in plain]
            for block in self._at_source_rate(len(names)):
                kept = block[:left]
                left -= len(kept)
                for stem, file in enumerate(files):
                    file.write(kept[:, stem].tobytes())
            for file in files:  # the last sample or two may have got lost between the rates
                file.write(bytes(4 * left * source.channels))
        return {
            name: Plain(path, source.frames, source.channels, source.rate_hz)
            for name, path in zip(names, plain, strict=True)
        }

    def _at_source_rate(self, stems: int) -> Iterator[Samples]:
        channels = self.source.channels
        resampler = Resampler(self.mix.rate_hz, self.source.rate_hz, stems * channels)
        for block in self._joined():
            made = resampler.feed(block.reshape(len(block), -1))
            yield made.reshape(-1, stems, channels)
        rest = resampler.feed(np.zeros((0, stems * channels), np.float32), last=True)
        yield rest.reshape(-1, stems, channels)

    def _joined(self) -> Iterator[Samples]:
        """``(frames, stems, channels)`` at the model's rate, as soon as all lanes have them."""
        joiners = [Joiner(grid) for grid in self.grids]
        braid = Braid(self.lanes, self.source.channels)
        for lane, sums in self._sums():
            piece, found = sums
            mean, deviation = self.levels[self.lanes[lane].columns]
            samples = joiners[lane].add(piece, found) * np.float32(deviation)
            # Demucs gives each stem the mean of all; here the stems still add up.
            samples += np.float32(mean / len(self.loaded.stems))
            braid.add(lane, samples)
            yield from braid.ready()

    def _sums(self) -> Iterator[tuple[int, tuple[range, Samples]]]:
        """Each piece's sums, as kept or as the worker makes them."""
        total = sum(len(piece) for _, piece in self.pieces)
        done = reached = 0
        path = self.job.workdir / "piece.f32"

        def tell(segments: int = 0) -> None:
            nonlocal reached
            reached = max(reached, done + segments)
            self.job.progress((1 - _WRITING) * reached / total)

        for lane, piece in self.pieces:
            name = f"{self.likeness}-{lane:02d}-{piece[0]:010d}"
            scratch = self.job.scratch
            if scratch is None or not scratch.get(name, path):
                self.worker.separate(self._task(lane, piece, path), tell, tell)
                if scratch is not None:
                    scratch.put(name, path)
            first, last = self.grids[lane].span(piece)
            sums = np.fromfile(path, "<f4").reshape(last - first, len(self.loaded.stems), 2)
            yield lane, (piece, sums)
            done += len(piece)
            tell()

    def _task(self, lane: int, piece: range, out: Path) -> dict[str, Any]:
        columns = self.lanes[lane].columns
        mean, deviation = self.levels[columns]
        return {
            "mix": str(self.mix.path),
            "source_channels": self.mix.channels,
            "frames": self.mix.frames,
            "lead": self.lanes[lane].lead_frames,
            "columns": list(columns),
            "mean": mean,
            "deviation": deviation,
            "piece": [piece.start, piece.stop, piece.step],
            "out": str(out),
        }


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
        job.progress(1 - _WRITING * (1 - number / len(stems)))
    return outputs


def _residual_db(source: Plain, stems: list[Plain]) -> float | None:
    """What the stems' sum lacks of the recording, relative to it; ``None`` for digital silence."""
    power = error = 0.0
    for whole, *parts in zip(source.blocks(), *(stem.blocks() for stem in stems), strict=True):
        exact = whole.astype(np.float64)
        power += float(np.square(exact).sum())
        error += float(np.square(exact - np.sum(parts, axis=0, dtype=np.float64)).sum())
    if not power:
        return None
    return round(max(-300.0, 10 * float(np.log10(error / power + 1e-30))), 2)


def _stand_ins(job: Job, params: StemsParams) -> Result:
    """What the stub gives: each stem the recording itself, so much softer that they add up to it."""
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


ENGINE = Engine(params=StemsParams, backend=backend, run=run)
