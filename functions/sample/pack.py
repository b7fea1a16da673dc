"""``sample.pack``: one recording's hits, loops and phrases as files that a sampler or DAW opens.

A zip with one folder in it, called after the recording: WAVs that are called what they are, such as
``Kick 01.wav``, ``Loop 126 BPM 1 bar.wav`` or ``Phrase - and so.wav``; instruments for SFZ players,
DecentSampler and MPCs, ``manifest.json`` and a contact sheet. Where a detection failed the others
are packed, the state is ``degraded``, and its error stands in the manifest and the meta. Memory:
one segment (30 s at most) and its copies.

Reads the artifacts ``audio_hit``, ``audio_loop``, ``audio_phrase`` and their summaries; writes
``audio_sample_pack`` (the zip, and the manifest once more) and ``preview``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from functions.sample.archive import Pack
from functions.sample.members import SORTS, Member, Sort, best, named, sounds_of
from shared.contracts.context import RequestContext
from shared.contracts.ids import digest
from shared.contracts.plurals import many
from shared.contracts.step import StepState
from shared.contracts.step_engine import (
    Backend,
    Engine,
    InputFile,
    Job,
    Output,
    Result,
    StepParams,
    check_range,
)
from shared.errors import ValidationError
from shared.runs.results_folder import stem_of
from shared.watch.health import installed

REVISION = "pack-5"
"""Raise it when the same segments and params give another zip."""
MEMBERS_IN_META = 400
"""Of longer lists the meta has the best; all stand in the manifest."""
_PACKAGES = ("numpy", "pillow", "soundfile")
"""What must be installed; numpy's version stands in the backend's."""

Include = Literal["hits", "loops", "phrases"]


class PackParams(StepParams):
    """What goes into the pack.

    A quality beyond 0..1 is clamped when the pack is made, and its meta says so under ``clamped``.
    """

    min_quality_score: float = 0.25
    """Segments that score less are left out, 0 to 1."""
    max_takes: int = 4
    """Of a sound that is played again and again so many of the best are packed, 1 to 64."""
    start_offset_ms: float = 0.0
    """Only segments that begin here or later."""
    end_offset_ms: float | None = None
    """Only segments that end here or earlier; ``None``: up to the recording's end."""
    include: tuple[Include, ...] = ("hits", "loops", "phrases")
    """Which sorts of segments; a list, or names with commas between them."""

    @field_validator("include", mode="before")
    @classmethod
    def _listed(cls, names: Any) -> Any:
        return [name.strip() for name in names.split(",")] if isinstance(names, str) else names

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_range("max_takes", self.max_takes, 1, 64)
        if not self.include:
            raise ValidationError("include", f"names none of {', '.join(SORTS)}")
        if self.start_offset_ms < 0:
            raise ValidationError("start_offset_ms", "is below the minimum allowed, 0")
        if self.end_offset_ms is not None and self.end_offset_ms <= self.start_offset_ms:
            raise ValidationError("end_offset_ms", "is not after start_offset_ms")
        return self

    @property
    def quality(self) -> float:
        """``min_quality_score`` within 0..1."""
        return min(max(self.min_quality_score, 0.0), 1.0)

    @property
    def clamped(self) -> dict[str, dict[str, float]]:
        """What was given and what is used, where they differ."""
        given = self.min_quality_score
        differ = given != self.quality
        return {"min_quality_score": {"given": given, "used": self.quality}} if differ else {}

    @property
    def used(self) -> dict[str, Any]:
        """As manifest and meta have them."""
        return {
            "min_quality_score": self.quality,
            "max_takes": self.max_takes,
            "start_offset_ms": self.start_offset_ms,
            "end_offset_ms": self.end_offset_ms,
            "include": sorted(set(self.include)),
            "clamped": self.clamped,
        }

    def within(self, start_ms: float, end_ms: float) -> bool:
        """Does a segment lie between the offsets?"""
        last = self.end_offset_ms
        return start_ms >= self.start_offset_ms and (last is None or end_ms <= last)


def backend() -> Backend:
    """This module; raises ``MissingDependency`` for a package that isn't installed."""
    found = installed(*_PACKAGES)
    named = f"{REVISION}+numpy-{found['numpy'].version}"
    return Backend("rushes_pack", named, dependencies=found)


def cache_key(
    ctx: RequestContext,
    asset_id: str,
    artifact_id: str | None,
    params: PackParams,
    backend_version: str,
    upstream: Mapping[str, str],
) -> str:
    """SHA-256 of asset id (which is of one tenant and env), parameter map and backend version.

    The detections' own keys are among the parameters: a param changed there gives another pack,
    while a detection that failed keeps its key, and so does the pack.
    """
    include = sorted(set(params.include))
    parameters = {**params.model_dump(mode="json"), "include": include, "detections": {**upstream}}
    if artifact_id is not None:
        parameters["artifact_id"] = artifact_id
    return digest(asset_id, parameters, backend_version)


