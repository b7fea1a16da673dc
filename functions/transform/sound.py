"""What the transforms share: how a recording's sound reaches ffmpeg, and how what came of it is written.

The sound is what ``shared.media.decode`` gives, the same for all steps, in single precision, or in
double where the recording has more than 24 bits. ffmpeg's filters get it through a pipe, or open the file
themselves where decoding is all that is to be done.
Results are WAV, with the recording's sample rate and channels. Integer and lossy recordings give
24 bits (32 where the recording has more than 24), float recordings give float. Where a result goes
beyond full scale and integers would clip it, it is written as float instead, and its meta says so.

Every result is read back once, which costs less than a peak meter among the filters, and gives the
excerpts of the audition picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from functions.transform.reading_back import WINDOW_FRAMES, Windows, read_back
from shared.contracts.asset import AudioStream, MediaInfo
from shared.contracts.step_engine import Backend, Job
from shared.errors import BackendFailed, UnsupportedMedia, ValidationError
from shared.media.decode import AudioBlocks, SampleType, Track, audio_blocks, plain_track
from shared.media.feed import Samples, fed, raw_input
from shared.media.ffmpeg import timeout_for
from shared.sound.leveller import Levels
from shared.watch.health import dependency, require

EXCERPT_MS = 10_000
"""So much of a recording is enough to hear what an effect does; an excerpt costs the decoding of what is
before it, too."""
_WINDOWS = 96
"""So many excerpts are kept, or up to twice as many."""

_WAV_ARGS = (
    *("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"),
    *("-rf64", "auto", "-f", "wav"),
)
_BROADCAST = {
    "comment": "description",
    "encoded_by": "originator",
    "date": "origination_date",
    "creation_time": "origination_time",
}
"""ffmpeg reads a Broadcast Wave's fields under these names, and writes them under those."""
_LOSSLESS = ("pcm_", "flac", "alac", "wavpack", "tta", "ape", "mlp", "truehd")
"""How the names of ffmpeg's decoders begin that give back the very samples."""
SAMPLE_FORMATS = {
    "pcm_s24le": "int24",
    "pcm_s32le": "int32",
    "pcm_f32le": "float32",
    "pcm_f64le": "float64",
}
"""ffmpeg's encoder -> how meta calls what it writes."""

_BEYOND = {
    "pcm_s24le": (1 - 2.0**-23, "pcm_f32le"),
    "pcm_s32le": (1 - 2.0**-31, "pcm_f64le"),
}
"""Encoders of integers -> from which sample on they may have clipped, and what would not have."""
_SILENT_DBFS = -300.0
"""A peak below it, far below the last of 32 bits (-187), is told as silence."""
_ROUNDED_MS = 0.5
"""A probed duration is told to a millisecond."""
NO_NUMBERS = "its sound holds values that are not numbers"


@dataclass(frozen=True)
class Opened:
    """How an ffmpeg gets the sound."""

    words: Sequence[str]
    """Open its input."""
    head: str = "[0:0]"
    """What a filter graph begins with: an input, and perhaps filters up to a comma."""
    fds: tuple[int, ...] = ()
    """To be passed on."""


