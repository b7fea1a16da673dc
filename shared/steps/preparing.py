"""A step request made ready: its engine, params and backend, its cache key, and its engine's files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError as PydanticError

from shared.contracts.artifact import Artifact
from shared.contracts.asset import Asset, MediaInfo
from shared.contracts.context import RequestContext
from shared.contracts.model import refusal_of
from shared.contracts.row import Step
from shared.contracts.step import StepRequest
from shared.contracts.step_engine import (
    Backend,
    Engine,
    InputFile,
    Job,
    Progress,
    SoundParams,
    SourceRef,
    StepParams,
    out_of_range,
)
from shared.contracts.topics import steps_topic
from shared.errors import MissingDependency, NotFound, ValidationError
from shared.homes.home import Home
from shared.homes.objects.fetch import fetch_object
from shared.homes.tenant_limits import most_bytes
from shared.pipeline import step_named
from shared.steps.asked import Asked
from shared.steps.claims import Claim, Recall, common_cache_key
from shared.steps.storing import load_artifact, load_artifacts
from shared.watch.processor import processor_kind


def asset_path(ctx: RequestContext, asset_id: str) -> str:
    """Where an asset's document lives."""
    return f"{ctx.document_prefix}assets/{asset_id}"


def load_asset(home: Home, ctx: RequestContext, asset_id: str) -> Asset:
    """The asset; raises ``NotFound``, also for one that is being erased."""
    document = home.documents.get(asset_path(ctx, asset_id))
    asset = Asset.model_validate(document.data) if document else None
    if asset is None or asset.erasing:
        raise NotFound("asset", asset_id)
    return asset


@dataclass(frozen=True)
class Work:
    """What a request comes down to, before anything is claimed."""

    home: Home
    row: Step
    request: StepRequest
    asset: Asset
    engine: Engine
    params: StepParams
    backend: Backend
    asked: Asked
    sources: Mapping[str, Asset | Artifact]
    """What else of the tenant's the params name, by id."""

    @classmethod
    def prepare(
        cls,
        home: Home,
        row: Step,
        request: StepRequest,
        asset: Asset,
        asked: Asked | None = None,
    ) -> Work:
        """Check the params, choose the backend, find what is read. Raises ``Permanent``."""
        asked = asked or Asked.of(home, row, request)  # the surroundings before the engine
        engine = engine_for(home, row)
        params = _checked_params(engine, request.params)
        sources = _found_sources(home, request, engine, params)
        return cls(home, row, request, asset, engine, params, engine.backend(), asked, sources)

    @property
    def ctx(self) -> RequestContext:
        """Whose work it is."""
        return self.request.context

    @cached_property
    def cache_key(self) -> str:
        """The engine's own formula, or the common one."""
        upstream = self.asked.upstream
        upstream |= {f"source {name}": found.sha256 for name, found in self.sources.items()}
        asset_id, artifact_id = self.asset.asset_id, self.request.artifact_id
        version = self.backend.version
        if self.engine.cache_key is not None:
            formula = self.engine.cache_key
            return formula(self.ctx, asset_id, artifact_id, self.params, version, upstream)
        stated = self.params.model_dump(mode="json")
        subject = artifact_id or asset_id
        return common_cache_key(self.ctx, self.row.name, subject, stated, version, upstream)

    def claim(self) -> Claim:
        """The claim that asks for this work."""
        missing = (name for name, dep in self.backend.dependencies.items() if not dep.available)
        return Claim(
            cache_key=self.cache_key,
            step=self.row.name,
            asset_id=self.asset.asset_id,
            run_id=self.request.run_id or "",
            lease_s=self.home.settings.lease_s,
            inputs=self.asked.inputs,
            missing=tuple(sorted(missing)),
            backend_version=self.backend.version,
            asked=None if self.sources else self.asked.digest,
            processor=processor_kind(),
            recall=Recall(
                topic=steps_topic(self.row.function),
                data=self.request.model_dump_json(),
                attributes=self.request.attributes,
            ),
        )

    @property
    def media(self) -> MediaInfo:
        """What is known of the recording, with the sound stream that the params ask for."""
        return self._chosen(self.asset.media)

    def inputs(self, folder: Path) -> dict[str, list[InputFile]]:
        """Fetch what earlier steps made into ``folder``: step -> files. Raises what ``fetch_object`` does."""
        return {name: self._inputs(name, folder) for name in self.asked.read_steps}

    def job(
        self, folder: Path, inputs: Mapping[str, Sequence[InputFile]], progress: Progress
    ) -> Job:
        """Fetch the rest into ``folder`` and hand everything over. Raises what ``fetch_object`` does."""
        workdir = folder / "work"
        workdir.mkdir()
        source = self._source(folder, fetched=self._reads_recording(inputs))
        standing = self.asked.records
        return Job(
            source=source,
            media=self._chosen(self._media(source)),
            workdir=workdir,
            progress=progress,
            inputs=inputs,
            failed={
                name: standing[name].error or {"reason": standing[name].reason}
                for name in self.asked.needed
                if not standing[name].state.delivered
            },
            sources={
                name: self._fetch(found, folder / f"{name}{_suffix(found.key)}")
                for name, found in {**self.sources, **self._referenced(source)}.items()
            },
            asset_id=self.asset.asset_id,
            recording=self.asset.file_name or "",
            artifact_id=self.request.artifact_id,
            cache_key=self.cache_key,
        )

    def _referenced(self, source: Path) -> dict[str, Artifact]:
        names = self.engine.references(source) if self.engine.references else ()
        return {name: load_artifact(self.home.documents, self.ctx, name) for name in names}

    def _inputs(self, step: str, folder: Path) -> list[InputFile]:
        """The artifacts of an earlier step whose kinds the pipeline table names."""
        return [self._input(artifact, folder) for artifact in self._wanted(step)]

    def _wanted(self, step: str) -> Iterator[Artifact]:
        for artifact in load_artifacts(self.home.documents, self.ctx, self.asked.ids(step)):
            if artifact.kind in self.row.reads[step]:
                yield artifact

    def _input(self, artifact: Artifact, folder: Path) -> InputFile:
        name = f"{artifact.artifact_id}{_suffix(artifact.key)}"
        path = self._fetch(artifact, folder / name)
        return InputFile(artifact.artifact_id, artifact.kind, path, artifact.meta)

    def _reads_recording(self, inputs: Mapping[str, Sequence[InputFile]]) -> bool:
        """All work does, but for parts whose engine says otherwise."""
        parts = self.engine.parts
        if self.request.part is None or parts is None or parts.read_recording is None:
            return True
        return parts.read_recording(inputs, self.params)

    def _source(self, folder: Path, *, fetched: bool) -> Path:
        found: Asset | Artifact = self.asset
        if self.request.artifact_id:
            found = load_artifact(self.home.documents, self.ctx, self.request.artifact_id)
        path = folder / f"source{_suffix(found.key)}"
        return self._fetch(found, path) if fetched else path

    def _chosen(self, media: MediaInfo) -> MediaInfo:
        """With the sound stream that the params ask for."""
        stream = self.params.stream if isinstance(self.params, SoundParams) else None
        return media if stream is None else media.with_stream(stream)

    def _media(self, source: Path) -> MediaInfo:
        """What is in the source: known of the recording, to be looked at in an artifact that plays."""
        if self.request.artifact_id is None or self.row.takes not in ("audio", "video"):
            return self.asset.media
        if source.suffix == ".json":  # a transcript that is edited
            return self.asset.media
        from shared.media.probe import probe

        return probe(source)

    def _fetch(self, found: Asset | Artifact, to: Path) -> Path:
        limit = most_bytes(self.home, self.ctx, found)
        return fetch_object(self.home.objects, found.key, to, max_bytes=limit).path


