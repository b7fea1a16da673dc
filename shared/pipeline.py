"""The one table: which step follows which, what it needs and makes, when, where and how long.

Derived from ``STEPS``: the local dispatcher, the topics and subscriptions in terraform/, the HTTP
paths, the kinds of artifacts and what registration demands of them, the names that the console and
the command show, capacity's figures for what was not measured yet, and the docs. A new engine is one
new file beside its siblings and one row here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.contracts.artifact import Kind
from shared.contracts.row import Step
from shared.errors import ValidationError

PROBE = "probe"
"""The first step of every run. It has no row: it makes the asset that all rows work on."""
PROBE_TITLE = "Read"
ACTIVITY = "detect.activity"
"""The step that says what a recording holds."""

_ACTIVITY: Mapping[str, tuple[str, ...]] = {ACTIVITY: ("audio_activity",)}
_SEGMENT = ("start_ms", "end_ms", "score", "confidence")
_PACK = ("outcomes", "min_quality_score", "members")
_CUTS = ("rules", "duration_ms", "new_duration_ms", "edits", "removed_ms")
_SEGMENT_SUMMARY = ("duration_ms", "segment_count")
_SEMANTICS = (
    *("semantic_version", "model_used", "include_beats", "include_speech_music"),
    *("min_silence_ms", "loudness_window_ms", "speed_change_limit", "audio_semantic_cache_key"),
)
_LOOKED = ("model_used", "duration_ms", "frame_sample_interval_ms")
_COVERED = (
    *("summary_artifact_id", "summary_backend_version", "preset", "face_count", "frames_covered"),
)
_SOUND = ("preset_id", "dry_wet", "knob_values")
_MIX = (
    *("bus_id", "roles", "gain_db", "export_preset", "limiter_thresh", "headroom"),
    *("loudnorm_target", "dithered", "render_profile"),
)
_EXCERPT = Kind("audio_excerpt", "Excerpt", demands=(*_SOUND, "start_ms"))
"""What an effect makes of some seconds, to be tried."""
PREVIEW = Kind("preview", "Picture", demands=("shows",))
"""A picture for people; ``shows`` says of what."""

STEPS: tuple[Step, ...] = (
    Step(
        ACTIVITY,
        title="Activity",
        path="/audio/activity/detect",
        takes="audio",
        produces=(
            Kind("audio_activity", "What sounds when", demands=("sound", "duration_ms", "holds")),
            PREVIEW,
        ),
        shares=("stream",),
    ),
    Step(
        "detect.hits",
        title="Hits",
        path="/audio/hits/detect",
        takes="audio",
        listens_to="sound events",
        produces=(
            Kind("audio_hit", "Hit", demands=_SEGMENT),
            Kind("audio_hits", "Hits, listed", demands=_SEGMENT_SUMMARY),
            PREVIEW,
        ),
        needs=_ACTIVITY,
    ),
    Step(
        "detect.loops",
        title="Loops",
        path="/audio/loops/detect",
        takes="audio",
        listens_to="music",
        produces=(
            Kind("audio_loop", "Loop", demands=(*_SEGMENT, "bpm", "bars", "beats_ms")),
            Kind("audio_loops", "Loops, listed", demands=_SEGMENT_SUMMARY),
            PREVIEW,
        ),
        needs=_ACTIVITY,
    ),
    # Minutes of work for a minute of sound on a CPU, and weights of its own: for who asks for it.
    Step(
        "separate.stems",
        title="Stems",
        path="/audio/separate",
        takes="audio",
        produces=(Kind("audio_stem", "Stem", demands=("stem", "model_used", "runtime", "device")),),
        default=False,
        timeout_s=3600,
        machine="gpu",
    ),
    Step(
        "transcribe.words",
        title="Words",
        path="/audio/words/recognise",
        takes="audio",
        listens_to="speech",
        produces=(
            Kind("audio_words", "Words, listed", demands=("model_used", "language", "speakers")),
        ),
        needs=_ACTIVITY,
        shares=("stream", "language", "speakers", "glossary", "task"),
    ),
    Step(
        "transcribe.semantics",
        title="Speech, music, beats",
        path="/audio/semantic-timeline/analyze",
        takes="audio",
        produces=(
            Kind("audio_semantic_timeline", "Semantic timeline", demands=_SEMANTICS),
            PREVIEW,
        ),
        needs={**_ACTIVITY, "transcribe.words": ("audio_words",)},
        partial=True,
    ),
    Step(
        "detect.phrases",
        title="Phrases",
        path="/audio/phrases/detect",
        takes="audio",
        listens_to="speech",
        produces=(
            Kind("audio_phrase", "Phrase", demands=(*_SEGMENT, "transcript")),
            Kind("audio_phrases", "Phrases, listed", demands=_SEGMENT_SUMMARY),
            PREVIEW,
        ),
        needs=_ACTIVITY,
        wants={"transcribe.words": ("audio_words",)},
    ),
    Step(
        "sample.pack",
        title="Sample pack",
        path="/audio/samples/pack",
        takes="audio",
        produces=(Kind("audio_sample_pack", "Sample pack", demands=_PACK), PREVIEW),
        needs={
            "detect.hits": ("audio_hit", "audio_hits"),
            "detect.loops": ("audio_loop", "audio_loops"),
            "detect.phrases": ("audio_phrase", "audio_phrases"),
        },
        partial=True,
    ),
    Step(
        "detect.regions",
        title="Faces",
        path="/video/regions",
        takes="video",
        produces=(
            Kind("video_region_summary", "Faces, listed", demands=(*_LOOKED, "include_regions")),
            Kind("video_region_mask", "Face mask", demands=("track_id",), folder="regions"),
            PREVIEW,
        ),
        timeout_s=3600,
    ),
    Step(
        "detect.visual_meta",
        title="Shots",
        path="/video/visual-meta/analyze",
        takes="video",
        produces=(
            Kind("visual_meta", "Shots and motion", demands=_LOOKED),
            PREVIEW,
        ),
    ),
    Step(
        "anonymise.faces",
        title="Blur faces",
        path="/video/anonymise/faces",
        takes="video",
        produces=(
            Kind("video_anonymised", "Anonymised video", demands=_COVERED),
            Kind(
                "video_coverage_report",
                "Coverage report",
                demands=("summary_artifact_id", "doubt_count"),
            ),
            PREVIEW,
        ),
        needs={"detect.regions": ("video_region_summary",)},
        timeout_s=3600,
    ),
    Step(
        "transform.fx",
        title="Effect",
        path="/audio/fx/apply",
        takes="audio",
        produces=(Kind("audio_fx", "Effect", demands=_SOUND), _EXCERPT, PREVIEW),
        default=False,
    ),
    Step(
        "transform.macro",
        title="Macro",
        path="/audio/macros/apply",
        takes="audio",
        produces=(Kind("audio_macro", "Macro", demands=_SOUND), _EXCERPT, PREVIEW),
        default=False,
    ),
    Step(
        "transform.loudness",
        title="Loudness",
        path="/audio/loudness/measure",
        takes="audio",
        produces=(
            Kind(
                "audio_loudness",
                "Loudness, measured",
                demands=("integrated_lufs", "loudness_range_lu", "true_peak_dbtp"),
            ),
        ),
    ),
    Step(
        "transform.normalise",
        title="Normalise",
        path="/audio/normalise",
        takes="audio",
        produces=(Kind("audio_normalised", "Normalised", demands=("norm_stats", "target_lufs")),),
        needs={"transform.loudness": ("audio_loudness",)},
        wants={"detect.activity": ("audio_activity",)},
    ),
    Step(
        "transform.resample",
        title="Tempo and pitch",
        path="/audio/resample",
        takes="audio",
        produces=(
            Kind(
                "audio_resampled",
                "Tempo and pitch changed",
                demands=("tempo", "pitch", "quality"),
            ),
        ),
        default=False,
    ),
    Step(
        "transcribe.captions",
        title="Transcript",
        path="/video/captions/generate",
        takes="audio",
        listens_to="speech",
        produces=(
            Kind("asr_transcript", "Transcript", demands=("model_used", "duration_ms", "language")),
            Kind("captions", "Captions", demands=("language", "format", "transcript")),
        ),
        needs={"transcribe.words": ("audio_words",)},
        wants={"detect.visual_meta": ("visual_meta",)},
    ),
    Step(
        "edit.cut",
        title="Cuts",
        path="/audio/edit-list/make",
        takes="audio",
        produces=(Kind("edit_list", "Cuts, listed", demands=_CUTS),),
        needs={**_ACTIVITY, "transcribe.words": ("audio_words",)},
        wants={"detect.phrases": ("audio_phrases",), "detect.visual_meta": ("visual_meta",)},
        default=False,
    ),
    Step(
        "perform.pattern",
        title="Perform",
        path="/audio/patterns/perform",
        takes="pattern",
        produces=(
            Kind(
                "pattern_render",
                "Performance",
                demands=("tempo", "loudness_rows", "automation_log"),
            ),
            PREVIEW,
        ),
    ),
    Step(
        "render.origin",
        title="Shots from clips",
        path="/audio/to-video-origin",
        takes="audio",
        produces=(
            Kind(
                "video_shot_list",
                "Shots from clips",
                demands=("semantic_version", "semantic_cache_key", "shot_count"),
            ),
        ),
        needs={"transcribe.semantics": ("audio_semantic_timeline",)},
        default=False,
    ),
    Step(
        "render.audio",
        title="Mix",
        path="/audio/render",
        takes="any",
        produces=(
            Kind("audio_render", "Mix", demands=_MIX),
            Kind("audio_bus_stem", "Bus stem", demands=(*_MIX, "parent_master")),
        ),
        default=False,
        timeout_s=3600,
    ),
    Step(
        "render.video",
        title="Video cut",
        path="/video/render",
        takes="video",
        produces=(Kind("video_render", "Rendered video", demands=("plan",)),),
        needs={
            "anonymise.faces": ("video_anonymised",),
            "detect.visual_meta": ("visual_meta",),
            "transcribe.captions": ("asr_transcript",),
        },
        spares={"anonymise.faces": ("faces", "original")},
        partial=True,
        default=False,
        timeout_s=3600,
    ),
)

BY_NAME: Mapping[str, Step] = {step.name: step for step in STEPS}
KINDS: Mapping[str, Kind] = {kind.name: kind for step in STEPS for kind in step.produces}
"""Every kind of artifact there is, by name: each is some step's."""


