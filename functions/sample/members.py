"""What goes into a pack: which segments, under which names, with which chunks in their WAVs.

A segment's sound is not changed. Chunks behind it say what a sampler or DAW would else have to be
told: ``smpl`` the note at which it sounds as recorded and a loop's ends, ``cue`` onset, words or
beats, ``acid`` a loop's tempo (``shared.sound.riff``).
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from functions.sample import naming
from shared.contracts.artifact import COMMON_META
from shared.contracts.detections import DetectedSegment, HitSegment, LoopSegment, PhraseSegment
from shared.contracts.step_engine import InputFile
from shared.errors import UnsupportedMedia
from shared.sound.pitch import Pitch
from shared.sound.riff import Cue, acid_chunk, cue_chunks, smpl_chunk, with_chunks

MIDDLE_C = 60
"""MIDI note at which what has no pitch sounds as recorded; C4 here."""
_NOT_OF_THE_SEGMENT = {*COMMON_META, "name"}


@dataclass(frozen=True)
class Sort:
    """One of the three sorts of segments."""

    thing: str
    """``hit``, ``loop`` or ``phrase``; the names of kinds derive from it."""
    step: str
    """Which detection finds it."""
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
    "hits": Sort("hit", "detect.hits", HitSegment),
    "loops": Sort("loop", "detect.loops", LoopSegment),
    "phrases": Sort("phrase", "detect.phrases", PhraseSegment),
}


@dataclass(frozen=True)
class Named:
    """A segment, and what it is called in the pack."""

    sort: Sort
    segment: InputFile
    about: DetectedSegment
    name: str
    """Without the extension."""
    sound: str | None = None
    """A hit's: what the best take of its sound is called."""


@dataclass(frozen=True)
class Member:
    """A segment in the pack."""

    sort: Sort
    file: str
    """``Knock 03 (G2).wav``."""
    sound: str
    """``Knock 03 (G2)``; all takes of it have it, and what has none is its own."""
    artifact_id: str
    samples: int
    """Length of the file, of each channel."""
    peak_dbfs: float
    """Of the file."""
    segment: DetectedSegment
    """What the detection said of it."""
    meta: Mapping[str, Any]
    """The same and what else its artifact's meta says of it, for the manifest."""

    @property
    def name(self) -> str:
        """Its file's, without the extension."""
        return self.file.removesuffix(".wav")

    @property
    def pitch(self) -> Pitch | None:
        """Of a hit that has one."""
        about = self.segment
        return Pitch(about.pitch_hz) if isinstance(about, HitSegment) and about.pitch_hz else None

    def described(self) -> dict[str, Any]:
        """Its row in the manifest."""
        row = {"file": self.file, "kind": self.sort.thing, "artifact_id": self.artifact_id}
        return {**row, **self.meta}


def best(members: Sequence[Member], count: int) -> list[Member]:
    """The ``count`` that score highest, in the order they are in; of equals the first."""
    order = sorted(range(len(members)), key=lambda index: (-members[index].segment.score, index))
    return [members[index] for index in sorted(order[:count])]


def named(chosen: Mapping[str, Sequence[InputFile]]) -> list[Named]:
    """Hits by their sounds, then loops, then phrases.

    All names differ, also without regard to case. Raises ``ValidationError`` for a segment whose
    meta is not its kind's.
    """
    rows = _hits(chosen.get("hits", ()))
    for file in chosen.get("loops", ()):
        loop = LoopSegment.of_meta("audio_loop", file.meta)
        rows.append(Named(SORTS["loops"], file, loop, naming.loop_name(loop)))
    for file in chosen.get("phrases", ()):
        phrase = PhraseSegment.of_meta("audio_phrase", file.meta)
        rows.append(Named(SORTS["phrases"], file, phrase, naming.phrase_name(phrase)))
    names = naming.told_apart([row.name for row in rows])
    return [replace(row, name=name) for row, name in zip(rows, names, strict=True)]


def sounds_of(hits: Sequence[InputFile]) -> list[list[tuple[InputFile, HitSegment]]]:
    """Each sound's takes, the best first; sounds in the recording's order.

    Takes belong together by the onset of the first of them (``take_of_ms``), also where that one is
    not among ``hits``.
    """
    takes: dict[float, list[tuple[InputFile, HitSegment]]] = {}
    for file in hits:
        about = HitSegment.of_meta("audio_hit", file.meta)
        first_ms = about.onset_ms if about.take_of_ms is None else about.take_of_ms
        takes.setdefault(first_ms, []).append((file, about))
    return [
        sorted(same, key=lambda one: (-one[1].score, one[1].start_ms))
        for _, same in sorted(takes.items())
    ]


def _hits(hits: Sequence[InputFile]) -> list[Named]:
    """Kinds in the order of pads, the sounds of one kind numbered in the recording's order."""
    by_kind: dict[str, list[list[tuple[InputFile, HitSegment]]]] = {}
    for takes in sounds_of(hits):
        kind = naming.common_sound([about for _, about in takes])
        by_kind.setdefault(kind, []).append(takes)
    rows = []
    for kind in sorted(by_kind, key=naming.place_of):
        for number, takes in enumerate(by_kind[kind], 1):
            note = takes[0][1].note if kind not in _UNTUNED else None
            sound = naming.sound_name(kind, number, len(by_kind[kind]), note)
            for take, (file, about) in enumerate(takes, 1):
                rows.append(Named(SORTS["hits"], file, about, naming.take_name(sound, take), sound))
    return rows


_UNTUNED = ("snare", "hat", "cymbal", "clap", "click", "swish", "noise")
"""Sounds whose pitch nobody plays, should one be found in them."""


def packed(one: Named) -> tuple[Member, bytes]:
    """A segment as a member, and its WAV as the pack has it.

    In memory are its bytes, its samples while their peak is measured, and the bytes with chunks.
    Raises ``UnsupportedMedia`` for a file that is no WAV.
    """
    file = one.segment
    meta = {key: value for key, value in file.meta.items() if key not in _NOT_OF_THE_SEGMENT}
    data = file.path.read_bytes()
    rate, samples, peak_dbfs = _measured(data)
    member = Member(
        one.sort,
        f"{one.name}.wav",
        one.sound or one.name,
        file.artifact_id,
        samples,
        peak_dbfs,
        one.about,
        meta,
    )
    return member, with_chunks(data, *_chunks(member, rate))


def _measured(wav: bytes) -> tuple[int, int, float]:
    """Sample rate in Hz, length in samples, peak in dBFS (-120 at least)."""
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(wav)) as file:
            peak = float(np.abs(file.read(dtype="float32", always_2d=True)).max(initial=1e-6))
            return file.samplerate, file.frames, 20 * math.log10(peak)
    except soundfile.LibsndfileError as error:
        raise UnsupportedMedia(f"a segment cannot be read: {error}") from None


def _chunks(member: Member, sample_rate_hz: int) -> list[bytes]:
    """The chunks of a segment's WAV; places are samples of the file, none behind its last."""
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
