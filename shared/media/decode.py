"""Sound out of any recording, in blocks: float, ``(samples, channels)``. The one way to read it.

    stored      plain PCM in a WAV is read as it lies there, unless its rate is to be another
    ffmpeg      decodes any other stream with its own channels, at one rate, and says each run's time stamp
    placing     late starts and gaps become silence; joined files and chained links follow each other
    mixing      to as many channels as are wanted, by the layout where one is named, evenly otherwise

Sample ``n`` is what is heard at ``n / sample_rate_hz`` seconds of presentation time:

- Encoder delay and what an edit list hides, before and behind, are cut away.
- A stream that starts later than its recording is preceded by silence, and gaps longer than 0.1 s in
  its time stamps are filled with silence, so that times agree with the picture's. Formats whose
  clock starts anywhere (``TIMED_FROM_ZERO`` names the others) begin with their first stream.
- Channels or rate that change in mid-stream are brought to those that the stream began with.
- WAV, FLAC and the like come out sample by sample, first and last included.
- What a channel stands on from end to end (``AudioStream.offsets``) is taken away.

Which stream is read, or which tracks together, says ``MediaInfo.sound`` (``shared.media.streams``).
A damaged recording gives what can be decoded. ``AudioBlocks.damage`` then says so, once the blocks
are used up; only a recording that gives nothing at all is an error.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from shared.contracts.asset import AudioStream, HeardSound, MediaInfo
from shared.contracts.plurals import many
from shared.errors import BackendFailed, UnsupportedMedia
from shared.media.ffmpeg import behind, input_args, started, timeout_for
from shared.media.formats import STAMPED
from shared.media.layouts import even_mono, is_ambisonic, layout_words, stereo_of
from shared.media.placing import Clock, Placing, clock_of
from shared.media.plain_wav import Stored, stored_samples
from shared.media.time_stamps import STAMPING, Stamps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

BLOCK_FRAMES = 1 << 16
SampleType = Literal["float32", "float64"]
_RAW = {"float32": ("flt", "f32le", 4), "float64": ("dbl", "f64le", 8)}
"""numpy's name -> ffmpeg's sample format, its raw format, bytes a sample."""
_SILENCE_FRAMES = 1 << 14
_PLAIN = re.compile(r"pcm_[su](8|16|24|32)(le|be)?$")
_ITS_FAULT = re.compile(
    r"(?i)invalid|matches no streams|end of file|after eof|not found|not (yet )?(supp|impl)"
    r"|cannot determine format|could not find codec|error while decoding"
)
"""Words of ffmpeg's that blame the file, not the machine."""


