"""``detect.activity``: what sounds when, heard once for every step that builds on it.

one pass      decode; levels, outline, tones, onset strength and 16 kHz on the way    (hearing)
who speaks    voice activity of the mix, Silero's                                     (speech)
what sounds   speech, music, silence, other; they touch and cover all                 (stretches)
what begins   onsets, to half a millisecond                                           (attacks)
what keeps time   tempo, beats and metre, by the recording's own repetition           (beats)

Without librosa it is the stub: outline and levels, and one stretch of it doesn't know what. Without
faster-whisper nobody can tell speech, and it says so.
"""

from __future__ import annotations

import numpy as np

from functions.detect.activity_picture import draw_activity
from shared.contracts.audio_activity import (
    ActivityBeat,
    ActivitySound,
    ActivitySpan,
    ActivitySummary,
    ActivityTempo,
    AudioActivity,
    Onsets,
    Series,
    Waveform,
)
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result, SoundParams
from shared.media.vad import FRAME_MS, speech_probabilities
from shared.sound.attacks import STEPS_PER_S, Onset, find_onsets
from shared.sound.beat_grid import Beat, Tempo, find_beats
from shared.sound.hearing import BINS_PER_S, POINTS_PER_S, Heard, listen
from shared.sound.speech import Voiced, voiced_spans, without_instruments
from shared.sound.stretches import Span, find_spans, trimmed
from shared.watch.health import report

MIN_SILENCE_MS = 300
"""A shorter pause parts nothing."""
_VOICES = "faster-whisper"
_ONSETS = "librosa"
_QUIETEST_DB = -120.0
_EVENT_DB = 2.0
"""An onset outside of speech that stands out so far is an event."""
_SPEECH_EDGE_MS = 150
"""So near to speech it is breath, lips or room."""


class ActivityParams(SoundParams):
    """Nothing to set but the stream: it is one for all that builds on it."""


def backend() -> Backend:
    """Our own listening, with Silero's voice activity; the stub without librosa."""
    found = {name: report(name) for name in (_ONSETS, _VOICES)}
    known = {name: one.dependency for name, one in found.items()}
    if found[_ONSETS].status != "ok":
        return Backend("stub", "activity-stub-1", stub=True, dependencies=known)
    heard = f"faster-whisper-{found[_VOICES].version}" if known[_VOICES].available else "no-voices"
    return Backend("rushes", f"activity-1+{heard}", dependencies=known)


def run(job: Job, params: ActivityParams, backend: Backend) -> Result:
    """Listen. Raises ``UnsupportedMedia`` where nothing can be decoded, ``TimedOut``."""
    heard = listen(job, by_channel=False, progress=lambda done: job.progress(0.6 * done))
    voices = not backend.stub and backend.dependencies[_VOICES].available
    activity = _unheard(job, heard) if backend.stub else hear(job, heard, voices=voices)
    made = _outputs(job, activity)
    if heard.tracks.silent:
        return Result(made, reason="silent recording")
    if not voices and not backend.stub:
        error = backend.dependencies[_VOICES].error
        return Result(made, StepState.DEGRADED, f"speech is not told from other sounds: {error}")
    return Result(made)


def hear(job: Job, heard: Heard, *, voices: bool) -> AudioActivity:
    """All that there is to tell of what was decoded; of speech only with ``voices``."""
    probability = np.zeros(0, np.float32)
    voiced: list[Voiced] = []
    if voices:
        probability = speech_probabilities(
            heard.voices[0], lambda done: job.progress(0.6 + 0.3 * done)
        )
        found = voiced_spans(probability, len(heard.voices[0]), heard.duration_ms, MIN_SILENCE_MS)
        voiced = trimmed(without_instruments(found, heard), heard)
    spans = find_spans(heard, voiced, MIN_SILENCE_MS)
    onsets = find_onsets(heard.tracks, heard.slope)
    beats, tempi = find_beats(heard.tracks, spans)
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


