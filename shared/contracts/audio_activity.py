"""What sounds when in a recording: ``detect.activity`` says it once, and who builds on it reads it here.

Spans, onsets, tempi and beats stand in plain rows. What has a value for every few milliseconds (the
waveform's outline, levels, the probability of speech, onset strength) is packed, for three hours of
it must still be a file that a browser opens.
"""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from shared.contracts.result_document import Part, ResultDocument

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Sound = Literal["speech", "music", "silence", "other"]
Matter = Literal["speech", "music", "sound events"]
"""What steps listen to: speech, music, and single sounds that stand out."""
_TYPES = {"int8": "<i1", "uint8": "<u1", "int16": "<i2"}


class Series(Part):
    """Evenly spaced numbers: value ``n`` is of the time ``n * step_ms``."""

    step_ms: float
    count: int
    """How many there are; each ``columns`` numbers wide."""
    columns: int = 1
    stored: Literal["int8", "uint8", "int16"]
    """As little-endian integers."""
    scale: float
    """A stored integer times this is the number."""
    packed: Literal["base64", "zlib+base64"] = "base64"
    data: str

    @classmethod
    def of(
        cls,
        values: NDArray[Any],
        step_ms: float,
        stored: Literal["int8", "uint8", "int16"],
        scale: float,
        *,
        squeezed: bool = False,
    ) -> Self:
        """Pack ``(count,)`` or ``(count, columns)``, clipped to what can be stored."""
        import numpy as np

        limits = np.iinfo(stored)
        whole = np.clip(np.round(values / scale), limits.min, limits.max).astype(_TYPES[stored])
        raw = whole.tobytes()
        return cls(
            step_ms=step_ms,
            count=len(values),
            columns=values.shape[1] if values.ndim > 1 else 1,
            stored=stored,
            scale=scale,
            packed="zlib+base64" if squeezed else "base64",
            data=base64.b64encode(zlib.compress(raw, 6) if squeezed else raw).decode(),
        )

    def values(self) -> NDArray[np.float32]:
        """``(count,)``, or ``(count, columns)``; raises ``ValueError`` for what was cut off."""
        import numpy as np

        raw = base64.b64decode(self.data)
        if self.packed != "base64":
            # No more than is told, whatever a hostile file unpacks to.
            most = self.count * self.columns * np.dtype(_TYPES[self.stored]).itemsize
            raw = zlib.decompressobj().decompress(raw, most)
        whole = np.frombuffer(raw, _TYPES[self.stored])
        shape = (self.count, self.columns) if self.columns > 1 else (self.count,)
        return np.asarray(whole.reshape(shape) * np.float32(self.scale), np.float32)


class ActivitySound(Part):
    """What of the recording's sound was listened to, and what was left out."""

    streams: tuple[int, ...]
    """Places among its sound streams; several are mono tracks of one camera."""
    sample_rate_hz: int
    samples: int
    """Of each channel: so many were decoded."""
    channels: int
    channel_layout: str | None = None
    mono_channels: tuple[int, ...] = ()
    """Which channels are mixed evenly to one; empty: all but LFE."""
    notices: tuple[str, ...] = ()
    """What was taken and what was left out, in words."""


class ActivitySpan(Part):
    """One stretch. Spans touch, never overlap, and cover all of the recording."""

    kind: Sound
    start_ms: int
    end_ms: int
    confidence: float
    """That it is of its kind, 0 to 1; 0 in a stub's."""
    music_score: float | None = None
    """Of music and other: how much it sounds like music, 0 to 1."""


class Waveform(Part):
    """The outline: the lowest and the highest sample of each step, any channel, full scale 1."""

    lowest: Series
    highest: Series


class Onsets(Part):
    """Everything that begins, in order; the lists are equally long. In speech, syllables begin."""

    times_ms: tuple[float, ...] = ()
    """The attack's first half millisecond."""
    strength_db: tuple[float, ...] = ()
    """How far the spectrum's mean rise stands above its surroundings; all above 0.5."""
    sharp_db: tuple[float, ...] = ()
    """The rise beyond what neighbouring bands held before: near 0 for a vibrato."""


class ActivityTempo(Part):
    """One stretch with a steady pulse, ``[start_ms, end_ms)``."""

    start_ms: int
    end_ms: int
    bpm: float
    """Beats a minute."""
    beats_per_bar: int
    confidence: float
    """How far onsets repeat at this tempo, 0 to 1."""
    repetition: float
    """How alike the sound is to itself some bars later, -1 to 1."""
    loop_score: float | None = None
    """How surely the recording is itself a loop of these beats, 0 to 1; none: it is no loop."""
    first_beat: int
    """Its first beat's ``beat_index``."""
    beat_count: int


class ActivityBeat(Part):
    """One beat."""

    time_ms: float
    beat_index: int
    """Counts on from 0 over the whole recording: its place in ``beats``."""
    bar_index: int
    """Counts on from 0 over the whole recording."""
    subdivision: int
    """Its place in the bar, from 1."""


class ActivitySummary(Part):
    """What was heard, in few words. ``None`` where nobody could tell."""

    holds: tuple[Matter, ...]
    """What the recording may hold; what is in doubt is among it. The rest is surely not there."""

    speech_ms: int | None = None
    music_ms: int | None = None
    silence_ms: int | None = None
    other_ms: int | None = None
    event_count: int | None = None
    """Onsets outside of speech that stand out."""
    bpm: float | None = None
    """Of the tempo with most beats."""
    integrated_lufs: float | None = None
    """Gated (BS.1770-4), of the whole; none for silence."""
    peak_dbfs: float | None = None
    """The highest sample; none for digital silence."""


class AudioActivity(ResultDocument):
    """What sounds when in a recording."""

    kind: ClassVar[str] = "audio_activity"
    title: ClassVar[str] = "audio activity"
    compact: ClassVar[bool] = True

    duration_ms: int
    sound: ActivitySound
    damage: str | None = None
    """What could not be decoded."""
    heard: ActivitySummary
    spans: tuple[ActivitySpan, ...]
    """In order, parted by silences of ``min_silence_ms``."""
    min_silence_ms: int
    waveform: Waveform
    level_lufs: Series
    """K-weighted, summed over the channels (BS.1770-4), of each 10 ms; -120 and below: -120."""
    level_dbfs: Series
    """Mean square of each step of the onset envelope, mean over the channels; at least -120."""
    voice: Series | None = None
    """The probability of speech in each 32 ms, 0 to 1; none where nobody could tell."""
    onset_envelope: Series
    """Onset strength in dB: the mean rise of the mel spectrum, at a step's beginning."""
    spectrum: Series
    """The coarse spectrum, 16 columns: each the mean level of 8 mel bands up to 11 kHz in dB."""
    onsets: Onsets = Onsets()
    tempi: tuple[ActivityTempo, ...] = ()
    """In order; none where nothing keeps time."""
    beats: tuple[ActivityBeat, ...] = ()
    """Of all ``tempi``, in order."""
