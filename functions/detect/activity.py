"""``detect.activity``: what sounds when, heard once for every step that builds on it.

    one pass          decode; levels, outline, tones, onset strength, 16 kHz on the way   (hearing)
    who speaks        voice activity of the mix, Silero's                                 (speech)
    what sounds       speech, music, silence, other; they touch and cover all             (stretches)
    what begins       onsets, to half a millisecond                                       (attacks)
    what keeps time   tempo, beats and metre, by the recording's own repetition           (beats)

Without librosa it is the stub: outline and levels, and one stretch of it doesn't know what. Without
faster-whisper nobody can tell speech, and it says so. Each method's source stands in the module in
brackets, below ``shared/sound``; here they are called in order and told in one document. Writes
``audio_activity`` and a ``preview``; times are ms of the recording, half open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import get_args

import numpy as np

from functions.detect.activity_picture import draw_activity
from shared.contracts.audio_activity import (
    ActivityBeat,
    ActivitySound,
    ActivitySpan,
    ActivitySummary,
    ActivityTempo,
    AudioActivity,
    Matter,
    Onsets,
    Series,
    Waveform,
)
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result, SoundParams
from shared.media.vad import FRAME_MS, speech_probabilities
from shared.sound.attacks import STEPS_PER_S, Onset, find_onsets
from shared.sound.beat_attacks import at_attacks
from shared.sound.beat_grid import Beat, Tempo, find_beats, loop_beats
from shared.sound.beats import hear_beats
from shared.sound.hearing import POINTS_PER_S, Heard, listen
from shared.sound.levels import BIN_MS, BINS_PER_S
from shared.sound.music import music_scores
from shared.sound.speech import Voiced, voiced_spans, without_instruments
from shared.sound.stretches import Span, find_spans, trimmed
from shared.sound.whole_loops import find_whole_loop
from shared.watch.health import report

MIN_SILENCE_MS = 300
"""A shorter pause parts nothing."""
_VOICES = "faster-whisper"
_ONSETS = "librosa"
_QUIETEST_DB = -120.0
"""Levels are told down to this."""
_EVENT_DB = 2.0
"""An onset outside of speech that stands out so far is an event."""
_SPEECH_EDGE_MS = 150
"""So near to speech it is breath, lips or room."""
_DOUBTFUL_MUSIC = 0.35
"""What scores less is surely no music."""
_FEW_EVENTS, _BRIEF_MS = 3, 6_000
"""So many sounds in so short a recording may be a loop."""


class ActivityParams(SoundParams):
    """Nothing to set but the stream: it is one for all that builds on it."""


def backend() -> Backend:
    """librosa's onset strength and peaks, Silero's voice activity, the rest ours; else the stub."""
    found = {name: report(name) for name in (_ONSETS, _VOICES)}
    known = {name: one.dependency for name, one in found.items()}
    if found[_ONSETS].status != "ok":
        return Backend("stub", "activity-stub-1", stub=True, dependencies=known)
    heard = f"faster-whisper-{found[_VOICES].version}" if known[_VOICES].available else "no-voices"
    version = f"activity-14+librosa-{found[_ONSETS].version}+{heard}"
    return Backend("rushes_librosa", version, dependencies=known)


def run(job: Job, params: ActivityParams, backend: Backend) -> Result:
    """Listen. Raises ``UnsupportedMedia`` where nothing can be decoded, ``TimedOut``."""
    from threadpoolctl import threadpool_limits

    voices = not backend.stub and backend.dependencies[_VOICES].available
    # BLAS's threads wait for 25 ms after each product of some size, at full speed.
    with threadpool_limits(1, user_api="blas"):
        heard = listen(job, lambda done: job.progress(0.6 * done))
        activity = _unheard(job, heard) if backend.stub else hear(job, heard, voices=voices)
    made = _outputs(job, activity)
    if not heard.outline.any():
        return Result(made, reason="silent recording")
    if heard.tracks.silent or all(span.kind == "silence" for span in activity.spans):
        softest = f"{heard.levels.silence_below_lufs:.0f} LUFS"
        return Result(made, reason=f"softer than {softest} throughout, which is taken for silence")
    if not voices and not backend.stub:
        error = backend.dependencies[_VOICES].error
        return Result(made, StepState.DEGRADED, f"speech is not told from other sounds: {error}")
    return Result(made)


def hear(job: Job, heard: Heard, *, voices: bool) -> AudioActivity:
    """All that there is to tell of what was decoded; of speech only with ``voices``.

    A recording that is itself a loop has its beats from its length, and what was neither speech nor
    silence in it is music.
    """
    duration_ms = heard.levels.duration_ms
    probability = np.zeros(0, np.float32)
    voiced: list[Voiced] = []
    if voices:
        probability = speech_probabilities(heard.voice, lambda done: job.progress(0.6 + 0.3 * done))
        found = voiced_spans(probability, len(heard.voice), duration_ms, MIN_SILENCE_MS)
        voiced = trimmed(without_instruments(found, heard), heard.levels)
    spans = find_spans(heard.levels, voiced, MIN_SILENCE_MS, lambda sounds: _judged(heard, sounds))
    onsets = find_onsets(heard.tracks, heard.slope)
    sections = at_attacks(hear_beats(heard.tracks), onsets)
    attacks_s = np.array([onset.step / STEPS_PER_S for onset in onsets if onset.strength_db >= 1])
    loop = find_whole_loop(heard.tracks, sections, _spoken(spans, duration_ms), attacks_s)
    if loop is None:
        beats, tempi = find_beats(heard.tracks, spans, sections)
    else:
        seconds = heard.tracks.samples / heard.tracks.sample_rate_hz
        beats, tempi = loop_beats(loop, duration_ms, seconds)
        spans = [_musical(span, loop.confidence) for span in spans]
    job.progress(0.95)
    told = _onsets(onsets)
    return AudioActivity(
        **_measured(job, heard),
        heard=_summary(heard, spans, told, tempi, voices=voices),
        spans=tuple(_span(one) for one in spans),
        voice=Series.of(probability, FRAME_MS, "uint8", 1 / 255) if voices else None,
        onsets=told,
        tempi=tuple(_tempi(tempi, beats)),
        beats=tuple(ActivityBeat(**vars(beat)) for beat in beats),
    )


def _judged(heard: Heard, sounds: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """Music with its rests, or other sounds with the silence between them.

    ``sounds``: start and end in ms of each sound of a stretch. Each second or so has a score, 0 to
    1, above 0.5 music; neighbours on the same side are one span, with their mean.
    """
    start_ms, end_ms = sounds[0][0], sounds[-1][1]
    scores = music_scores(heard.features, heard.tracks, start_ms / 1000, end_ms / 1000)
    step_ms = (end_ms - start_ms) / len(scores)
    changes = [0, *(np.flatnonzero(np.diff(scores > 0.5)) + 1).tolist(), len(scores)]
    for first, last in pairwise(changes):
        low, high = (round(start_ms + edge * step_ms) for edge in (first, last))
        score = float(scores[first:last].mean())
        if score > 0.5:
            yield Span("music", low, high, score, music_score=score)
            continue
        for a, b in sounds:
            if max(a, low) < min(b, high):
                yield Span("other", max(a, low), min(b, high), 1 - score, music_score=score)


def _spoken(spans: list[Span], duration_ms: int) -> float:
    """The share of the recording that is speech, 0 to 1."""
    spoken_ms = sum(span.end_ms - span.start_ms for span in spans if span.kind == "speech")
    return spoken_ms / max(duration_ms, 1)


def _musical(span: Span, confidence: float) -> Span:
    """A stretch of a loop."""
    if span.kind != "other":
        return span
    return replace(span, kind="music", confidence=max(confidence, span.music_score or 0.0))


def _measured(job: Job, heard: Heard) -> dict[str, object]:
    """What needs no judgement: the packed series, each with its step and its unit.

    The outline every 20 ms to 1/32,767 of its peak; levels in 0.01 dB, LUFS every 10 ms, dBFS every
    23 or so, as onset strength (0.1 dB) and the coarse spectrum (``(frames, 16)``, 1 dB). LUFS here
    are 10 ms of BS.1770-4's K-weighted energy (its equation 2), ungated.
    """
    tracks = heard.tracks
    hop_ms = 1000 * tracks.hop / tracks.sample_rate_hz
    peak = float(np.abs(heard.outline).max(initial=0.0)) or 1.0
    lowest, highest = (
        Series.of(edge, 1000 / POINTS_PER_S, "int16", peak / 32_767) for edge in heard.outline
    )
    lufs = _decibels(heard.levels.energy) - 0.691
    power = _decibels(tracks.power.astype(np.float64))
    return {
        "duration_ms": heard.levels.duration_ms,
        "sound": ActivitySound(
            sample_rate_hz=tracks.sample_rate_hz,
            samples=tracks.samples,
            **job.media.heard.to_meta(),
        ),
        "damage": heard.damage,
        "min_silence_ms": MIN_SILENCE_MS,
        "waveform": Waveform(lowest=lowest, highest=highest),
        "level_lufs": Series.of(lufs, 1000 / BINS_PER_S, "int16", 0.01, squeezed=True),
        "level_dbfs": Series.of(power, hop_ms, "int16", 0.01, squeezed=True),
        "onset_envelope": Series.of(tracks.flux_db, hop_ms, "uint8", 0.1),
        "spectrum": Series.of(tracks.bands_db, hop_ms, "int8", 1.0, squeezed=True),
    }


def _decibels(power: np.ndarray) -> np.ndarray:
    """10 log10 of ``power``, ``_QUIETEST_DB`` at the least."""
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (_QUIETEST_DB / 10))))


def _unheard(job: Job, heard: Heard) -> AudioActivity:
    """What the stub gives: one stretch of it doesn't know what, which may hold anything."""
    duration_ms = heard.levels.duration_ms
    whole = ActivitySpan(kind="other", start_ms=0, end_ms=duration_ms, confidence=0.0)
    summary = ActivitySummary(holds=get_args(Matter), **_levels(heard))
    return AudioActivity(**_measured(job, heard), heard=summary, spans=(whole,))


