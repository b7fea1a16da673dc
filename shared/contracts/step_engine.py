"""What an engine is: a pure function over local files, and how it declares itself.

A step ``detect.hits`` is the module ``functions/detect/hits.py``, which has a module-level
``ENGINE = Engine(...)``. An engine knows nothing of clouds, tenants or events: it gets local paths
and a params model, writes files below ``job.workdir``, and returns them with their meta.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from pydantic import ConfigDict, Field

from shared.contracts.asset import MediaInfo
from shared.contracts.context import RequestContext
from shared.contracts.model import Model
from shared.contracts.step import StepState
from shared.errors import ValidationError


class StepParams(Model):
    """Base of every ``<Step>Params``. Unknown names are errors; defaults are the engine's.

    A param that only clamps (rather than refuses) does so in its validator and the engine reports
    it in the meta. Values are JSON: they become part of the cache key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SoundParams(StepParams):
    """Base of the params of steps that work on a recording's sound."""

    stream: int | None = Field(default=None, ge=0, lt=64)
    """Which sound stream, counted from 0; ``None``: the one chosen when it was taken in."""


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise ``ValidationError`` naming the field where ``value`` is not in ``[low, high]``."""
    if value < low:
        raise ValidationError(name, f"{_told(value)} is below the minimum allowed, {low:g}")
    if value > high:
        raise ValidationError(name, f"{_told(value)} exceeds the maximum allowed, {high:g}")


def _told(number: float) -> str:
    """A number for people: JSON can bring a whole one of thousands of digits, which no float holds."""
    try:
        return f"{number:g}"
    except OverflowError:
        return "a number of more than 300 digits"


def out_of_range(name: str, given: float, used: float) -> str:
    """What people are told of a number that was brought into its range."""
    return f"{name} {_told(given)} is out of range: {used:g} was taken"


@dataclass(frozen=True)
class Dependency:
    """One tool or package that an engine leans on, as the health probe found it."""

    available: bool
    version: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Backend:
    """Which implementation does the work, and its versions: part of every cache key and meta."""

    name: str
    """``librosa``, ``ffmpeg``, ``stub``..."""
    version: str
    """Engine revision and library version: ``hits-1+librosa-0.11.0``. Raise the revision whenever
    the same input and params give other results than before."""
    stub: bool = False
    dependencies: Mapping[str, Dependency] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """``stub`` when it is one, otherwise the backend's name."""
        return "stub" if self.stub else self.name


@dataclass(frozen=True)
class InputFile:
    """An artifact of an earlier step, already on this machine."""

    artifact_id: str
    kind: str
    path: Path
    meta: Mapping[str, Any]


@dataclass(frozen=True)
class SourceRef:
    """Another recording or artifact of the tenant that a step's params name: one of the two."""

    asset_id: str | None = None
    artifact_id: str | None = None
    of_recording: str | None = None
    """The param that names it, where it must be an artifact of the recording that is worked on."""

    @property
    def identifier(self) -> str:
        """The one that is given: the key in ``Job.sources``."""
        return self.artifact_id or self.asset_id or ""


class Progress(Protocol):
    """Told how far the work is, 0 to 1. Cheap to call often; raises ``LeaseLost`` to stop the work."""

    def __call__(self, fraction: float, /) -> None:
        """Report; ``fraction`` never falls."""


@dataclass(frozen=True)
class Job:
    """Everything an engine may know."""

    source: Path
    """The recording (or the artifact that the request named). Read only."""
    media: MediaInfo
    """What probing found in the recording."""
    workdir: Path
    """Empty, private, removed afterwards. Write results here."""
    progress: Progress
    inputs: Mapping[str, Sequence[InputFile]] = field(default_factory=dict)
    """Earlier step -> its artifacts of the kinds that the pipeline table names."""
    failed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Earlier step -> its error object (or ``{"reason": ...}`` when it was skipped)."""
    sources: Mapping[str, Path] = field(default_factory=dict)
    """What ``Engine.sources`` and ``references`` asked for: asset or artifact id -> file. Read only."""
    asset_id: str = ""
    recording: str = ""
    """What the recording's file was called when it first came, for names in what is made of it."""
    artifact_id: str | None = None
    cache_key: str = ""
    """What the work is called outside: to be repeated in a result whose documents demand it, and
    for nothing else."""


@dataclass(frozen=True)
class Output:
    """One file to be stored as an artifact."""

    kind: str
    name: str
    """Unique and stable within the step: the artifact id derives from it. ``hit_0001``."""
    path: Path
    content_type: str
    meta: Mapping[str, Any]
    """What its kind demands, and more. JSON, nothing random, no time stamps, floats rounded. The
    runtime adds ``backend``, ``backend_type``, ``backend_version``, ``cache_key``, ``backend_info``."""
    parents: Sequence[str] = ()
    """Names of other outputs of this result, or ids of artifacts, that it was made from."""


