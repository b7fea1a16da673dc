"""The sums of a recording's parts joined: stems at the recording's rate, with its channels and its length.

    parts' files -> pieces' weighted sums -> each lane's samples, divided by the weights   (``grid.Joiner``)
                 -> times the deviation, plus the mean: demucs' normalising undone
                 -> lanes averaged and braided to the recording's channels                (``pairs.Braid``)
                 -> the recording's rate -> a file of float32 for each stem

Memory holds a piece and what lanes wait for each other; the parts' files go as they are read, so the disk
holds about as much at the end as at the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from functions.separate.grid import Joiner
from functions.separate.host import Loaded
from functions.separate.models import normalise_stem
from functions.separate.pairs import Braid, Lane, lanes_of
from functions.separate.part_sums import Head
from functions.separate.pcm import Plain, Resampler
from shared.contracts.step_engine import Job
from shared.errors import BackendFailed

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Joined:
    """All parts of one recording. Where they meet shows nowhere: sums are cut, not samples."""

    job: Job
    source: Plain
    """The recording."""
    shifts: int
    """As the parts were made with, 1 to 10."""
    files: Sequence[Path]
    """The parts', in order; each goes as soon as it is read, for stems take as much room."""

    @cached_property
    def heads(self) -> list[Head]:
        """What the parts say. Raises ``BackendFailed`` where their models were not the same."""
        found = [Head.read(path) for path in self.files]
        if len({(head.frames, head.loaded.weights) for head in found}) > 1:
            reason = "its parts were made with different weights; ask for it once more with force"
            raise BackendFailed("demucs", reason)
        return found

    @property
    def loaded(self) -> Loaded:
        """The first part's; other parts may have been made on other devices."""
        return self.heads[0].loaded

    @cached_property
    def _lanes(self) -> list[Lane]:
        return lanes_of(self.source.channels, self.shifts, self.loaded.sample_rate_hz)

    def stems(self) -> dict[str, Plain]:
        """Each stem in a file of plain samples, by its name as Rushes says it, of the recording's length.

        Half of the job's progress. Raises ``BackendFailed`` where two stems of the model have one name.
        """
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
                self.job.progress(0.5 * (1 - left / source.frames))
            for file in files:  # the last sample or two may have got lost between the rates
                file.write(bytes(4 * left * source.channels))
        return {
            name: Plain(path, source.frames, source.channels, source.rate_hz)
            for name, path in zip(names, plain, strict=True)
        }

    def _at_source_rate(self, stems: int) -> Iterator[Samples]:
        """``(frames, stems, channels)``; all of them go through one resampler, as its channels."""
        channels = self.source.channels
        resampler = Resampler(self.loaded.sample_rate_hz, self.source.rate_hz, stems * channels)
        for block in self._at_model_rate():
            made = resampler.feed(block.reshape(len(block), -1))
            yield made.reshape(-1, stems, channels)
        rest = resampler.feed(np.zeros((0, stems * channels), np.float32), last=True)
        yield rest.reshape(-1, stems, channels)

    def _at_model_rate(self) -> Iterator[Samples]:
        """``(frames, stems, channels)``, as soon as all lanes have them.

        A lane's mean is that of both its channels; the model's x becomes x * deviation + mean / stems.
        """
        joiners = [Joiner(self.heads[0].grid(lane)) for lane in self._lanes]
        braid = Braid(self._lanes, self.source.channels)
        levels, stems = self.heads[0].levels, len(self.loaded.stems)
        for head, path in zip(self.heads, self.files, strict=True):
            for lane, piece, sums in head.sums(path, self._lanes):
                mean, deviation = levels[lane]
                samples = joiners[lane].add(piece, sums) * np.float32(deviation)
                # Demucs gives each stem the mean of all; here the stems still add up.
                samples += np.float32(mean / stems)
                braid.add(lane, samples)
                yield from braid.ready()
            path.unlink()