@dataclass(frozen=True)
class Track:
    """One stream as it is to be decoded."""

    path: Path
    demuxer: str
    stream: AudioStream
    sample_rate_hz: int
    sample_type: SampleType = "float32"
    matrix: Any = None
    """``(channels, channels out)``; ``None``: its own channels."""
    clock: Clock | None = None
    """``None``: time stamps do not count."""
    seek_s: float = 0.0
    seconds: float | None = None

    @property
    def channels(self) -> int:
        """Of what it gives."""
        return self.stream.channels if self.matrix is None else int(self.matrix.shape[1])

    def args(self) -> list[str]:
        """ffmpeg's words."""
        words = layout_words(self.stream.channel_layout, self.stream.channels)
        raw = _RAW[self.sample_type][1]
        kept = ["-channel_layout", words] if words else ["-ac", str(self.stream.channels)]
        kept = (
            [] if is_ambisonic(self.stream.channel_layout) else kept
        )  # it is mixed to nothing else
        out = [*kept, "-c:a", f"pcm_{raw}", "-f", raw, "pipe:1"]
        chain = self.chain if self._steady else f"{self.chain},{STAMPING}"
        heard = ["-map", f"0:{self.stream.index}", "-af", chain]
        return [*Stamps.WORDS, *self.opening, *heard, *out]

    @property
    def opening(self) -> list[str]:
        """The words that open it."""
        part = ["-ss", f"{self.seek_s:g}"] if self.seek_s else []
        part += ["-t", f"{self.seconds:g}"] if self.seconds is not None else []
        decoder = ["-c:a", self.stream.decoder] if self.stream.decoder else []
        # More than two channels without a layout are equals, not what is usual for so many.
        source = [*part, *decoder, *behind(self.stream.junk_bytes), "-guess_layout_max", "2"]
        return [*source, *input_args(self.path, self.demuxer)]

    @property
    def chain(self) -> str:
        """The filters that keep one form, whatever comes."""
        return self.chain_into(_RAW[self.sample_type][0])

    def chain_into(self, samples: str) -> str:
        """The same, into ffmpeg's sample formats ``samples``."""
        words = layout_words(self.stream.channel_layout, self.stream.channels)
        layouts = f":channel_layouts={words}" if words else ""
        # Where stereo follows mono, both sides are as loud as their mean; floats cannot clip.
        even = ":rematrix_maxval=1" if self.stream.channels == 1 else ""
        return f"aresample={self.sample_rate_hz}{even},aformat=sample_fmts={samples}{layouts}"

    @property
    def plain(self) -> bool:
        """Does ffmpeg alone give what ``AudioBlocks`` gives? Integers in a file without time stamps have
        nothing to be put in its place, mixed, or found to be no number, and cannot be damaged."""
        untouched = self.clock is None and self.matrix is None and not self.stream.offsets
        return untouched and bool(_PLAIN.match(self.stream.codec))

    @property
    def stored(self) -> Stored | None:
        """Where its samples lie as they are, if nothing is to be decoded."""
        kept = self.demuxer == "wav" and self.sample_rate_hz == self.stream.sample_rate_hz
        whole = not self.seek_s and self.seconds is None
        return stored_samples(self.path, self.stream) if kept and whole else None

    @property
    def _steady(self) -> bool:
        """Has it neither time stamps nor a form that could change? Stamping adds up a sum of all samples."""
        return self.demuxer not in STAMPED and bool(_PLAIN.match(self.stream.codec))


