"""Storing what an engine made: objects first, then their documents, each write fenced by the lease.

All are first written with "create", at once. Where something is there already (an earlier owner's, or
this step computed again) the lease is proved to hold *after* reading what is there, and the write
replaces just that. So a stale owner either finds its lease lost, or names a generation that its successor
has replaced, or is itself replaced: its bytes never stand in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from shared.contracts.artifact import Artifact, artifact_key, check_artifact
from shared.contracts.context import RequestContext
from shared.contracts.ids import artifact_id, sha256_of
from shared.contracts.step_engine import Backend, Output
from shared.errors import Conflict, NotFound
from shared.homes.documents import MOST_AT_ONCE, Documents
from shared.homes.home import Home
from shared.homes.objects import ABSENT, NewObject, Objects
from shared.pipeline import kind_named
from shared.steps.claims import Claim, Lease

_PARALLEL_WRITES = 8
Seen = TypeVar("Seen")


def artifact_path(ctx: RequestContext, identifier: str) -> str:
    """Where an artifact's document lives."""
    return f"{ctx.document_prefix}artifacts/{identifier}"


def load_artifact(documents: Documents, ctx: RequestContext, identifier: str) -> Artifact:
    """The artifact; raises ``NotFound``."""
    document = documents.get(artifact_path(ctx, identifier))
    if document is None:
        raise NotFound("artifact", identifier)
    return Artifact.model_validate(document.data)


def load_artifacts(
    documents: Documents, ctx: RequestContext, identifiers: Sequence[str]
) -> list[Artifact]:
    """The artifacts in that order, read at once; raises ``NotFound``."""
    paths = [artifact_path(ctx, name) for name in identifiers]
    found = documents.get_all(paths)
    for name, path in zip(identifiers, paths, strict=True):
        if path not in found:
            raise NotFound("artifact", name)
    return [Artifact.model_validate(found[path].data) for path in paths]


def describe_backend(step: str, backend: Backend, cache_key: str) -> dict[str, Any]:
    """The meta that every artifact carries."""
    return {
        "backend": backend.name,
        "backend_type": backend.type,
        "backend_version": backend.version,
        "cache_key": cache_key,
        "backend_info": {
            "service": step,
            "backend_version": backend.version,
            "dependencies": {
                name: {
                    "available": found.available,
                    "version": found.version,
                    "error": found.error,
                }
                for name, found in sorted(backend.dependencies.items())
            },
        },
    }


