"""Sound out of any recording, in blocks: float32, ``(samples, channels)``.

Sample ``n`` is what is heard at ``n / sample_rate_hz`` seconds of presentation time:

- Encoder delay and what an edit list hides are cut away.
- A stream that starts later than its recording is preceded by silence, and gaps longer than 0.1 s in
  its time stamps are filled with silence, so that times agree with the picture's. Formats whose
  clock starts anywhere (``TIMED_FROM_ZERO`` names the others) begin with their first stream.
- WAV, FLAC and the like come out sample by sample, first and last included.

A damaged recording gives what can be decoded. ``AudioBlocks.damage`` then says so, once the blocks
are used up; only a recording that gives nothing at all is an error.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from shared.contracts.asset import AudioStream, MediaInfo
from shared.errors import BackendFailed, UnsupportedMedia
from shared.media.ffmpeg import input_args, started, timeout_for
from shared.media.formats import TIMED_FROM_ZERO

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

BLOCK_FRAMES = 1 << 16
_SAMPLE_BYTES = 4


class AudioBlocks:
    """The blocks of one stream, each ``(block_frames, channels)``, the last one shorter.

    Iterate once. Leaving early (``close()``, the end of a ``with`` block, or the last reference
    going) stops ffmpeg. ``sample_rate_hz`` and ``channels`` are those of the blocks.
    """

    def __init__(
        self, args: list[str], shape: tuple[int, int], block_frames: int, timeout_s: float
    ) -> None:
        self.sample_rate_hz, self.channels = shape
        self.frames = 0
        """Samples of each channel that were given out."""
        self.replaced = 0
        """How many were NaN or infinite, and are 0 now."""
        self.damage: str | None = None
        """ffmpeg's last words, where it could not decode all; known after the last block."""
        self._blocks = self._decode(args, block_frames, timeout_s)

    def __iter__(self) -> Iterator[Samples]:
        return self._blocks

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop ffmpeg, if it still runs."""
        self._blocks.close()

    def _decode(
        self, args: list[str], block_frames: int, timeout_s: float
    ) -> Generator[Samples, None, None]:
        block_bytes = block_frames * self.channels * _SAMPLE_BYTES
        pending = bytearray()
        with started(args, timeout_s=timeout_s) as child:
            for chunk in child.chunks():
                pending += chunk
                while len(pending) >= block_bytes:
                    yield self._block(bytes(pending[:block_bytes]))
                    del pending[:block_bytes]
            if pending:
                yield self._block(bytes(pending))
            try:
                child.check()
            except BackendFailed as error:
                if not self.frames:
                    raise UnsupportedMedia(
                        f"its sound cannot be decoded ({error.message})"
                    ) from None
            self.damage = child.last_words or None

    def _block(self, data: bytes) -> Samples:
        import numpy as np

        whole = len(data) - len(data) % (self.channels * _SAMPLE_BYTES)
        block = np.frombuffer(data[:whole], dtype="<f4").reshape(-1, self.channels)
        wrong = ~np.isfinite(block)
        count = int(wrong.sum())
        if count:
            self.replaced += count
            block = np.where(wrong, np.float32(0), block)
        self.frames += len(block)
        return block


def audio_blocks(
    path: Path,
    media: MediaInfo,
    *,
    sample_rate_hz: int | None = None,
    channels: int | None = None,
    block_frames: int = BLOCK_FRAMES,
    stream: int = 0,
) -> AudioBlocks:
    """Decode the recording's first sound stream (or its ``stream``-th, from 0).

    ``sample_rate_hz`` and ``channels``: resampled and mixed to these; ``None`` keeps the stream's
    own. Memory is bounded by ``block_frames``. Raises ``UnsupportedMedia`` where there is no such
    stream, and while iterating ``UnsupportedMedia``, ``TimedOut`` or ``MissingDependency``.
    """
    if not 0 <= stream < len(media.audio):
        raise UnsupportedMedia(
            "it has no sound" if not media.audio else f"no sound stream {stream}"
        )
    chosen = media.audio[stream]
    shape = (sample_rate_hz or chosen.sample_rate_hz, channels or chosen.channels)
    layout = chosen.channel_layout if shape[1] == chosen.channels else None
    clock = ["-copyts"] if media.container in TIMED_FROM_ZERO else []
    args = [*clock, *input_args(path, media.container), "-map", f"0:{chosen.index}"]
    args += ["-af", _timing(chosen), *_raw_output(shape, layout)]
    return AudioBlocks(args, shape, block_frames, timeout_for(media.duration_ms))


def first_blocks(path: Path, demuxer: str, stream: AudioStream, *, seconds: float) -> AudioBlocks:
    """The first ``seconds`` of a stream, without regard to time: what probing listens to."""
    shape = (stream.sample_rate_hz, stream.channels)
    args = ["-t", f"{seconds:g}", *input_args(path, demuxer), "-map", f"0:{stream.index}"]
    args += _raw_output(shape, stream.channel_layout)
    return AudioBlocks(args, shape, BLOCK_FRAMES, timeout_for(0))


def _timing(stream: AudioStream) -> str:
    """The filter that puts silence before a late stream and into gaps, and never stretches.

    It resamples and mixes, too: two equal channels mix to one as loud as each, and nothing clips.
    """
    # ffmpeg's Vorbis decoder stamps its first samples one block late: not a late stream.
    punctual = stream.codec == "vorbis" and stream.start_ms == 0
    return "aresample=async=1:rematrix_maxval=1" + ("" if punctual else ":first_pts=0")


def _raw_output(shape: tuple[int, int], layout: str | None) -> list[str]:
    rate, channels = shape
    # Without its layout, three channels would be taken for the usual three and mixed to them.
    same = layout is not None and re.fullmatch(r"[0-9a-z.()]+", layout)
    kept = ["-channel_layout", str(layout)] if same else ["-ac", str(channels)]
    # Errors alone: whatever then stands on standard error is damage.
    raw = ["-v", "error", "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1"]
    return ["-ar", str(rate), *kept, *raw]