@dataclass(frozen=True)
class Result:
    """What an engine made. ``SKIPPED`` and ``DEGRADED`` say why in ``reason``, ``DONE`` what people
    should know beside it: that another model stood in, say."""

    outputs: Sequence[Output] = ()
    state: StepState = StepState.DONE
    reason: str | None = None

    @property
    def told(self) -> str | None:
        """The reason, behind what the outputs' ``clamped`` say: whoever wished for 3 reads that it is -5."""
        clamped = {
            name: taken
            for output in self.outputs
            for name, taken in output.meta.get("clamped", {}).items()
        }
        told = [
            out_of_range(name, taken["given"], taken["used"]) for name, taken in clamped.items()
        ]
        return "; ".join([*told, *([self.reason] if self.reason else [])]) or None


JOINING_FROM = 0.95
"""Of the progress of what is done in parts."""


@dataclass(frozen=True)
class Share:
    """Tells a share of the work as that much of the whole."""

    progress: Progress
    before: float
    share: float

    def __call__(self, fraction: float, /) -> None:
        """See ``Progress``."""
        told = self.before + self.share * min(max(fraction, 0.0), 1.0)
        self.progress(round(told, 9))  # where one share ends the next begins, to the last bit


@dataclass(frozen=True)
class Part:
    """A stretch of a long recording that is worked on apart from the others."""

    start_ms: int
    end_ms: int
    """Of the recording; what fails is told with it."""


MOST_PARTS = 128


def even_parts(duration_ms: int, part_ms: int) -> list[Part]:
    """Parts of about ``part_ms``, longer where there would be over ``MOST_PARTS``; none for one."""
    count = min(MOST_PARTS, round(duration_ms / part_ms))
    borders_ms = [duration_ms * number // count for number in range(count + 1)] if count > 1 else []
    return [Part(low, high) for low, high in pairwise(borders_ms)]


class Split(Protocol):
    """Plans the parts of a recording."""

    def __call__(
        self, media: MediaInfo, inputs: Mapping[str, Sequence[InputFile]], params: Any, /
    ) -> Sequence[Part]:
        """In order; fewer than two: it is done in one piece.

        Pure: the same for the same arguments and backend version, whoever asks and however often.
        """


@dataclass(frozen=True)
class Parts:
    """How a step of a long recording is done in parts, side by side on as many machines as there are.

    What a part leaves is one file, which depends on nothing but the job and the part.
    """

    split: Split
    part: Callable[[Job, Any, Backend, Part], Path]
    """Do one part: the file, below ``job.workdir``. Progress is the part's own."""
    join: Callable[[Job, Any, Backend, Sequence[Path]], Result]
    """Make the result of all parts' files, in their order."""
    read_recording: Callable[[Mapping[str, Sequence[InputFile]], Any], bool] | None = None
    """Does a part read the recording itself? ``None``: each does. For one that does not it is not fetched,
    so that at ``Job.source`` there is nothing."""

    def run(self, job: Job, params: Any, backend: Backend) -> Result:
        """All parts, one after the other: an engine's ``run``, also for what is one part."""
        parts = self.split(job.media, job.inputs, params) or [Part(0, job.media.duration_ms or 0)]
        files = []
        for number, part in enumerate(parts):
            workdir = job.workdir / f"part_{number:05d}"
            workdir.mkdir()
            told = Share(
                job.progress, JOINING_FROM * number / len(parts), JOINING_FROM / len(parts)
            )
            files.append(
                self.part(replace(job, workdir=workdir, progress=told), params, backend, part)
            )
        told = Share(job.progress, JOINING_FROM, 1 - JOINING_FROM)
        return self.join(replace(job, progress=told), params, backend, files)


class CacheKeyFormula(Protocol):
    """A step's own cache key, where a document fixes its form."""

    def __call__(
        self,
        ctx: RequestContext,
        asset_id: str,
        artifact_id: str | None,
        params: Any,
        backend_version: str,
        upstream: Mapping[str, str],
        /,
    ) -> str:
        """The key as text; ``upstream`` maps each needed step to its own cache key."""


@dataclass(frozen=True)
class Engine:
    """A step's declaration, found by name."""

    params: type[StepParams]
    backend: Callable[[], Backend]
    """Choose the backend for this machine, by what ``shared.watch.surroundings`` shows alone; raises
    ``MissingDependency`` where there is no stub."""
    run: Callable[[Job, Any, Backend], Result]
    """Do the work. Raises ``shared.errors``; anything else is reported as ``backend_failed``."""
    cache_key: CacheKeyFormula | None = None
    """``None``: the common formula of ``shared.steps.claims``."""
    sources: Callable[[Any], Sequence[SourceRef]] | None = None
    """What else of the tenant's the params name. The runtime finds them all before anything runs
    (``NotFound`` for what is missing or another tenant's), makes their bytes part of the cache key,
    and hands them in as ``Job.sources``."""
    parts: Parts | None = None
    """How a long recording is done in parts; its ``run`` does the same, one part after the other."""
    references: Callable[[Path], Sequence[str]] | None = None
    """Ids of the tenant's artifacts that the source file itself names; they come in ``Job.sources``,
    too. (Their ids derive from what they hold, and the file is part of the cache key.)"""