def _levels(heard: Heard) -> dict[str, float | None]:
    """Integrated loudness and peak, to 0.01.

    ``None`` below -70 LUFS, the absolute gate of BS.1770-4, and for silence.
    """
    peak = float(np.abs(heard.outline).max(initial=0.0))
    lufs = heard.levels.integrated_lufs
    return {
        "integrated_lufs": round(lufs, 2) if lufs > -70 else None,
        "peak_dbfs": round(float(20 * np.log10(peak)), 2) if peak > 0 else None,
    }


def _summary(
    heard: Heard, spans: list[Span], onsets: Onsets, tempi: list[Tempo], *, voices: bool
) -> ActivitySummary:
    """The few words about all of it: ms of each kind, events, the longest stretch's tempo."""
    lasting = dict.fromkeys(("speech", "music", "silence", "other"), 0)
    for span in spans:
        lasting[span.kind] += span.end_ms - span.start_ms
    longest = max(tempi, key=lambda tempo: tempo.beat_count, default=None)
    events = events_of(heard, onsets, spans)
    return ActivitySummary(
        holds=_holds(heard, spans, events, voices=voices, tempo=bool(tempi)),
        speech_ms=lasting["speech"] if voices else None,
        music_ms=lasting["music"],
        silence_ms=lasting["silence"],
        other_ms=lasting["other"],
        event_count=events,
        bpm=longest.bpm if longest else None,
        **_levels(heard),
    )


