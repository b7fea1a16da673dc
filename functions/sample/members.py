"""What goes into a pack: which segments, under which names, with which chunks in their WAVs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from functions.sample.chunks import Cue, acid_chunk, cue_chunks, smpl_chunk, with_chunks
from functions.sample.pitch import LISTENS_S, Pitch, note_name, pitch_of
from shared.contracts.artifact import COMMON_META
from shared.contracts.step_engine import InputFile
from shared.errors import UnsupportedMedia

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

    @property
    def kind(self) -> str:
        """Of its segments' artifacts."""
        return f"audio_{self.thing}"


SORTS: Mapping[str, Sort] = {
    "hits": Sort("hit", "detect.hits", "Hits", 3),
    "loops": Sort("loop", "detect.loops", "Loops", 2),
    "phrases": Sort("phrase", "detect.phrases", "Phrases", 2),
}


@dataclass(frozen=True)
class Member:
    """A segment in the pack."""

    sort: Sort
    file: str
    """Its path in the pack: ``Hits/hit_001_C#3.wav``."""
    artifact_id: str
    samples: int
    about: Mapping[str, Any]
    """What the detection said of it: ``start_ms``, ``score``..."""
    pitch: Pitch | None = None

    def described(self) -> dict[str, Any]:
        """Its row in the manifest."""
        row = {"file": self.file, "kind": self.sort.thing, "artifact_id": self.artifact_id}
        pitch = {"pitch": self.pitch.described() if self.pitch else None}
        return {**row, **self.about, **(pitch if self.sort.thing == "hit" else {})}


def packed(sort: Sort, segment: InputFile, index: int, count: int) -> tuple[Member, bytes]:
    """The ``index``-th (from 1) of ``count`` segments of its sort, and its WAV as the pack has it.

    Raises ``UnsupportedMedia`` for a file that is no WAV.
    """
    about = {key: value for key, value in segment.meta.items() if key not in _NOT_OF_THE_SEGMENT}
    data = segment.path.read_bytes()
    rate, samples, pitch = _heard(sort, data, about)
    number = f"{sort.thing}_{index:0{max(sort.digits, len(str(count)))}d}"
    file = f"{sort.folder}/{number}{_description(sort, about, pitch)}.wav"
    member = Member(sort, file, segment.artifact_id, samples, about, pitch)
    return member, with_chunks(data, *_chunks(member, rate))


def _heard(sort: Sort, wav: bytes, about: Mapping[str, Any]) -> tuple[int, int, Pitch | None]:
    """Sample rate in Hz, length in samples, and a hit's pitch."""
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(wav)) as file:
            rate, samples = file.samplerate, file.frames
            if sort.thing != "hit":
                return rate, samples, None
            file.seek(min(_in_file(about["onset_ms"], about, rate), samples))
            sound = file.read(round(LISTENS_S * rate), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UnsupportedMedia(f"a segment cannot be read: {error}") from None
    return rate, samples, pitch_of(np.nan_to_num(sound), rate)


def _description(sort: Sort, about: Mapping[str, Any], pitch: Pitch | None) -> str:
    if sort.thing == "loop":
        bars = about["bars"]
        return f"_{round(about['bpm'], 1):g}bpm_{bars}bar{'' if bars == 1 else 's'}"
    return f"_{note_name(pitch.note)}" if pitch else ""


def _chunks(member: Member, sample_rate_hz: int) -> list[bytes]:
    about = member.about
    unity_note = member.pitch.note if member.pitch else MIDDLE_C
    loop = (0, member.samples) if member.sort.thing == "loop" else None
    marks = _marks(member)
    last = max(member.samples - 1, 0)
    places = [min(_in_file(at, about, sample_rate_hz), last) for at, _ in marks]
    cues = [Cue(place, label) for place, (_, label) in zip(places, marks, strict=True)]
    chunks = [smpl_chunk(sample_rate_hz, unity_note, loop), cue_chunks(cues)]
    if loop is not None:
        beats = len(about["beats_ms"])
        chunks.append(acid_chunk(about["bpm"], beats, about["beats_per_bar"]))
    return chunks


def _marks(member: Member) -> Sequence[tuple[float, str]]:
    """Times in the recording, in ms, and what is there."""
    about = member.about
    if member.sort.thing == "hit":
        return [(about["onset_ms"], "onset")]
    if member.sort.thing == "phrase":
        return [(word["start_ms"], word["text"]) for word in about.get("words", ())]
    per_bar = about["beats_per_bar"]
    return [
        (at, f"{index // per_bar + 1}.{index % per_bar + 1}")
        for index, at in enumerate(about["beats_ms"])
    ]


def _in_file(at_ms: float, about: Mapping[str, Any], sample_rate_hz: int) -> int:
    """The segment's own sample at a time of the recording."""
    return int(max(0, round((at_ms - about["start_ms"]) * sample_rate_hz / 1000)))
