"""What clips play: any recording or artifact, as float32 at the mix's rate, read forwards.

- Short sources are decoded once and kept, up to a budget.
- PCM in WAV at the mix's own rate is read where it lies.
- All else is decoded by ffmpeg; a decoder that a clip has left goes on to the next clip that needs
  a later place of the same source, so that an edit of one long recording decodes it once.
- A clip at another speed is resampled (as a tape) or goes through Rubber Band (its pitch kept), behind
  one of these.

All give ``(channels, frames)`` at the mix's rate, one channel or two, and zeros behind the source's end; NaN
and infinite samples are zeros, too. Memory: the budget, and a block a decoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from functions.render.audio.envelopes import Signal
from functions.render.audio.mix_plan import PlannedClip
from shared.contracts.asset import AudioStream, MediaInfo
from shared.errors import UnsupportedMedia
from shared.media.decode import audio_blocks
from shared.media.feed import Samples, fed, raw_input
from shared.media.ffmpeg import started, timeout_for
from shared.media.probe import probe
from shared.media.sound_probe import LISTEN_S
from shared.media.streams import Ear
from shared.media.stretch import stretch_filters, timed
from shared.media.wav_headers import misread_form

_KEPT_S = 20.0
"""A source that is no longer is decoded once and kept: samples that come again and again."""
_KEPT_BYTES = 64 << 20
"""Of all that is kept; the one that reaches over it is the last."""
_CHUNK_FRAMES = 1 << 14
_LISTENED_FRAMES = 1 << 16
_PCM = frozenset({"PCM_16", "PCM_24", "PCM_32", "FLOAT"})
_DIRECT = (b"RIFF", b"RF64")


@dataclass(frozen=True)
class Source:
    """A file that is known to have sound."""

    path: Path
    media: MediaInfo
    length_ms: float
    """To the end of its last stream; of PCM in WAV to the sample."""
    pcm_wav: bool
    """It can be read without a decoder."""

    @property
    def rate(self) -> int:
        """Its own sample rate."""
        return self.media.heard.sample_rate_hz

    @property
    def channels(self) -> int:
        """One or two; more are mixed to two."""
        return min(2, self.media.heard.channels)


def inspect(path: Path) -> Source:
    """What it is; raises ``UnsupportedMedia`` where it has no sound.

    PCM in WAV is looked at by libsndfile, which costs no program; all else, and WAV that is not what it
    seems, is probed as an upload is.
    """
    known = _inspect_wav(path)
    if known:
        return known
    media = probe(path)
    if not media.audio:
        raise UnsupportedMedia("it has no sound")
    streams = [media.audio[place] for place in media.heard.streams]
    length_ms = max(one.start_ms + (one.duration_ms or media.duration_ms or 0) for one in streams)
    return Source(path, media, float(length_ms), pcm_wav=False)


def _inspect_wav(path: Path) -> Source | None:
    """PCM in WAV with one or two channels that can be read as it lies; ``None``: it is to be probed."""
    import soundfile

    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] not in _DIRECT or head[8:] != b"WAVE":
        return None
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError:
        return None
    if info.subtype not in _PCM or info.channels > 2 or not info.frames or misread_form(path):
        return None
    if _begins_on_an_offset(path, info.channels, info.samplerate):
        return None
    stream = AudioStream(
        index=0, codec="pcm", sample_rate_hz=info.samplerate, channels=info.channels
    )
    length_ms = 1000.0 * info.frames / info.samplerate
    media = MediaInfo(container="wav", duration_ms=round(length_ms), audio=(stream,))
    return Source(path, media, length_ms, pcm_wav=True)


def _begins_on_an_offset(path: Path, channels: int, rate: int) -> bool:
    """Does its beginning stand on a constant (DC)? Probing then tells whether all of it does."""
    import soundfile

    ear = Ear(channels)
    listened = round(LISTEN_S * rate)
    for block in soundfile.blocks(
        path, _LISTENED_FRAMES, frames=listened, dtype="float32", always_2d=True
    ):
        ear.add(np.nan_to_num(block, posinf=0.0, neginf=0.0))
    return bool(ear.offsets)


class Reader(Protocol):
    """Reads a source forwards. Positions are frames of the source at the mix's rate."""

    position: int

    def read(self, frames: int) -> Signal:
        """The next frames, ``(channels, frames)``, to be written into; zeros behind the end."""

    def reaches(self, frame: int) -> bool:
        """Can it get there?"""

    def go_to(self, frame: int) -> None:
        """Read from there next."""

    def close(self) -> None:
        """Let go of the file."""


