"""The one table: which step follows which, what it needs and makes, when, where and how long.

The local dispatcher, the topics and subscriptions in terraform/ and the docs are derived from
``STEPS``. A new engine is one new file beside its siblings and one row here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.contracts.asset import MediaInfo
from shared.errors import ValidationError

Takes = Literal["audio", "video", "pattern", "any"]


@dataclass(frozen=True)
class Step:
    """One row. ``name`` is ``function.engine``, and the engine lives in functions/<function>/<engine>.py."""

    name: str
    takes: Takes
    """What the recording must have for the step to make sense."""
    produces: tuple[str, ...]
    """Artifact kinds."""
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Earlier step -> the kinds of its artifacts whose files this step reads."""
    wants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Like ``needs``, but waited for only in a run that has it, and read only where it delivered."""
    partial: bool = False
    """Runs as soon as one of its needs delivered, though others failed."""
    default: bool = True
    """Runs on upload, unless a tenant's settings say otherwise."""
    timeout_s: int = 1800
    """After this the lease is no longer renewed, and another worker may take over."""
    machine: Literal["cpu", "gpu"] = "cpu"

    @property
    def function(self) -> str:
        """The folder below functions/, and the part of its topic's name."""
        return self.name.split(".", 1)[0]

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """Needs and wants: the earlier step -> the kinds of its artifacts."""
        return {**self.needs, **self.wants}

    def accepts(self, media: MediaInfo) -> bool:
        """Does the recording have what this step works on?"""
        has = {
            "audio": media.has_audio,
            "video": media.has_video,
            "pattern": media.is_pattern,
            "any": not media.is_pattern,
        }
        return has[self.takes]

    def concerns(self, media: MediaInfo) -> bool:
        """Is it for this sort of upload at all: patterns are performed, recordings are not?"""
        return (self.takes == "pattern") == media.is_pattern


PROBE = "probe"
"""The first step of every run. It has no row: it makes the asset that all rows work on."""

STEPS: tuple[Step, ...] = (
    Step("detect.hits", takes="audio", produces=("audio_hit", "audio_hits", "preview")),
    Step("detect.loops", takes="audio", produces=("audio_loop", "audio_loops", "preview")),
    # Minutes of work for a minute of sound on a CPU, and weights of its own: for who asks for it.
    Step(
        "separate.stems",
        takes="audio",
        produces=("audio_stem",),
        default=False,
        timeout_s=3600,
        machine="gpu",
    ),
    Step("transcribe.semantics", takes="audio", produces=("audio_semantic_timeline", "preview")),
    Step(
        "detect.phrases",
        takes="audio",
        produces=("audio_phrase", "audio_phrases", "preview"),
        wants={"transcribe.semantics": ("audio_semantic_timeline",)},
    ),
    Step(
        "sample.pack",
        takes="audio",
        produces=("audio_sample_pack", "preview"),
        needs={
            "detect.hits": ("audio_hit", "audio_hits"),
            "detect.loops": ("audio_loop", "audio_loops"),
            "detect.phrases": ("audio_phrase", "audio_phrases"),
        },
        partial=True,
    ),
    Step(
        "detect.regions",
        takes="video",
        produces=("video_region_summary", "video_region_mask", "preview"),
        timeout_s=3600,
    ),
    Step("detect.visual_meta", takes="video", produces=("visual_meta", "preview")),
    Step(
        "anonymise.faces",
        takes="video",
        produces=("video_anonymised", "video_coverage_report", "preview"),
        needs={"detect.regions": ("video_region_summary",)},
        timeout_s=3600,
    ),
    Step("transform.fx", takes="audio", produces=("audio_fx", "preview"), default=False),
    Step("transform.macro", takes="audio", produces=("audio_macro", "preview"), default=False),
    Step("transform.loudness", takes="audio", produces=("audio_loudness",)),
    Step(
        "transform.normalise",
        takes="audio",
        produces=("audio_normalised",),
        needs={"transform.loudness": ("audio_loudness",)},
    ),
    Step("transform.resample", takes="audio", produces=("audio_resampled",), default=False),
    Step("transcribe.captions", takes="audio", produces=("asr_transcript", "captions")),
    Step("perform.pattern", takes="pattern", produces=("pattern_render", "preview")),
    Step(
        "render.origin",
        takes="audio",
        produces=("video_shot_list",),
        needs={"transcribe.semantics": ("audio_semantic_timeline",)},
        default=False,
    ),
    Step(
        "render.audio",
        takes="any",
        produces=("audio_render", "audio_bus_stem"),
        default=False,
        timeout_s=3600,
    ),
    Step(
        "render.video",
        takes="video",
        produces=("video_render",),
        needs={
            "anonymise.faces": ("video_anonymised",),
            "detect.visual_meta": ("visual_meta",),
            "transcribe.captions": ("asr_transcript",),
        },
        partial=True,
        default=False,
        timeout_s=3600,
    ),
)

BY_NAME: Mapping[str, Step] = {step.name: step for step in STEPS}


def step_named(name: str) -> Step:
    """The row; raises ``ValidationError`` that lists the known names."""
    if name not in BY_NAME:
        raise ValidationError("step", f"{name!r} is unknown; known: {', '.join(BY_NAME)}")
    return BY_NAME[name]


def functions() -> dict[str, tuple[Step, ...]]:
    """Function -> its steps, in the table's order."""
    return {
        name: tuple(step for step in STEPS if step.function == name)
        for name in dict.fromkeys(step.function for step in STEPS)
    }


def default_steps() -> tuple[str, ...]:
    """What runs on an upload where nobody said otherwise."""
    return tuple(step.name for step in STEPS if step.default)


def with_needs(names: Iterable[str]) -> tuple[str, ...]:
    """The named steps and all that they need, in the table's order."""
    wanted: set[str] = set()
    ahead = list(names)
    while ahead:
        step = step_named(ahead.pop())
        if step.name not in wanted:
            wanted.add(step.name)
            ahead.extend(step.needs)
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