class AudioBlocks:
    """The blocks of what is heard, each ``(block_frames, channels)``, the last one shorter.

    Iterate once. Leaving early (``close()``, the end of a ``with`` block, or the last reference
    going) stops ffmpeg. ``sample_rate_hz`` and ``channels`` are those of the blocks.
    """

    def __init__(self, tracks: Sequence[Track], block_frames: int, timeout_s: float) -> None:
        self.sample_rate_hz, self.channels = tracks[0].sample_rate_hz, tracks[0].channels
        self.frames = 0
        """Samples of each channel that were given out."""
        self._readers = [_Reader(track, timeout_s) for track in tracks]
        runs = [_blocks(reader.runs(), block_frames) for reader in self._readers]
        self._blocks = self._counted(runs[0] if len(runs) == 1 else _mixed(runs))
        self._runs = runs

    @property
    def replaced(self) -> int:
        """How many samples were NaN or infinite, and are 0 now."""
        return sum(reader.replaced for reader in self._readers)

    @property
    def damage(self) -> str | None:
        """ffmpeg's last words, where it could not decode all; known after the last block."""
        return next((reader.damage for reader in self._readers if reader.damage), None)

    @property
    def changes(self) -> int:
        """How often channels, rate or sample format changed in mid-stream, so far."""
        return sum(reader.stamps.changes for reader in self._readers)

    def __iter__(self) -> Iterator[Samples]:
        return self._blocks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop ffmpeg, if it still runs."""
        self._blocks.close()
        for run in self._runs:
            run.close()

    def _counted(self, blocks: Iterable[Samples]) -> Generator[Samples, None, None]:
        for block in blocks:
            self.frames += len(block)
            yield block


class _Reader:
    """One track: ffmpeg's samples, each run put in its place, and mixed."""

    def __init__(self, track: Track, timeout_s: float) -> None:
        self._track, self._timeout_s = track, timeout_s
        self.stamps = Stamps()
        self.replaced = 0
        self.damage: str | None = None
        self._placing = Placing(track.clock, track.sample_rate_hz) if track.clock else None
        self._frame_bytes = track.stream.channels * _RAW[track.sample_type][2]
        self._given = 0

    def runs(self) -> Generator[Samples, None, None]:
        """Samples in order, of any length."""
        if as_stored := self._track.stored:
            for block in as_stored.blocks(BLOCK_FRAMES, self._track.sample_type):
                yield self._mixed(block)
            return
        pending = bytearray()
        with started(
            self._track.args(), timeout_s=self._timeout_s, heeding=self.stamps.heed
        ) as child:
            for chunk in child.chunks():
                pending += chunk
                yield from self._ready(pending)
            yield from self._cut(pending, len(pending) // self._frame_bytes)
            try:
                child.check()
            except BackendFailed as error:
                if not self._given and _ITS_FAULT.search(child.stderr_tail):
                    raise UnsupportedMedia(
                        f"its sound cannot be decoded ({error.message})"
                    ) from None
                if not self._given:
                    raise
            self.damage = child.last_words or None

    def _ready(self, pending: bytearray) -> Iterator[Samples]:
        """What ``pending`` holds of runs whose time stamps are known."""
        if self._placing is None:
            yield from self._cut(pending, len(pending) // self._frame_bytes)
            return
        whole = 0
        while self.stamps.heard:
            pts, count = self.stamps.heard[0]
            if (whole + count) * self._frame_bytes > len(pending):
                break
            self.stamps.heard.popleft()
            place = self._placing.place(pts, count)
            if place.silence or place.skip:
                yield from self._cut(pending, whole)
                yield from self._silence(place.silence)
                del pending[: place.skip * self._frame_bytes]
                whole, count = 0, count - place.skip
            whole += count
        yield from self._cut(pending, whole)

    def _silence(self, frames: int) -> Iterator[Samples]:
        import numpy as np

        while frames > 0:
            count = min(frames, _SILENCE_FRAMES)
            frames -= count
            self._given += count
            yield np.zeros((count, self._track.channels), self._track.sample_type)

    def _cut(self, pending: bytearray, frames: int) -> Iterator[Samples]:
        """Take ``frames`` off ``pending``; nothing is given out behind the stream's end."""
        import numpy as np

        if not frames:
            return
        size = frames * self._frame_bytes
        with memoryview(pending) as view, view[:size] as taken:
            block: Any = np.frombuffer(bytes(taken), dtype=self._track.sample_type)
        del pending[:size]
        block = block.reshape(-1, self._track.stream.channels)[: self._left(frames)]
        if not len(block):
            return
        wrong = ~np.isfinite(block)
        if wrong.any():
            self.replaced += int(wrong.sum())
            block = np.where(wrong, block.dtype.type(0), block)
        yield self._mixed(block)

    def _mixed(self, block: Any) -> Any:
        """The block on zero, with as many channels as are wanted."""
        import numpy as np

        if self._track.stream.offsets:
            block = block - np.asarray(self._track.stream.offsets, block.dtype)
        if self._track.matrix is not None:
            block = (block @ self._track.matrix).astype(self._track.sample_type, copy=False)
        self._given += len(block)
        return block

    def _left(self, frames: int) -> int:
        promised = self._track.stream.frames
        if promised is None:
            return frames
        own_rate = self._track.stream.sample_rate_hz
        began_at = self._placing.began_at if self._placing else 0
        ends_at = began_at + round(promised * self._track.sample_rate_hz / own_rate)
        return max(0, min(frames, ends_at - self._given))


def _blocks(runs: Iterable[Samples], block_frames: int) -> Generator[Samples, None, None]:
    """The same samples, ``block_frames`` at a time."""
    import numpy as np

    waiting: list[Samples] = []
    have = 0
    for run in runs:
        waiting.append(run)
        have += len(run)
        if have < block_frames:
            continue
        joined = waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
        whole = have - have % block_frames
        for first in range(0, whole, block_frames):
            yield joined[first : first + block_frames]
        waiting, have = [joined[whole:]], have - whole
    if have:
        yield np.concatenate(waiting)


def _mixed(tracks: Sequence[Iterable[Samples]]) -> Generator[Samples, None, None]:
    """The mean of tracks of one shape; one that ends earlier is silent from there on."""
    import numpy as np

    for blocks in zip_longest(*tracks):
        there = [block for block in blocks if block is not None]
        total = np.zeros((max(map(len, there)), there[0].shape[1]), there[0].dtype)
        for block in there:
            total[: len(block)] += block
        yield total / total.dtype.type(len(tracks))


def audio_blocks(
    path: Path,
    media: MediaInfo,
    *,
    sample_rate_hz: int | None = None,
    channels: int | None = None,
    block_frames: int = BLOCK_FRAMES,
    sample_type: SampleType = "float32",
) -> AudioBlocks:
    """Decode what is worked on of the recording's sound (``MediaInfo.with_stream`` takes another).

    ``sample_rate_hz`` and ``channels``: resampled and mixed to these; ``None`` keeps the sound's
    own. One channel is an even mix of those that sound, and never of two that cancel each other; two
    follow the layout where one is named. Memory is bounded by ``block_frames``. Raises
    ``UnsupportedMedia`` where there is no sound, and while iterating ``UnsupportedMedia``,
    ``TimedOut``, ``MissingDependency``, or ``Unavailable`` where ffmpeg was killed.
    """
    heard = _heard(media)
    rate = sample_rate_hz or heard.sample_rate_hz
    tracks = [
        replace(
            _track(path, media, media.audio[place], rate),
            sample_type=sample_type,
            matrix=_matrix(heard, media.audio[place], channels or heard.channels),
        )
        for place in heard.streams
    ]
    return AudioBlocks(tracks, block_frames, timeout_for(media.duration_ms))


def plain_track(path: Path, media: MediaInfo, sample_type: SampleType) -> Track | None:
    """What an ffmpeg that does more than decode may open by itself, for the samples of ``audio_blocks``;
    ``None`` where it may not. Raises ``UnsupportedMedia`` where there is no sound.
    """
    heard = _heard(media)
    stream = media.audio[heard.streams[0]]
    track = replace(
        _track(path, media, stream, heard.sample_rate_hz),
        sample_type=sample_type,
        matrix=_matrix(heard, stream, heard.channels),
    )
    return track if len(heard.streams) == 1 and track.plain else None


def _heard(media: MediaInfo) -> HeardSound:
    if not media.audio:
        raise UnsupportedMedia("it has no sound")
    return media.heard


def _track(path: Path, media: MediaInfo, stream: AudioStream, rate: int) -> Track:
    clock = clock_of(media.container, stream)
    return Track(path, media.container, stream, rate, clock=clock)


def _matrix(heard: HeardSound, stream: AudioStream, channels: int) -> Any:
    if channels == stream.channels:
        return None
    of = (stream.channel_layout, stream.channels, heard.mono_channels)
    if channels == 1:
        return even_mono(*of)
    if channels == 2:
        return stereo_of(*of)
    raise UnsupportedMedia(f"its {many(stream.channels, 'channel')} cannot be mixed to {channels}")


def part_blocks(
    path: Path, demuxer: str, stream: AudioStream, *, from_s: float, seconds: float
) -> AudioBlocks:
    """A part of a stream, without regard to time stamps: what probing listens to."""
    track = Track(path, demuxer, stream, stream.sample_rate_hz, seek_s=from_s, seconds=seconds)
    return AudioBlocks([track], BLOCK_FRAMES, timeout_for(0))