@dataclass(frozen=True)
class Sound:
    """The sound that is worked on."""

    path: Path
    media: MediaInfo
    excerpt_from_ms: float | None = None
    """Only ``EXCERPT_MS`` from here on are worked on; ``None``: all of it."""

    @property
    def stream(self) -> AudioStream:
        """The stream that it comes from, or the first of several that are mixed."""
        return self.media.audio[self.media.heard.streams[0]]

    @property
    def sample_rate_hz(self) -> int:
        """Its own."""
        return self.media.heard.sample_rate_hz

    @property
    def channels(self) -> int:
        """Its own."""
        return self.media.heard.channels

    @property
    def layout(self) -> str | None:
        """ffmpeg's name of it, where the recording names one."""
        return self.media.heard.channel_layout

    @property
    def wav_args(self) -> tuple[str, ...]:
        """ffmpeg's words for a WAV of it. It keeps the recording's tags, a recorder's description, and its
        time of day, by which editors place it.
        """
        told = dict(self.media.tags)
        at = self.media.time_reference
        if at is not None:
            told |= {of: told[name] for name, of in _BROADCAST.items() if name in told}
            at += round((self.excerpt_from_ms or 0) * self.sample_rate_hz / 1000)
            told["time_reference"] = f"{at}"
        words = [word for tag in told.items() for word in ("-metadata", "=".join(tag))]
        return (*words, *(("-write_bext", "1") if at is not None else ()), *_WAV_ARGS)

    @property
    def duration_ms(self) -> int | None:
        """Of what is worked on."""
        return self.media.duration_ms if self.excerpt_from_ms is None else EXCERPT_MS

    @property
    def sample_type(self) -> SampleType:
        """What holds its samples exactly."""
        return "float64" if self.codec in ("pcm_s32le", "pcm_f64le") else "float32"

    def blocks(self, sample_type: SampleType | None = None) -> AudioBlocks:
        """Decode it, ``(samples, channels)`` at a time."""
        return audio_blocks(self.path, self.media, sample_type=sample_type or self.sample_type)

    @contextmanager
    def fed(self) -> Iterator[Opened]:
        """Opened by itself, or at the end of a pipe that gives it."""
        if track := self.plain:
            # Into the form that is worked in at once: its samples lie channel by channel.
            chain = track.chain_into(f"{self.working_format}|{self.exact_format}")
            yield Opened(track.opening, f"[0:{track.stream.index}]{chain},")
            return
        with self.blocks() as blocks, self.fed_with(self.worked_on(blocks)) as opened:
            yield opened

    @property
    def plain(self) -> Track | None:
        """What ffmpeg may open by itself."""
        if self.excerpt_from_ms is not None:
            return None
        return plain_track(self.path, self.media, self.sample_type)

    def worked_on(self, blocks: AudioBlocks) -> Iterator[Samples]:
        """All of the blocks, or the excerpt of them; raises as ``all_numbers``, and ``ValidationError``
        for an excerpt behind the end.
        """
        if self.excerpt_from_ms is None:
            yield from all_numbers(blocks)
            return
        first = round(self.excerpt_from_ms * self.sample_rate_hz / 1000)
        end = first + EXCERPT_MS * self.sample_rate_hz // 1000
        at = 0
        for block in all_numbers(blocks):
            part = block[max(first - at, 0) : end - at]
            at += len(block)
            if len(part):
                yield part
            if at >= end:
                return
        if at <= first:
            raise ValidationError("excerpt_from_ms", "lies behind the recording's end")

    @contextmanager
    def fed_with(self, blocks: Iterable[Samples]) -> Iterator[Opened]:
        """The same for what was made of it: blocks of its rate, channels and sample type."""
        shape = (self.sample_rate_hz, self.channels)
        with fed(iter(blocks)) as fd:
            yield Opened(raw_input(fd, shape, self.layout, self.sample_type), fds=(fd,))

    @property
    def codec(self) -> str:
        """The encoder that loses nothing of it, or of a lossy one nothing audible."""
        name, depth = self.stream.codec, self.stream.bit_depth or 0
        if name.startswith("pcm_f64"):
            return "pcm_f64le"
        if name.startswith(("pcm_f32", "pcm_f16", "pcm_f24")):
            return "pcm_f32le"
        if self.lossless and depth > 24:
            # WavPack's 32 bits may be integers or floats; 64-bit floats hold either.
            return "pcm_f64le" if name == "wavpack" else "pcm_s32le"
        return "pcm_s24le"

    @property
    def lossless(self) -> bool:
        """Whether decoding gives the very samples that were encoded."""
        return self.stream.codec.startswith(_LOSSLESS)

    @property
    def working_format(self) -> str:
        """Samples inside a filter graph: never integers, which would clip between two filters."""
        return "fltp" if self.codec in ("pcm_s24le", "pcm_f32le") else "dblp"

    @property
    def exact_format(self) -> str:
        """Samples as the encoder takes them."""
        return {"pcm_f32le": "flt", "pcm_f64le": "dbl"}.get(self.codec, "s32")

    @property
    def timeout_s(self) -> float:
        """For one pass of effects over it."""
        return timeout_for(self.media.duration_ms)

    @property
    def window_step(self) -> int:
        """Every so many windows one is kept for the picture."""
        seconds = (self.duration_ms or 3_600_000) / 1000
        return max(1, int(seconds * self.sample_rate_hz / WINDOW_FRAMES / _WINDOWS))