def _holds(
    heard: Heard, spans: list[Span], events: int, *, voices: bool, tempo: bool
) -> tuple[Matter, ...]:
    """What is there, and what may be: nothing is left out that is in doubt."""
    if heard.tracks.silent:
        return ()
    speech = not voices or any(span.kind == "speech" for span in spans)
    likeliest = max((span.music_score or 0.0 for span in spans), default=0.0)
    brief = events >= _FEW_EVENTS and heard.levels.duration_ms <= _BRIEF_MS
    there = {
        "speech": speech,
        "music": tempo or likeliest > _DOUBTFUL_MUSIC or brief,
        "sound events": events > 0,
    }
    return tuple(matter for matter in get_args(Matter) if there[matter])


def events_of(heard: Heard, onsets: Onsets, spans: list[Span]) -> int:
    """How many onsets stand out, away from speech; beside much speech, only those as loud as it is.

    Lips, breath and a chair are no sounds that anybody cuts out of a talk; a knock is.
    """
    times_ms, strength_db = np.array(onsets.times_ms), np.array(onsets.strength_db)
    apart = strength_db >= _EVENT_DB
    spoken = [span for span in spans if span.kind == "speech"]
    for span in spoken:
        inside = times_ms >= span.start_ms - _SPEECH_EDGE_MS
        apart &= ~(inside & (times_ms < span.end_ms + _SPEECH_EDGE_MS))
    sounding_ms = sum(span.end_ms - span.start_ms for span in spans if span.kind != "silence")
    if 2 * sum(span.end_ms - span.start_ms for span in spoken) > sounding_ms:
        apart &= _loudness_after(heard, times_ms) >= heard.levels.integrated_lufs
    return int(apart.sum())