def publish_request(home: Home, request: StepRequest) -> str:
    """Put a request on its function's topic; returns the message id."""
    topic = steps_topic(step_named(request.step).function)
    return home.bus.publish(topic, request.model_dump_json().encode(), request.attributes)


def check_request(home: Home, request: StepRequest) -> None:
    """Refuse what its step would refuse for its params, or for what they name, before it is asked."""
    row = step_named(request.step)
    params = check_params(home, row, request.params)
    _found_sources(home, request, engine_for(home, row), params)


def check_params(home: Home, row: Step, params: Mapping[str, Any]) -> StepParams:
    """The step's params; raises ``ValidationError`` naming the field."""
    return _checked_params(engine_for(home, row), params)


def out_of_range_wishes(home: Home, row: Step, params: Mapping[str, Any]) -> list[str]:
    """What of a request's numbers its step's params model brings into its range.

    The result does not say so: others share it who asked within the range.
    """
    given = {name: one for name, one in params.items() if type(one) in (int, float)}
    if not given:
        return []
    try:
        taken = check_params(home, row, params)
    except MissingDependency:  # settled where the step's libraries are not
        return []
    used = {name: getattr(taken, name) for name in given}
    return [out_of_range(name, one, used[name]) for name, one in given.items() if used[name] != one]


def engine_for(home: Home, row: Step) -> Engine:
    """The step's engine; raises ``MissingDependency`` where its libraries are not installed."""
    try:
        return home.engine_of(row)
    except ImportError as error:
        hint = f"install the function's libraries: rushes[{row.function}]"
        raise MissingDependency(error.name or row.function, None, hint) from error


def _checked_params(engine: Engine, params: Mapping[str, Any]) -> StepParams:
    try:
        return engine.params.model_validate(dict(params))
    except PydanticError as error:
        raise refusal_of(error, "params") from None


def _found_sources(
    home: Home, request: StepRequest, engine: Engine, params: StepParams
) -> dict[str, Asset | Artifact]:
    """What the params name, by id; raises ``NotFound``, also for another tenant's, and ``ValidationError``
    for another recording's where it must be of this one.
    """
    refs = engine.sources(params) if engine.sources else ()
    return {ref.identifier: _found_source(home, request, ref) for ref in refs}


def _found_source(home: Home, request: StepRequest, ref: SourceRef) -> Asset | Artifact:
    if ref.artifact_id is None:
        return load_asset(home, request.context, ref.identifier)
    found = load_artifact(home.documents, request.context, ref.artifact_id)
    if ref.of_recording is not None and found.asset_id != request.asset_id:
        raise ValidationError(ref.of_recording, f"{ref.artifact_id} is of another recording")
    return found


def _suffix(key: str) -> str:
    return f".{key.rpartition('.')[2]}"