class ArtifactWriter:
    """Stores one step's outputs under its lease."""

    def __init__(
        self,
        home: Home,
        ctx: RequestContext,
        lease: Lease,
        *,
        subject: Sequence[str],
        common_meta: Mapping[str, Any],
    ) -> None:
        """``subject``: the asset's id, then those of the artifacts that the step read."""
        self._home = home
        self._ctx = ctx
        self._lease = lease
        self._subject = tuple(subject)
        self._meta = dict(common_meta)
        self._written: dict[str, int] = {}
        self._registered: dict[str, str] = {}

    def store(self, outputs: Sequence[Output]) -> list[Artifact]:
        """Write all objects, then register all artifacts.

        Raises ``ValidationError`` before anything is written if one must not be registered, and
        ``LeaseLost``.
        """
        ids = {output.name: self._id(output.kind, output.name) for output in outputs}
        artifacts = [self._artifact(output, ids) for output in outputs]
        for artifact in artifacts:
            check_artifact(artifact, self._ctx, kind_named(artifact.kind))
        self._lease.begin_writing(artifact.key for artifact in artifacts)
        self._write_objects(artifacts, [output.path for output in outputs])
        self._lease.renew()
        for start in range(0, len(artifacts), MOST_AT_ONCE):
            self._register(artifacts[start : start + MOST_AT_ONCE])
        return artifacts

    def discard(self) -> None:
        """Remove what this writer wrote, and nothing of whoever came after it."""
        for path, version in self._registered.items():
            with suppress(
                Conflict
            ):  # a successor's, or another worker's of the same bytes uploaded anew
                self._home.documents.delete(path, version=version)
        for key, generation in self._written.items():
            with suppress(Conflict):
                self._home.objects.delete(key, if_generation=generation)

    def _artifact(self, output: Output, ids: Mapping[str, str]) -> Artifact:
        identifier = ids[output.name]
        extension = output.path.suffix.removeprefix(".")
        key = artifact_key(
            self._ctx, self._subject[0], kind_named(output.kind), identifier, extension
        )
        return Artifact(
            artifact_id=identifier,
            kind=output.kind,
            asset_id=self._subject[0],
            tenant_id=self._ctx.tenant_id,
            env=self._ctx.env,
            key=key,
            uri=self._home.objects.uri(key),
            content_type=output.content_type,
            sha256=sha256_of(output.path),
            bytes=output.path.stat().st_size,
            parents=tuple(ids.get(parent, parent) for parent in output.parents) or self._subject,
            meta={"name": output.name, **output.meta, **self._meta},
        )

    def _id(self, kind: str, name: str) -> str:
        return artifact_id(self._lease.claim.cache_key, kind, name)

    def _write_objects(self, artifacts: Sequence[Artifact], paths: Sequence[Path]) -> None:
        new = [
            NewObject(artifact.key, path, artifact.content_type)
            for artifact, path in zip(artifacts, paths, strict=True)
        ]
        self._lease.check()
        made = self._home.objects.create_all(new)
        self._written |= {key: info.generation for key, info in made.items()}
        standing = [one for one in new if one.key not in made]
        if standing:
            with ThreadPoolExecutor(_PARALLEL_WRITES) as pool:
                list(pool.map(self._replace_object, standing))

    def _replace_object(self, new: NewObject) -> None:
        objects = self._home.objects

        def write(generation: int) -> None:
            info = objects.put(
                new.key, new.path, content_type=new.content_type, if_generation=generation
            )
            self._written[new.key] = info.generation

        _fenced(self._lease, write, lambda: _generation(objects, new.key))

    def _register(self, artifacts: Sequence[Artifact]) -> None:
        contents = {
            artifact_path(self._ctx, artifact.artifact_id): artifact.model_dump(mode="json")
            for artifact in artifacts
        }
        self._lease.check()
        made = self._home.documents.create_all(contents)
        self._registered |= {path: document.version for path, document in made.items()}
        for path in contents.keys() - made.keys():
            self._replace_document(path, contents[path])

    def _replace_document(self, path: str, content: Mapping[str, Any]) -> None:
        documents = self._home.documents

        def write(version: str | None) -> None:
            if version is None:
                made = documents.create(path, content)
            else:
                made = documents.update(path, content, version=version)
            self._registered[path] = made.version

        _fenced(self._lease, write, lambda: _version(documents, path))


def remove_unfinished(
    home: Home, ctx: RequestContext, claim: Claim, made: Sequence[Artifact] = ()
) -> None:
    """Before a claim settles, by who holds its lease: remove what its owners wrote and it does not name.

    ``made``: what it will name. What it was done with before stays, for earlier runs name that.
    """
    kept = {*claim.artifact_ids, *(artifact.artifact_id for artifact in made)}
    for key in claim.writing:
        identifier = Path(key).stem
        if identifier not in kept:
            home.documents.delete(artifact_path(ctx, identifier))
            home.objects.delete(key)


def _fenced(lease: Lease, write: Callable[[Seen], None], standing: Callable[[], Seen]) -> None:
    """See what stands, prove the lease after seeing it, and replace just that (or create it by now)."""
    while True:
        seen = standing()
        lease.renew()
        with suppress(Conflict):
            write(seen)
            return


def _generation(objects: Objects, key: str) -> int:
    found = objects.stat(key)
    return found.generation if found else ABSENT


def _version(documents: Documents, path: str) -> str | None:
    found = documents.get(path)
    return found.version if found else None