def _loudness_after(heard: Heard, times_ms: np.ndarray) -> np.ndarray:
    """The loudest 50 ms of the 200 ms after each time, in LUFS; ``(times,)``."""
    energy = np.pad(heard.levels.energy, (0, 25))
    smooth = np.convolve(energy, np.full(5, 0.2), "valid")
    at = np.minimum((times_ms // BIN_MS).astype(int), len(smooth) - 1)
    around = np.minimum(at[:, None] + np.arange(16), len(smooth) - 1)
    return _decibels(smooth[around].max(axis=1, initial=0.0)) - 0.691


def _span(span: Span) -> ActivitySpan:
    score = None if span.music_score is None else round(span.music_score, 4)
    return ActivitySpan(
        kind=span.kind,
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        confidence=round(span.confidence, 4),
        music_score=score,
    )


def _onsets(onsets: list[Onset]) -> Onsets:
    return Onsets(
        times_ms=tuple(1000 / STEPS_PER_S * onset.step for onset in onsets),
        strength_db=tuple(round(onset.strength_db, 2) for onset in onsets),
        sharp_db=tuple(round(onset.sharp_db, 2) for onset in onsets),
    )


def _tempi(tempi: list[Tempo], beats: list[Beat]) -> list[ActivityTempo]:
    """The tempi, each told the number of its first beat; beats stand in the tempi's order."""
    told: list[ActivityTempo] = []
    first = 0
    for tempo in tempi:
        told.append(ActivityTempo(**vars(tempo), first_beat=first))
        first += tempo.beat_count
    assert first == len(beats)
    return told


def _outputs(job: Job, activity: AudioActivity) -> list[Output]:
    path, picture = job.workdir / "activity.json", job.workdir / "activity.png"
    activity.write(path)
    draw_activity(picture, activity)
    job.progress(1.0)
    heard = activity.heard
    meta = {
        "duration_ms": activity.duration_ms,
        **heard.model_dump(mode="json"),
        "onset_count": len(activity.onsets.times_ms),
        "beat_count": len(activity.beats),
    }
    shows = "waveform, and where speech, music and silence are"
    return [
        Output(AudioActivity.kind, "activity", path, "application/json", meta),
        Output("preview", "preview", picture, "image/png", {"shows": shows}, parents=("activity",)),
    ]


ENGINE = Engine(params=ActivityParams, backend=backend, run=run)
