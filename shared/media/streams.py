"""Which sound of a recording is worked on, decided once, when it is probed.

    several streams   the one marked as default, or the first, of those that sound; mono tracks of one
                      language together, as cameras record their microphones
    to one channel    an even mix of the channels that sound. Of two of which one is the other upside
                      down one is taken, for their sum is silence

What was left out stands in the notices. Nothing is left out as silent that was not listened to from
end to end; loudness here is of what moves: a constant offset is no sound.

Such an offset (DC: cheap converters add one) is told by what stretches of 4,096 samples stand on, loud
ones and pauses alike. Drums whose beats swing more to one side have a mean, too, but not in their
pauses; to take that away would put those on an offset.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.contracts.asset import AudioStream, HeardSound
from shared.media.layouts import heard_in_mono

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SILENCE_DBFS = -60.0
_FAINT_DBFS = -45.0
"""A beginning this quiet does not tell yet what cancels what."""
_CANCELS = -0.9
"""Two channels this alike, but for their sign, all but cancel each other."""
_STRETCH, _FEWEST_STRETCHES = 4096, 8
"""Samples; so many stretches tell whether it is one offset."""
_LEAST_OFFSET = 10 ** (SILENCE_DBFS / 20)
_EVENLY = 0.5
"""Nine of ten stretches stand on at least so much of their median."""


class Ear:
    """Listens to blocks of one stream: peaks, levels and how alike its channels are."""

    def __init__(self, channels: int) -> None:
        import numpy as np

        self.frames = 0
        self.peak = 0.0
        """The highest absolute sample, whatever it stands on."""
        self._low = np.full(channels, np.inf)
        self._high = np.full(channels, -np.inf)
        self._sum = np.zeros(channels)
        self._products = np.zeros((channels, channels))
        self._means: list[NDArray[np.float64]] = []

    def add(self, block: NDArray[np.float32]) -> None:
        """The next block, ``(samples, channels)``."""
        import numpy as np

        if not len(block):
            return
        wide = block.astype(np.float64)
        self.frames += len(block)
        self._low = np.minimum(self._low, wide.min(axis=0))
        self._high = np.maximum(self._high, wide.max(axis=0))
        self.peak = float(max(self.peak, -self._low.min(), self._high.max()))
        self._sum += wide.sum(axis=0)
        self._products += wide.T @ wide
        whole = wide[: len(wide) - len(wide) % _STRETCH]
        # Hann's window, for a period that a stretch's border cuts in two has a mean of its own.
        weights = np.hanning(_STRETCH) / np.hanning(_STRETCH).sum()
        self._means.append(weights @ whole.reshape(-1, _STRETCH, len(self._sum)))

    @property
    def peaks(self) -> list[float]:
        """Each channel's highest distance from its own mean."""
        import numpy as np

        if not self.frames:
            return [0.0] * len(self._sum)
        mean = self._sum / self.frames
        return [float(peak) for peak in np.maximum(self._high - mean, mean - self._low)]

    @property
    def offsets(self) -> tuple[float, ...]:
        """What each channel stands on from end to end, to 0.00001; empty where none stands on anything."""
        import numpy as np

        means = np.concatenate([np.zeros((0, len(self._sum))), *self._means])
        if len(means) < _FEWEST_STRETCHES:
            return ()
        middle = np.median(means, axis=0)
        least = np.quantile(means * np.sign(middle), 0.1, axis=0)
        constant = (abs(middle) >= _LEAST_OFFSET) & (least >= _EVENLY * abs(middle))
        found = np.where(constant, middle, 0.0).round(5)
        return tuple(map(float, found)) if found.any() else ()

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Of the channels, ``(channels, channels)``."""
        import numpy as np

        mean = self._sum / max(1, self.frames)
        return np.asarray(self._products / max(1, self.frames) - np.outer(mean, mean))

    @property
    def peaks_dbfs(self) -> tuple[float | None, ...]:
        """As ``peaks``; ``None`` for silence."""
        return tuple(in_dbfs(peak) for peak in self.peaks)

    @property
    def doubtful(self) -> bool:
        """Would more listening perhaps tell another story: a silent channel, an offset, a faint beginning?"""
        levels = self.covariance.diagonal()
        faint = float(levels.max(initial=0.0)) < 10 ** (_FAINT_DBFS / 10)
        cancelling = len(set(not_cancelling(self))) < len(levels)
        return faint or cancelling or bool(silent_channels(self)) or bool(self.offsets)


def in_dbfs(peak: float) -> float | None:
    """To 0.01 dB; ``None`` for silence."""
    return round(20 * math.log10(peak), 2) if peak else None


def is_silent(peak: float) -> bool:
    """Nothing that moves rises above -60 dBFS."""
    return peak <= 10 ** (SILENCE_DBFS / 20)


def silent_channels(ear: Ear) -> list[int]:
    """Those in which nothing sounds."""
    return [index for index, peak in enumerate(ear.peaks) if is_silent(peak)]


def not_cancelling(ear: Ear) -> list[int]:
    """The channels without those that are another, louder one upside down."""
    covariance = ear.covariance
    order = sorted(range(len(covariance)), key=lambda index: (-covariance[index, index], index))
    kept: list[int] = []
    for index in order:
        if not any(_cancels(covariance, index, other) for other in kept):
            kept.append(index)
    return sorted(kept)


def _cancels(covariance: NDArray[np.float64], one: int, other: int) -> bool:
    scale = math.sqrt(max(0.0, covariance[one, one] * covariance[other, other]))
    return scale > 0 and covariance[one, other] < _CANCELS * scale


def choose(audio: Sequence[AudioStream], ears: Mapping[int, Ear]) -> HeardSound | None:
    """What is worked on; ``ears``: stream index -> what was heard. ``None`` without sound.

    ``ears[-1]``, where there are mono tracks, heard all of them side by side.
    """
    if not audio:
        return None
    places = _chosen(audio)
    first = audio[places[0]]
    notices = list(_told_streams(audio, places))
    mono: list[int] = [0]
    if len(places) > 1:
        places, told = _without_cancelling(places, ears.get(-1))
        notices += told
    else:
        mono, told = _mono_channels(first, ears[first.index])
        notices += told
    notices += [word for place in places for word in audio[place].offset_notices]
    return HeardSound(
        streams=tuple(places),
        sample_rate_hz=first.sample_rate_hz,
        channels=first.channels,
        channel_layout=first.channel_layout,
        mono_channels=tuple(mono),
        notices=tuple(notices),
    )


def mono_tracks(audio: Sequence[AudioStream]) -> list[int]:
    """Places of the tracks of one camera or recorder: all streams mono, in one language."""
    main = [place for place, stream in enumerate(audio) if not stream.aside]
    languages = {audio[place].language for place in main}
    alike = all(audio[place].channels == 1 for place in main) and len(languages) == 1
    return main if alike and len(main) > 1 else []


def _chosen(audio: Sequence[AudioStream]) -> list[int]:
    tracks = [place for place in mono_tracks(audio) if not audio[place].silent]
    if tracks:
        return tracks
    places = range(len(audio))
    main = [place for place in places if not audio[place].aside] or list(places)
    # What is set aside is better than silence.
    sounding = [place for place in (*main, *places) if not audio[place].silent] or main
    marked = [place for place in sounding if audio[place].default and not audio[place].aside]
    return [(marked or sounding)[0]]


def _told_streams(audio: Sequence[AudioStream], places: Sequence[int]) -> Iterator[str]:
    if len(audio) == 1:
        return
    taken = ", ".join(_named(audio, place) for place in places)
    together = "are mixed together" if len(places) > 1 else "is worked on"
    yield f"of {len(audio)} sound streams (counted from 0) {taken} {together}"
    left = [place for place in range(len(audio)) if place not in places]
    if left:
        yield f"left out: {', '.join(_named(audio, place, silence=True) for place in left)}"


def _named(audio: Sequence[AudioStream], place: int, *, silence: bool = False) -> str:
    stream = audio[place]
    about = [stream.language, stream.title, "default" if stream.default else None]
    about += ["silent" if silence and stream.silent else None]
    words = ", ".join(word for word in about if word)
    return f"stream {place} ({words})" if words else f"stream {place}"


def _without_cancelling(places: list[int], ear: Ear | None) -> tuple[list[int], list[str]]:
    if ear is None:
        return places, []
    kept = [place for place in not_cancelling(ear) if place in places] or places
    gone = [place for place in places if place not in kept]
    told = [f"stream {place} is another one upside down: left out" for place in gone]
    return kept, told


def _mono_channels(stream: AudioStream, ear: Ear) -> tuple[list[int], list[str]]:
    places = heard_in_mono(stream.channel_layout, stream.channels)
    silent = set(silent_channels(ear))
    sounding = [place for place in places if place not in silent] or places
    kept = [place for place in not_cancelling(ear) if place in sounding] or sounding
    told = []
    if stream.channels > 2 and stream.channel_layout is None:
        told.append(f"no channel layout is named: {stream.channels} equal channels")
    gone = [place for place in places if place not in sounding]
    if gone:
        told.append(f"silent, and left out of a mix to one channel: {_counted(gone)}")
    gone = [place for place in sounding if place not in kept]
    if gone:
        told.append(
            f"{_counted(gone)} cancels another one (it is the same upside down): "
            f"a mix to one channel takes {_counted(kept)}"
        )
    return kept, told


def _counted(places: Sequence[int]) -> str:
    """People count channels from 1."""
    return "channel " + ", ".join(str(place + 1) for place in places)
