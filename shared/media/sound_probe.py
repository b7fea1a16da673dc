"""The sound part of probing: each stream listened to, and what is worked on chosen.

A beginning of 30 s tells most. Where it leaves a doubt (a silent channel or stream, an offset, channels
that cancel each other, time stamps that begin again, a header that its packets belie), the whole stream
is decoded: it then also says its length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.contracts.asset import AudioStream, HeardSound
from shared.contracts.plurals import many
from shared.errors import BackendFailed, UnsupportedMedia
from shared.media.decode import BLOCK_FRAMES, AudioBlocks, Track, part_blocks
from shared.media.ffmpeg import timeout_for
from shared.media.formats import FROM_FIRST, MOV
from shared.media.packets import StreamTimes
from shared.media.placing import clock_of
from shared.media.streams import Ear, choose, in_dbfs, is_silent, mono_tracks
from shared.media.told_lengths import Told
from shared.media.wav_headers import misread_form

MIN_SAMPLE_RATE_HZ, MAX_SAMPLE_RATE_HZ = 1_000, 768_000
MAX_CHANNELS = 64
LISTEN_S = 30.0
_HEADER_TOLERANCE_S = 0.25
_PADDING_S = 0.1
"""An edit list hides at most so much of the last packet."""
_UNSTAMPED_LOSSY = ("mp3", "aac", "ac3", "eac3")
_COUNTED_S = 300.0
_ASIDE = ("comment", "hearing_impaired", "visual_impaired", "karaoke", "lyrics")

Header = Mapping[str, Any]


class Listening:
    """One file's sound streams, each judged by decoding."""

    def __init__(
        self,
        path: Path,
        demuxer: str,
        told: Told,
        times: Mapping[int, StreamTimes],
        begins_s: float,
        failures: list[str],
    ) -> None:
        self._path, self._demuxer = path, demuxer
        self._told_lengths = told
        self._times, self._begins_s = times, begins_s
        self._failures = failures
        self._ears: dict[int, Ear] = {}
        self._told: dict[int, list[str]] = {}
        self.joined = False
        """A stream changes or begins again: a header's promise is one part's, or a guess."""
        self.counted = False
        """A stream's length was counted: the file's header and time stamps mislead."""

    def audio(self, header: Header) -> AudioStream | None:
        """The stream, or ``None`` where too little of it can be decoded."""
        claimed = self._claimed(header)
        if not self._possible(claimed) or not self._listened(claimed, header):
            return None
        ear = self._ears[claimed.index]
        return claimed.model_copy(
            update={
                "peak_dbfs": in_dbfs(ear.peak),
                "silent": all(map(is_silent, ear.peaks)),
                "channel_peaks_dbfs": ear.peaks_dbfs,
                "offsets": ear.offsets,
                "duration_ms": self._duration_ms(header),
            }
        )

    def chosen(self, audio: Sequence[AudioStream]) -> HeardSound | None:
        """What is worked on, of the streams that can be decoded."""
        tracks = mono_tracks(audio)
        if tracks and len({audio[place].sample_rate_hz for place in tracks}) == 1:
            self._ears[-1] = self._side_by_side([audio[place] for place in range(len(audio))])
        sound = choose(audio, self._ears)
        if sound is None:
            return None
        told = [word for place in sound.streams for word in self._told.get(audio[place].index, ())]
        return sound.model_copy(update={"notices": (*sound.notices, *told)})

    def _claimed(self, header: Header) -> AudioStream:
        form = misread_form(self._path) if self._demuxer == "wav" else None
        tags, marks = header.get("tags", {}), header.get("disposition", {})
        language = tags.get("language")
        raw_bits = header.get("bits_per_raw_sample") or header.get("bits_per_sample") or 0
        layout = header.get("channel_layout")
        return AudioStream(
            index=header["index"],
            codec=form.decoder if form else header.get("codec_name", "unknown"),
            sample_rate_hz=int(header.get("sample_rate") or 0),
            channels=int(header.get("channels") or 0),
            channel_layout=None if layout == "unknown" else layout,
            bit_depth=form.bits if form else int(raw_bits) or None,
            decoder=form.decoder if form else None,
            language=None if language in (None, "und", "") else str(language)[:35],
            title=str(tags["title"])[:200] if tags.get("title") else None,
            default=bool(marks.get("default")),
            aside=any(marks.get(name) for name in _ASIDE),
            frames=self._told_lengths.frames or self._promised_frames(header),
            start_ms=0 if self._told_lengths.lead_samples else self._start_ms(header),
            clock_ms=_ms(self._begins_s) if self._demuxer in FROM_FIRST else 0,
            lead_samples=self._told_lengths.lead_samples,
            junk_bytes=self._told_lengths.junk_bytes,
        )

    def _promised_frames(self, header: Header) -> int | None:
        """How much an MP4 plays, where that is told in samples, and all but a packet's end of it."""
        rate, ticks = header.get("sample_rate"), header.get("duration_ts")
        times = self._times.get(header["index"])
        if self._demuxer != MOV or times is None or not ticks or not rate:
            return None
        if header.get("time_base") != f"1/{rate}":
            return None
        hidden_s = times.end_s - max(0.0, times.start_s) - int(ticks) / int(rate)
        return int(ticks) if -0.001 <= hidden_s <= _PADDING_S else None

    def _start_ms(self, header: Header) -> int:
        start_s = _number(header.get("start_time"))
        return 0 if start_s is None else max(0, _ms(start_s - self._begins_s))

    def _duration_ms(self, header: Header) -> int:
        times = self._times[header["index"]]
        walked_s = times.end_s - max(times.start_s, self._begins_s)
        claimed_s = _number(header.get("duration"))
        believed = claimed_s is not None and not self.counted and not times.exact
        if believed and claimed_s is not None and abs(claimed_s - walked_s) <= _HEADER_TOLERANCE_S:
            return _ms(claimed_s)
        return _ms(walked_s)

    def _possible(self, stream: AudioStream) -> bool:
        rate, channels = stream.sample_rate_hz, stream.channels
        if MIN_SAMPLE_RATE_HZ <= rate <= MAX_SAMPLE_RATE_HZ and 0 < channels <= MAX_CHANNELS:
            return True
        self._failures.append(f"it claims {many(channels, 'channel')} at {rate} Hz")
        return False

    def _listened(self, stream: AudioStream, header: Header) -> bool:
        """Listen; ``False`` where too little can be decoded."""
        ear = Ear(stream.channels)
        misled = bool(stream.decoder) or bool(stream.junk_bytes)
        odd = misled or self._odd(header) or self._short(stream)
        blocks = self._whole(stream) if odd else self._beginning(stream)
        self._hear(blocks, ear)
        if self._too_little(stream.index, blocks, whole=odd):
            self._failures.append(blocks.damage or "no sound comes out of it")
            return False
        more = self._times[stream.index].end_s > LISTEN_S and not odd
        if more and ear.doubtful:
            ear = Ear(stream.channels)
            blocks = self._whole(stream)
            self._hear(blocks, ear)
        self._ears[stream.index] = ear
        if odd:
            self._count(stream, blocks.frames)
        elif told := self._told_lengths.frames:
            times = self._times[stream.index]
            # How long the last packet lasts stands in no CAF.
            walked_s = times.end_s + (0.0 if times.lasting_s else times.spacing_s)
            walked = round(walked_s * stream.sample_rate_hz)
            self._count(stream, min(told, walked - stream.lead_samples))
        self._tell(stream, blocks)
        return True

    def _short(self, stream: AudioStream) -> bool:
        """Is it worth to count the samples of a format that cannot tell its length to the sample?"""
        times = self._times.get(stream.index)
        return self._demuxer in _UNSTAMPED_LOSSY and times is not None and times.end_s <= _COUNTED_S

    def _odd(self, header: Header) -> bool:
        """Do its time stamps begin again, or does its header promise what its packets do not hold?"""
        times = self._times.get(header["index"])
        if times is None:
            return False
        if times.restarts:
            return True
        claimed_s = _number(header.get("duration"))
        walked_s = times.end_s - max(times.start_s, self._begins_s)
        joined = self._demuxer in ("mp3", "aac", "ac3", "eac3", "flac")
        return joined and claimed_s is not None and abs(claimed_s - walked_s) > _HEADER_TOLERANCE_S

    def _beginning(self, stream: AudioStream) -> AudioBlocks:
        return part_blocks(self._path, self._demuxer, stream, from_s=0, seconds=LISTEN_S)

    def _whole(self, stream: AudioStream) -> AudioBlocks:
        clock = clock_of(self._demuxer, stream)
        track = Track(self._path, self._demuxer, stream, stream.sample_rate_hz, clock=clock)
        length_ms = _ms(self._times[stream.index].end_s)
        return AudioBlocks([track], BLOCK_FRAMES, timeout_for(max(length_ms, 60_000)))

    def _hear(self, blocks: AudioBlocks, ear: Ear) -> None:
        with blocks:
            try:
                for block in blocks:
                    ear.add(block)
            except (UnsupportedMedia, BackendFailed) as error:
                self._failures.append(error.message)

    def _too_little(self, index: int, blocks: AudioBlocks, *, whole: bool) -> bool:
        """Is there nothing, or errors and less than half of what the packets promise?"""
        if not blocks.frames or index not in self._times:
            return True
        promised_s = self._times[index].end_s - self._times[index].start_s
        promised_s = promised_s if whole else min(LISTEN_S, promised_s)
        return bool(blocks.damage) and blocks.frames < promised_s * blocks.sample_rate_hz / 2

    def _count(self, stream: AudioStream, frames: int) -> None:
        """What was decoded, or was told to the sample, is how long it is."""
        self.counted = True
        times = self._times[stream.index]
        times.start_s = self._begins_s + stream.start_ms / 1000
        times.hidden_start_s = max(times.hidden_start_s, times.start_s)
        times.end_s = self._begins_s + frames / stream.sample_rate_hz

    def _tell(self, stream: AudioStream, blocks: AudioBlocks) -> None:
        told = self._told[stream.index] = []
        self.joined = self.joined or bool(blocks.changes or self._times[stream.index].restarts)
        if blocks.changes:
            told.append(
                f"its channels or sample rate change in mid-stream: all is brought to "
                f"{many(stream.channels, 'channel')} at {stream.sample_rate_hz} Hz"
            )
        if self._times[stream.index].restarts:
            told.append("its time stamps begin again: joined parts follow each other")

    def _side_by_side(self, streams: Sequence[AudioStream]) -> Ear:
        """The beginnings of mono streams as channels of one."""
        import numpy as np

        ear = Ear(len(streams))
        if any(stream.channels != 1 for stream in streams):
            return ear
        parts = [self._beginning(stream) for stream in streams]
        for blocks in zip(*parts, strict=False):
            length = min(map(len, blocks))
            ear.add(np.concatenate([block[:length] for block in blocks], axis=1))
        for part in parts:
            part.close()
        return ear


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
