"""What goes into a pack: which segments, under which names, with which chunks in their WAVs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from functions.sample.pitch import LISTENS_S, Pitch, note_name, pitch_of
from shared.contracts.artifact import COMMON_META
from shared.contracts.detections import DetectedSegment, HitSegment, LoopSegment, PhraseSegment
from shared.contracts.step_engine import InputFile
from shared.errors import UnsupportedMedia
from shared.sound.riff import Cue, acid_chunk, cue_chunks, smpl_chunk, with_chunks

MIDDLE_C = 60
_NOT_OF_THE_SEGMENT = {*COMMON_META, "name"}


@dataclass(frozen=True)
class Sort:
    """One of the three sorts of segments."""

    thing: str
    step: str
    folder: str
    digits: int
    """Of the index in file names, at least."""
    segment: type[DetectedSegment]
    """How its segments are described."""

    @property
    def kind(self) -> str:
        """Of its segments' artifacts."""
        return f"audio_{self.thing}"

    def read(self, file: InputFile) -> DetectedSegment:
        """What the detection said of a segment; raises ``ValidationError`` for another meta."""
        return self.segment.of_meta(self.kind, file.meta)


SORTS: Mapping[str, Sort] = {
    "hits": Sort("hit", "detect.hits", "Hits", 3, HitSegment),
    "loops": Sort("loop", "detect.loops", "Loops", 2, LoopSegment),
    "phrases": Sort("phrase", "detect.phrases", "Phrases", 2, PhraseSegment),
}


@dataclass(frozen=True)
class Member:
    """A segment in the pack."""

    sort: Sort
    file: str
    """Its path in the pack: ``Hits/hit_001_C#3.wav``."""
    artifact_id: str
    samples: int
    segment: DetectedSegment
    """What the detection said of it."""
    meta: Mapping[str, Any]
    """The same and what else its artifact's meta says of it, for the manifest."""
    pitch: Pitch | None = None

    def described(self) -> dict[str, Any]:
        """Its row in the manifest."""
        row = {"file": self.file, "kind": self.sort.thing, "artifact_id": self.artifact_id}
        pitch = {"pitch": self.pitch.described() if self.pitch else None}
        return {**row, **self.meta, **(pitch if self.sort.thing == "hit" else {})}


def packed(sort: Sort, segment: InputFile, index: int, count: int) -> tuple[Member, bytes]:
    """The ``index``-th (from 1) of ``count`` segments of its sort, and its WAV as the pack has it.

    Raises ``UnsupportedMedia`` for a file that is no WAV.
    """
    meta = {key: value for key, value in segment.meta.items() if key not in _NOT_OF_THE_SEGMENT}
    about = sort.read(segment)
    data = segment.path.read_bytes()
    rate, samples, pitch = _heard(data, about)
    number = f"{sort.thing}_{index:0{max(sort.digits, len(str(count)))}d}"
    file = f"{sort.folder}/{number}{_description(about, pitch)}.wav"
    member = Member(sort, file, segment.artifact_id, samples, about, meta, pitch)
    return member, with_chunks(data, *_chunks(member, rate))


def _heard(wav: bytes, about: DetectedSegment) -> tuple[int, int, Pitch | None]:
    """Sample rate in Hz, length in samples, and a hit's pitch."""
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(wav)) as file:
            rate, samples = file.samplerate, file.frames
            if not isinstance(about, HitSegment):
                return rate, samples, None
            file.seek(min(_in_file(about.onset_ms, about, rate), samples))
            sound = file.read(round(LISTENS_S * rate), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UnsupportedMedia(f"a segment cannot be read: {error}") from None
    return rate, samples, pitch_of(np.nan_to_num(sound), rate)


def _description(about: DetectedSegment, pitch: Pitch | None) -> str:
    if isinstance(about, LoopSegment):
        return f"_{round(about.bpm, 1):g}bpm_{about.bars}bar{'' if about.bars == 1 else 's'}"
    return f"_{note_name(pitch.note)}" if pitch else ""


def _chunks(member: Member, sample_rate_hz: int) -> list[bytes]:
    about = member.segment
    unity_note = member.pitch.note if member.pitch else MIDDLE_C
    marks = _marks(about)
    last = max(member.samples - 1, 0)
    places = [min(_in_file(at, about, sample_rate_hz), last) for at, _ in marks]
    cues = [Cue(place, label) for place, (_, label) in zip(places, marks, strict=True)]
    if not isinstance(about, LoopSegment):
        return [smpl_chunk(sample_rate_hz, unity_note, None), cue_chunks(cues)]
    looped = smpl_chunk(sample_rate_hz, unity_note, (0, member.samples))
    tempo = acid_chunk(about.bpm, len(about.beats_ms), about.beats_per_bar)
    return [looped, cue_chunks(cues), tempo]


def _marks(about: DetectedSegment) -> Sequence[tuple[float, str]]:
    """Times in the recording, in ms, and what is there."""
    if isinstance(about, HitSegment):
        return [(about.onset_ms, "onset")]
    if isinstance(about, PhraseSegment):
        return [(word.start_ms, word.text) for word in about.words]
    if isinstance(about, LoopSegment):
        per_bar = about.beats_per_bar
        return [
            (at, f"{index // per_bar + 1}.{index % per_bar + 1}")
            for index, at in enumerate(about.beats_ms)
        ]
    return []


def _in_file(at_ms: float, about: DetectedSegment, sample_rate_hz: int) -> int:
    """The segment's own sample at a time of the recording."""
    return int(max(0, round((at_ms - about.start_ms) * sample_rate_hz / 1000)))