def run(job: Job, params: PackParams, backend: Backend) -> Result:
    """Choose, name and pack. Raises ``UnsupportedMedia`` for a segment that is no WAV.

    Also ``ValidationError`` for one whose meta can't be read. Nothing to pack is ``skipped``, with
    an empty pack.
    """
    chosen = {name: choose(job, sort, params) for name, sort in SORTS.items()}
    outcomes = {
        sort.step: _outcome(job, name, chosen[name], params) for name, sort in SORTS.items()
    }
    picture = job.workdir / "contact_sheet.png"
    archive = job.workdir / "pack.zip"
    manifest = job.workdir / "manifest.json"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as into:
        pack = Pack(into, stem_of(job.recording), params.used, outcomes)
        pack.add_segments(job, named(chosen))
        pack.draw(picture)
        pack.add_papers(job, manifest, picture)
    outputs = _outputs(job, pack, (archive, manifest, picture))
    return Result(outputs, *_state(pack))


def choose(job: Job, sort: Sort, params: PackParams) -> list[InputFile]:
    """The segments of one sort for the pack: in the recording's order, hits sound by sound.

    Those that score ``min_quality_score`` or more and lie between the offsets, of each sound the
    best ``max_takes``; none of a sort that is not included.
    """
    if f"{sort.thing}s" not in params.include:
        return []
    read = [(sort.read(file), file) for file in _segments(job, sort)]
    good = [
        (about, file)
        for about, file in read
        if about.score >= params.quality and params.within(about.start_ms, about.end_ms)
    ]
    good.sort(key=lambda one: (one[0].start_ms, one[0].end_ms))
    files = [file for _, file in good]
    if sort.thing != "hit":
        return files
    return [file for takes in sounds_of(files) for file, _ in takes[: params.max_takes]]


def _segments(job: Job, sort: Sort) -> list[InputFile]:
    """The sort's segments that the job brings, as its detection left them."""
    return [segment for segment in job.inputs.get(sort.step, ()) if segment.kind == sort.kind]


def _summary(job: Job, sort: Sort) -> InputFile | None:
    """The detection's summary; ``None`` where the job brings none, for the detection failed."""
    kind = f"{sort.kind}s"
    return next((each for each in job.inputs.get(sort.step, ()) if each.kind == kind), None)


def _outcome(
    job: Job, name: str, chosen: Sequence[InputFile], params: PackParams
) -> dict[str, Any]:
    """What became of one detection: its state, how much of it is packed, its error."""
    sort = SORTS[name]
    summary, trouble = _summary(job, sort), job.failed.get(sort.step)
    state = "done" if trouble is None else "failed" if "code" in trouble else "skipped"
    return {
        "state": state,
        "error": dict(trouble) if trouble is not None and state == "failed" else None,
        "reason": trouble.get("reason") if trouble is not None else None,
        "included": name in params.include,
        "found": len(_segments(job, sort)),
        "packed": len(chosen),
        "backend_type": summary.meta.get("backend_type") if summary else None,
        "backend_version": summary.meta.get("backend_version") if summary else None,
    }


def _outputs(job: Job, pack: Pack, paths: tuple[Path, Path, Path]) -> list[Output]:
    archive, manifest, picture = paths
    meta = _meta(pack)
    parents = tuple(_parents(job, pack))
    shows = {"shows": f"contact sheet of {pack.title}"}
    job.progress(1.0)
    return [
        Output("audio_sample_pack", "pack", archive, "application/zip", meta, parents),
        Output("audio_sample_pack", "manifest", manifest, "application/json", meta, ("pack",)),
        Output("preview", "preview", picture, "image/png", shows, ("pack",)),
    ]


def _meta(pack: Pack) -> dict[str, Any]:
    return {
        "outcomes": pack.outcomes,
        **pack.used,
        "member_count": len(pack.members),
        "members": [_short(member) for member in best(pack.members, MEMBERS_IN_META)],
        "folder": pack.folder,
    }


def _short(member: Member) -> dict[str, Any]:
    told = {"start_ms", "end_ms", "score", "confidence"}
    return {"file": member.file, **member.segment.model_dump(include=told)}


def _parents(job: Job, pack: Pack) -> Iterator[str]:
    """The detections' summaries, and the members unless they are too many for a document."""
    summaries = (_summary(job, sort) for sort in SORTS.values())
    yield from (summary.artifact_id for summary in summaries if summary is not None)
    if len(pack.members) <= MEMBERS_IN_META:
        yield from (member.artifact_id for member in pack.members)


def _state(pack: Pack) -> tuple[StepState, str | None]:
    """Degraded where a detection that was wanted failed; skipped where there is nothing to pack."""
    failures = [
        f"{step} failed: {row['error']['message']}"
        for step, row in pack.outcomes.items()
        if row["included"] and row["error"] is not None
    ]
    found = sum(row["found"] for row in pack.outcomes.values() if row["included"])
    least = f"{pack.used['min_quality_score']:g}"
    quality = (
        f"none of {many(found, 'segment')} scores {least} or more and lies between the offsets"
    )
    empty = [] if pack.members else [quality if found else "nothing was found"]
    if failures:
        return StepState.DEGRADED, "; ".join(failures + empty)
    return (StepState.SKIPPED, empty[0]) if empty else (StepState.DONE, None)


ENGINE = Engine(params=PackParams, backend=backend, run=run, cache_key=cache_key)