@dataclass(frozen=True)
class Written:
    """A result on disk, as it was read back."""

    path: Path
    sample_format: str
    peak: float
    """Its highest sample; 1: full scale."""
    excerpts: Windows

    @property
    def meta(self) -> dict[str, object]:
        """What the meta says of the file itself; no ``peak_dbfs``: digital silence."""
        peak_dbfs = 20 * math.log10(self.peak) if self.peak else -math.inf
        heard = peak_dbfs > _SILENT_DBFS
        return {
            "sample_format": self.sample_format,
            "peak_dbfs": round(peak_dbfs, 2) if heard else None,
        }


class Clamps:
    """Brings values into their ranges, and remembers which were not: the meta's ``clamped``."""

    def __init__(self) -> None:
        self.report: dict[str, dict[str, float]] = {}

    def take(self, name: str, value: float, low: float, high: float) -> float:
        """``value`` within ``[low, high]``."""
        used = min(max(value, low), high)
        if used != value:
            self.report[name] = {"given": value, "used": used}
        return used


def ffmpeg_backend(revision: str) -> Backend:
    """ffmpeg, with the engine's revision (``fx-2``); raises ``MissingDependency``: there is no stub."""
    version = require("ffmpeg")
    found = {"ffmpeg": dependency("ffmpeg")}
    return Backend("ffmpeg", f"{revision}+ffmpeg-{version}", dependencies=found)


def open_sound(job: Job, excerpt_from_ms: float | None = None) -> Sound:
    """Raises ``UnsupportedMedia`` where there is none."""
    if not job.media.audio:
        raise UnsupportedMedia("it has no sound")
    return Sound(job.source, job.media, excerpt_from_ms)


def all_numbers(blocks: AudioBlocks) -> Iterator[Samples]:
    """The blocks.

    Raises ``UnsupportedMedia`` for samples that are not numbers, ``BackendFailed`` where no sound came.
    """
    for block in blocks:
        yield block
        if blocks.replaced:
            raise UnsupportedMedia(NO_NUMBERS)
    if not blocks.frames:
        raise BackendFailed("ffmpeg", blocks.damage or "no sound came out of it")


def levelled(sound: Sound, blocks: Iterable[Samples], levels: Levels | None) -> Iterable[Samples]:
    """The blocks with their speech at one level, where that is wanted."""
    return blocks if levels is None else levels.applied(blocks, sound.sample_rate_hz)


def written(
    sound: Sound, path: Path, write: Callable[[str, Path], None], *, copied: bool = False
) -> Written:
    """What ``write`` writes with an encoder (``sound.codec``) to a path, read back.

    Where integers may have clipped, it is written once more, as float, and that is kept if it is
    beyond full scale. ``copied``: nothing was changed, so nothing can. Raises ``UnsupportedMedia``
    for samples that are not numbers, and what ``write`` raises.
    """
    write(sound.codec, path)
    result = _read_back(path, sound, sound.codec)
    full, float_codec = _BEYOND.get(sound.codec, (math.inf, ""))
    if copied or result.peak < full:
        return result
    beyond = path.with_suffix(".float.wav")
    write(float_codec, beyond)
    result_beyond = _read_back(beyond, sound, float_codec)
    if result_beyond.peak <= 1:
        beyond.unlink()
        return result
    return replace(result_beyond, path=beyond.replace(path))


def _read_back(path: Path, sound: Sound, codec: str) -> Written:
    peak, windows = read_back(path, codec, sound.channels, sound.window_step)
    if not math.isfinite(peak):
        raise UnsupportedMedia(NO_NUMBERS)
    return Written(path, SAMPLE_FORMATS[codec], peak, windows)


def frame_count(sound: Sound) -> int:
    """How many samples each channel has: by decoding it all, unless its header agrees with probing."""
    if sound.plain and (told := _told_frames(sound)):
        return told
    with sound.blocks() as blocks:
        return sum(len(block) for block in all_numbers(blocks))


def _told_frames(sound: Sound) -> int | None:
    """What a file's header says, if as many were there when it was probed."""
    import soundfile

    try:
        frames = soundfile.info(sound.path).frames
    except soundfile.LibsndfileError:
        return None
    lasts_ms = 1000 * frames / sound.sample_rate_hz
    there_ms = sound.stream.duration_ms
    return frames if there_ms is not None and abs(lasts_ms - there_ms) <= _ROUNDED_MS else None


def knob_meta(values: Mapping[str, float]) -> dict[str, float]:
    """Values as meta has them: rounded, in order."""
    return {name: round(float(value), 6) for name, value in values.items()}