def step_named(name: str) -> Step:
    """The row; raises ``ValidationError`` that lists the known names."""
    if name not in BY_NAME:
        raise ValidationError("step", f"{name!r} is unknown; known: {', '.join(BY_NAME)}")
    return BY_NAME[name]


def kind_named(name: str) -> Kind:
    """The kind; raises ``ValidationError`` that lists the known names."""
    if name not in KINDS:
        raise ValidationError("kind", f"{name!r} is unknown; known: {', '.join(KINDS)}")
    return KINDS[name]


def title_of(step: str) -> str:
    """What people call a step; its own name where this release has no such step any more."""
    if step == PROBE:
        return PROBE_TITLE
    return BY_NAME[step].title if step in BY_NAME else step


def functions() -> dict[str, tuple[Step, ...]]:
    """Function -> its steps, in the table's order."""
    return {
        name: tuple(step for step in STEPS if step.function == name)
        for name in dict.fromkeys(step.function for step in STEPS)
    }


def default_steps() -> tuple[str, ...]:
    """What runs on an upload where nobody said otherwise."""
    return tuple(step.name for step in STEPS if step.default)


def with_needs(
    names: Iterable[str], params: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[str, ...]:
    """The named steps and all that they need, with these params of theirs, in the table's order."""
    wanted: set[str] = set()
    ahead = list(names)
    while ahead:
        step = step_named(ahead.pop())
        if step.name not in wanted:
            wanted.add(step.name)
            said = (params or {}).get(step.name, {})
            spared = (
                need for need, (name, value) in step.spares.items() if said.get(name) == value
            )
            ahead.extend(step.needs.keys() - spared)
    return tuple(step.name for step in STEPS if step.name in wanted)


def followers(name: str, among: Iterable[str]) -> tuple[Step, ...]:
    """The steps among ``among`` that read ``name``'s artifacts."""
    rows = (BY_NAME[other] for other in among if other in BY_NAME)
    return tuple(row for row in rows if name in row.reads)


def with_followers(name: str) -> tuple[str, ...]:
    """``name`` and every default step that follows from it, directly or not, in the table's order."""
    found = {step_named(name).name}
    for step in STEPS:
        if step.default and found.intersection(step.reads):
            found.add(step.name)
    return tuple(step.name for step in STEPS if step.name in found)
