"""A recording through a filter graph into a WAV, with excerpts of before and after.

the recording's sound -> [ effects in float ] -> WAV -> read back
                      '--> excerpts "before"            excerpts "after"

One run of ffmpeg does it, whatever the chain is, and once more where integers would have clipped; where
channels have to go in groups, one for each and one that puts them side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from functions.transform.groups import Group, fed_group, groups_of, side_by_side
from functions.transform.reading_back import WINDOW_FRAMES, Windows, as_windows
from functions.transform.sound import NO_NUMBERS, Opened, Sound, Written, written
from shared.contracts.step_engine import Job
from shared.errors import UnsupportedMedia
from shared.media.ffmpeg import run
from shared.media.ffmpeg_filters import check_filters, joined
from shared.media.layouts import LAYOUTS

Words = tuple[str | Path, ...]


@dataclass(frozen=True)
class Rendered:
    """A result, and what it was made of."""

    audio: Written
    before: Windows
    """Of what went in, at the same places as ``audio.excerpts``, but for what an effect's tail adds."""


def render(job: Job, sound: Sound, chain: str, *, name: str) -> Rendered:
    """Send the sound through ``chain`` into a WAV; an empty chain copies the very samples.

    ``chain``: a piece of filter graph whose first filter takes the sound and whose last gives it.
    Raises ``MissingDependency``, ``TimedOut``, ``Unavailable``, ``BackendFailed``, and
    ``UnsupportedMedia`` for samples that are not numbers.
    """
    check_filters(chain)
    copied = sound.lossless and not chain
    passage = _Passage(job, sound, chain, copied, job.workdir / f"{name}.before")
    audio = written(sound, job.workdir / f"{name}.wav", passage.write, copied=copied)
    before = np.fromfile(passage.excerpts, dtype="<f4").reshape(-1, sound.channels)
    passage.excerpts.unlink()
    if not np.isfinite(before).all():
        raise UnsupportedMedia(NO_NUMBERS)
    return Rendered(audio, as_windows(before))


@dataclass(frozen=True)
class _Passage:
    """A sound on its way through a chain: in one run, or in groups of channels side by side."""

    job: Job
    sound: Sound
    chain: str
    copied: bool
    """Its very samples."""
    excerpts: Path
    """Where those of before go, as raw floats."""

    def write(self, codec: str, path: Path) -> None:
        wav: Words = ("-c:a", codec, *self.sound.wav_args, path)
        groups = [] if self.copied else groups_of(self.sound, self.job.workdir)
        if not groups:
            with self.sound.fed() as opened:
                self._run(opened, self.sound.layout, wav, self.excerpts)
            return
        for group in groups:
            with fed_group(self.sound, group) as opened:
                self._run(opened, group.layout, group.out, group.path.with_suffix(".before"))
        _join_excerpts(groups, self.excerpts)
        with self.sound.fed_with(side_by_side(groups)) as opened:
            run(
                ["-y", *opened.words, "-map", "0:0", *wav],
                timeout_s=self.sound.timeout_s,
                pass_fds=opened.fds,
            )

    def _run(self, opened: Opened, layout: str | None, out: Words, before: Path) -> None:
        # Said on both sides: otherwise the excerpts' format decides for all.
        samples = self.sound.exact_format if self.copied else self.sound.working_format
        graph = _graph(self.sound, self.chain, samples, layout, opened.head)
        run(
            [
                *("-y", "-v", "info", *opened.words, "-filter_complex", graph),
                *("-map", "[out]", *out),
                *("-map", "[before]", "-c:a", "pcm_f32le", "-f", "f32le", before),
            ],
            timeout_s=self.sound.timeout_s,
            pass_fds=opened.fds,
            duration_ms=self.sound.duration_ms,
            progress=lambda fraction: self.job.progress(0.9 * fraction),
        )


def _graph(sound: Sound, chain: str, sample_format: str, layout: str | None, head: str) -> str:
    """Effects, and excerpts of what goes into them.

    Format and layout are said on both sides: otherwise the excerpts' format decides for all, and a
    filter that knows mono makes all mono.
    """
    words = layout if layout in LAYOUTS else None
    form = f"aformat=sample_fmts={sample_format}" + (f":channel_layouts={words}" if words else "")
    excerpt = (
        f"asetnsamples=n={WINDOW_FRAMES},aselect='not(mod(n\\,{sound.window_step}))',"
        "asetpts=N/SR/TB"
    )
    effects = joined([chain or "anull", form])
    return f"{head}{form},asplit[heard][src];[src]{excerpt}[before];[heard]{effects}[out]"


def _join_excerpts(groups: Sequence[Group], path: Path) -> None:
    """The groups' excerpts, ``(samples, channels)`` of each, side by side into one raw file of float32."""
    parts = []
    for group in groups:
        part = group.path.with_suffix(".before")
        parts.append(np.fromfile(part, "<f4").reshape(-1, group.channels))
        part.unlink()
    np.concatenate(parts, axis=1).tofile(path)