class _Kept:
    """A source in memory."""

    def __init__(self, samples: Signal) -> None:
        self._samples = samples
        self.position = 0

    def read(self, frames: int) -> Signal:
        part = self._samples[:, self.position : self.position + frames].copy()
        self.position += frames
        return _filled(part, frames)

    def reaches(self, frame: int) -> bool:
        return True

    def go_to(self, frame: int) -> None:
        self.position = frame

    def close(self) -> None:
        pass


class _PcmReader:
    """PCM in WAV, at its own rate."""

    def __init__(self, source: Source) -> None:
        import soundfile

        self._file: Any = soundfile.SoundFile(source.path)
        self.position = 0

    def read(self, frames: int) -> Signal:
        self.position += frames
        samples = self._file.read(frames, dtype="float32", always_2d=True)
        part = np.ascontiguousarray(samples.T)
        if self._file.subtype == "FLOAT":
            np.nan_to_num(part, copy=False, posinf=0.0, neginf=0.0)
        return _filled(part, frames)

    def reaches(self, frame: int) -> bool:
        return True

    def go_to(self, frame: int) -> None:
        self._file.seek(min(frame, self._file.frames))
        self.position = frame

    def close(self) -> None:
        self._file.close()


class _Decoder:
    """What ffmpeg decodes: mixed to one or two channels, resampled, each sample in its place in time.

    ``go_to`` decodes what lies between, and can't go back.
    """

    def __init__(self, source: Source, rate: int) -> None:
        # It may wait long for the clips before: its own length says nothing of its time limit.
        media = source.media.model_copy(update={"duration_ms": None})
        self._blocks = audio_blocks(
            source.path, media, sample_rate_hz=rate, channels=source.channels
        )
        self._iterator = iter(self._blocks)
        self._rest = np.zeros((0, source.channels), np.float32)
        self.position = 0

    def read(self, frames: int) -> Signal:
        self.position += frames
        parts, missing = [], frames
        while missing and (len(self._rest) or self._next()):
            part, self._rest = self._rest[:missing], self._rest[missing:]
            parts.append(part)
            missing -= len(part)
        joined = np.concatenate(parts) if parts else self._rest
        return _filled(np.ascontiguousarray(joined.T), frames)

    def _next(self) -> bool:
        self._rest = next(self._iterator, self._rest)
        return bool(len(self._rest))

    def reaches(self, frame: int) -> bool:
        return frame >= self.position

    def go_to(self, frame: int) -> None:
        while self.position < frame:
            self.read(min(_CHUNK_FRAMES, frame - self.position))

    def close(self) -> None:
        self._blocks.close()


class _Tape:
    """A clip at another speed: resampled, as a tape that runs faster or slower.

    By soxr's very high quality, from ``speed`` times the rate to the rate: half as fast is an octave lower.
    It reads no more than the clip's window, and gives zeros behind what comes of it.
    """

    def __init__(self, reader: Reader, clip: PlannedClip, channels: int) -> None:
        import soxr

        self._reader = reader
        self._left = clip.source_frames
        self._stream = soxr.ResampleStream(clip.speed, 1.0, channels, "float32", quality="VHQ")
        self._rest = np.zeros((0, channels), np.float32)
        self.position = 0

    def read(self, frames: int) -> Signal:
        while len(self._rest) < frames and self._left:
            count = min(_CHUNK_FRAMES, self._left)
            self._left -= count
            chunk = np.ascontiguousarray(self._reader.read(count).T)
            made = self._stream.resample_chunk(chunk, last=not self._left)
            self._rest = np.concatenate([self._rest, made])
        part, self._rest = self._rest[:frames], self._rest[frames:]
        self.position += frames
        return _filled(np.ascontiguousarray(part.T), frames)