def _measured(job: Job, heard: Heard) -> dict[str, object]:
    """What needs no judgement."""
    tracks = heard.tracks
    hop_ms = 1000 * tracks.hop / tracks.sample_rate_hz
    peak = float(np.abs(heard.outline).max(initial=0.0)) or 1.0
    lowest, highest = (
        Series.of(edge, 1000 / POINTS_PER_S, "int16", peak / 32_767) for edge in heard.outline
    )
    lufs = _decibels(heard.energy) - 0.691
    power = _decibels(tracks.power.astype(np.float64))
    rate = job.media.heard.sample_rate_hz
    return {
        "duration_ms": heard.duration_ms,
        "sound": ActivitySound(sample_rate_hz=rate, **job.media.heard.to_meta()),
        "damage": heard.damage,
        "min_silence_ms": MIN_SILENCE_MS,
        "waveform": Waveform(lowest=lowest, highest=highest),
        "level_lufs": Series.of(lufs, 1000 / BINS_PER_S, "int16", 0.01, squeezed=True),
        "level_dbfs": Series.of(power, hop_ms, "int16", 0.01, squeezed=True),
        "onset_envelope": Series.of(tracks.flux_db, hop_ms, "uint8", 0.1),
        "spectrum": Series.of(tracks.bands_db, hop_ms, "int8", 1.0, squeezed=True),
    }


def _decibels(power: np.ndarray) -> np.ndarray:
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (_QUIETEST_DB / 10))))


def _unheard(job: Job, heard: Heard) -> AudioActivity:
    """What the stub gives: one stretch of it doesn't know what."""
    whole = ActivitySpan(kind="other", start_ms=0, end_ms=heard.duration_ms, confidence=0.0)
    levels = ActivitySummary(**_levels(heard))
    return AudioActivity(**_measured(job, heard), heard=levels, spans=(whole,))


def _levels(heard: Heard) -> dict[str, float | None]:
    peak = float(np.abs(heard.outline).max(initial=0.0))
    lufs = heard.integrated_lufs
    return {
        "integrated_lufs": round(lufs, 2) if lufs > -70 else None,
        "peak_dbfs": round(float(20 * np.log10(peak)), 2) if peak > 0 else None,
    }


def _summary(
    heard: Heard, spans: list[Span], onsets: Onsets, tempi: list[Tempo], *, voices: bool
) -> ActivitySummary:
    lasting = dict.fromkeys(("speech", "music", "silence", "other"), 0)
    for span in spans:
        lasting[span.kind] += span.end_ms - span.start_ms
    longest = max(tempi, key=lambda tempo: tempo.end_ms - tempo.start_ms, default=None)
    return ActivitySummary(
        speech_ms=lasting["speech"] if voices else None,
        music_ms=lasting["music"],
        silence_ms=lasting["silence"],
        other_ms=lasting["other"],
        event_count=_events(onsets, spans),
        bpm=longest.bpm if longest else None,
        **_levels(heard),
    )


def _events(onsets: Onsets, spans: list[Span]) -> int:
    """Onsets that stand out, away from speech."""
    times_ms, strength_db = np.array(onsets.times_ms), np.array(onsets.strength_db)
    apart = strength_db >= _EVENT_DB
    for span in spans:
        if span.kind == "speech":
            inside = times_ms >= span.start_ms - _SPEECH_EDGE_MS
            apart &= ~(inside & (times_ms < span.end_ms + _SPEECH_EDGE_MS))
    return int(apart.sum())


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
        "heard": heard.model_dump(mode="json"),
        "onset_count": len(activity.onsets.times_ms),
        "beat_count": len(activity.beats),
    }
    shows = "waveform, and where speech, music and silence are"
    return [
        Output(AudioActivity.kind, "activity", path, "application/json", meta),
        Output("preview", "preview", picture, "image/png", {"shows": shows}, parents=("activity",)),
    ]


ENGINE = Engine(params=ActivityParams, backend=backend, run=run)