class _Stretched:
    """A clip at another speed with its own pitch: through Rubber Band, read while it works.

    An ffmpeg reads the clip's window from a pipe, and is as many frames long as the clip (``timed``).
    Raises ``MissingDependency`` where that has no Rubber Band, and as ``started`` does.
    """

    def __init__(self, reader: Reader, clip: PlannedClip, channels: int, rate: int) -> None:
        self._reader, self._left, self._channels = reader, clip.source_frames, channels
        filters = stretch_filters(clip.speed, 0.0, "high", rate, preserve_formants=False)
        chain = f"aformat=sample_fmts=fltp,{timed(filters, clip.speed, rate, clip.frames)}"
        with ExitStack() as stack:
            fd = stack.enter_context(fed(self._source()))
            source = raw_input(fd, (rate, channels))
            out = ("-c:a", "pcm_f32le", "-f", "f32le", "pipe:1")
            self._child = stack.enter_context(
                started([*source, "-af", chain, *out], timeout_s=timeout_for(None), pass_fds=(fd,))
            )
            self._open = stack.pop_all()
        self._chunks = self._child.chunks()
        self._rest = bytearray()

    def _source(self) -> Iterator[Samples]:
        while self._left:
            count = min(_CHUNK_FRAMES, self._left)
            self._left -= count
            yield self._reader.read(count).T

    def read(self, frames: int) -> Signal:
        size = 4 * self._channels * frames
        while len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._child.check()
                break
            self._rest += chunk
        part = np.frombuffer(bytes(self._rest[:size]), np.float32).reshape(-1, self._channels)
        del self._rest[:size]
        return _filled(np.ascontiguousarray(part.T), frames)

    def close(self) -> None:
        """Stop it, and leave its reader alone."""
        self._open.close()


def _filled(part: Signal, frames: int) -> Signal:
    """``(channels, frames)``, zeros behind what is there."""
    missing = frames - part.shape[1]
    return np.pad(part, ((0, 0), (0, missing))) if missing else part


Lent = Reader | _Tape | _Stretched


@dataclass
class SourcePool:
    """Readers of all sources, lent to clips. Not for several threads at once: the mixer locks it."""

    sources: Mapping[str, Source]
    rate: int
    """The mix's, in Hz."""
    _kept: dict[str, Signal] = field(default_factory=dict)
    _free: dict[str, list[Reader]] = field(default_factory=dict)
    _lent: dict[int, tuple[str, Reader, Lent]] = field(default_factory=dict)

    def lend(self, clip: PlannedClip) -> Lent:
        """A reader that stands at the clip's first frame, until it is given back; of a clip at another speed
        one that gives what is heard of its window, and nothing else."""
        source = self.sources[clip.source]
        reader = self._reader(clip.source, source, clip.source_frame)
        reader.go_to(clip.source_frame)
        given: Lent = reader
        if clip.speed != 1.0 and clip.keep_pitch:
            given = _Stretched(reader, clip, source.channels, self.rate)
        elif clip.speed != 1.0:
            given = _Tape(reader, clip, source.channels)
        self._lent[id(given)] = (clip.source, reader, given)
        return given

    def give_back(self, given: Lent) -> None:
        """The clip is over."""
        name, reader, _ = self._lent.pop(id(given))
        if isinstance(given, _Stretched):
            given.close()
        self._free.setdefault(name, []).append(reader)

    def forget(self, name: str) -> None:
        """No clip will need this source any more."""
        for reader in self._free.pop(name, []):
            reader.close()
        self._kept.pop(name, None)

    def close(self) -> None:
        """Stop all decoders."""
        for _, _, given in self._lent.values():
            if isinstance(given, _Stretched):
                given.close()
        readers = [reader for _, reader, _ in self._lent.values()]
        for reader in [*readers, *(one for free in self._free.values() for one in free)]:
            reader.close()

    def _reader(self, name: str, source: Source, frame: int) -> Reader:
        """Of those that are free and can get there the one that is farthest on; otherwise a new one."""
        free = [one for one in self._free.get(name, []) if one.reaches(frame)]
        if free:
            nearest = max(free, key=lambda one: one.position)
            self._free[name].remove(nearest)
            return nearest
        if source.pcm_wav and source.rate == self.rate:
            return _PcmReader(source)
        if name not in self._kept and self._may_keep(source):
            self._kept[name] = self._decode_whole(source)
        return _Kept(self._kept[name]) if name in self._kept else _Decoder(source, self.rate)

    def _may_keep(self, source: Source) -> bool:
        used = sum(samples.nbytes for samples in self._kept.values())
        return source.length_ms <= 1000 * _KEPT_S and used < _KEPT_BYTES

    def _decode_whole(self, source: Source) -> Signal:
        decoder = _Decoder(source, self.rate)
        # A file may hold more than its header says; more than this is decoded when it is read.
        frames = round((source.length_ms / 1000 + 1.0) * self.rate)
        samples = decoder.read(frames)
        decoder.close()
        return samples


def uses_by_source(clips: Iterator[PlannedClip]) -> dict[str, int]:
    """Source -> how many clips play it."""
    uses: dict[str, int] = {}
    for clip in clips:
        uses[clip.source] = uses.get(clip.source, 0) + 1
    return uses
