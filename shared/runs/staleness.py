"""Results that today's backends would make otherwise, and making them again behind everybody else.

A result is stale if its step's backend has another version now, or if something that it was made
from is stale; unless the same step, with the same params, has been done on the same recording since.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

from pydantic import Field

from shared.contracts.artifact import Artifact
from shared.contracts.context import RequestContext
from shared.contracts.ids import canonical_json, run_id
from shared.contracts.model import Model
from shared.contracts.step import Run
from shared.errors import MissingDependency, NotFound
from shared.homes.documents.readable import readable
from shared.homes.home import Home
from shared.pipeline import BY_NAME, step_named
from shared.runs import planning
from shared.runs.opening import agreed_params, base_params, planned_steps
from shared.runs.records import finished, open_run
from shared.runs.views import list_runs
from shared.steps.preparing import load_asset
from shared.steps.step_records import load_records
from shared.steps.storing import artifact_path, load_artifact

Subject = tuple[str, str | None]
"""Asset id, and the id of its artifact where the step worked on that."""


class _Recall(Model):
    data: str


class _Request(Model):
    """What is looked at of the request that a claim recalls, which was checked before it was made."""

    asset_id: str
    artifact_id: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)


class _Made(Model):
    """What is looked at of a claim: of all that it holds, a third of the time to read."""

    cache_key: str
    step: str
    asset_id: str
    state: str
    inputs: tuple[str, ...] = ()
    artifact_ids: tuple[str, ...] = ()
    backend_version: str | None = None
    recall: _Recall | None = None

    @property
    def told(self) -> bool:
        """Can it be said what it was asked for, and by which version it was done?"""
        known = self.step in BY_NAME and self.recall and (self.artifact_ids or self.backend_version)
        return self.state == "done" and bool(known)

    @cached_property
    def request(self) -> _Request:
        """What it was asked for."""
        assert self.recall is not None
        return _Request.model_validate_json(self.recall.data)

    @property
    def subject(self) -> Subject:
        """What it was done on."""
        return self.request.asset_id, self.request.artifact_id


@dataclass(frozen=True)
class Stale:
    """One result that is to be made again."""

    step: str
    subject: Subject
    params: Mapping[str, Any]
    made_by: str
    """The backend version that made it."""
    version: str
    """The one that would make it today; the same where only its inputs are stale."""
    artifacts: int


@dataclass
class Survey:
    """What is stale in one tenant's env, and of which steps that cannot be said here."""

    ctx: RequestContext
    stale: list[Stale] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    """Step -> why its version is not known on this machine."""

    def add(self, other: Survey) -> None:
        """Take in what was found elsewhere in the env."""
        self.stale += other.stale
        self.unknown |= other.unknown


def find_stale(home: Home, ctx: RequestContext, steps: Collection[str] | None = None) -> Survey:
    """Look through all of the env's results; ``steps``: only at those of these steps.

    Versions are those of this machine's libraries: run it where the functions' are installed.
    """
    told = Survey(ctx)
    for survey in stale_recordings(home, ctx, steps):
        told.add(survey)
    return told


def stale_recordings(
    home: Home, ctx: RequestContext, steps: Collection[str] | None = None
) -> Iterator[Survey]:
    """The same, recording by recording, as they are read: the first is told before the second is looked at.

    A recording's results are made from the recording and from each other, so no other one says more.
    """
    versions = _Versions(home)
    claims = readable(home.documents.list_by(f"{ctx.document_prefix}cache", "asset_id"), _Made)
    for _, found in groupby((claim for _, claim in claims), key=lambda claim: claim.asset_id):
        known = {claim.cache_key: claim for claim in found if claim.told}
        yield _Look(home, ctx, versions, known).survey(steps)


def current_version(home: Home, step: str) -> tuple[str | None, str]:
    """The backend version that would do a step on this machine, or ``None`` and why there is none."""
    row = step_named(step)
    try:
        backend = home.engine_of(row).backend()
    except (ImportError, MissingDependency) as error:
        return None, f"install rushes[{row.function}] here: {error}"
    if backend.stub:
        return None, "only its stub is installed here"
    return backend.version, ""


class _Versions(dict[str, tuple[str | None, str]]):
    """Step -> ``current_version``, asked once."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def __missing__(self, step: str) -> tuple[str | None, str]:
        self[step] = current_version(self._home, step)
        return self[step]


class _Look:
    """One pass over a recording's claims."""

    def __init__(
        self, home: Home, ctx: RequestContext, versions: _Versions, claims: Mapping[str, _Made]
    ) -> None:
        """``claims``: cache key -> the claim of work that is done, also where there was nothing to make."""
        self.home = home
        self.ctx = ctx
        self.claims = claims
        self._versions = versions
        self._fresh: dict[str, bool] = {}

    @cached_property
    def makers(self) -> dict[str, str]:
        """Artifact id -> the cache key of the work that made it."""
        return {name: key for key, claim in self.claims.items() for name in claim.artifact_ids}

    def survey(self, steps: Collection[str] | None) -> Survey:
        told = Survey(self.ctx)
        groups: dict[tuple[str, Subject, str], list[_Made]] = defaultdict(list)
        for claim in self.claims.values():
            if steps is None or claim.step in steps:
                params = canonical_json(claim.request.params)
                groups[(claim.step, claim.subject, params)].append(claim)
        for (step, _, _), claims in sorted(groups.items(), key=lambda item: str(item[0])):
            version, why_not = self._versions[step]
            if version is None:
                told.unknown[step] = why_not
            elif not any(self._is_fresh(claim.cache_key) for claim in claims):
                told.stale.append(self._stale(claims, version))
        return told

    def _stale(self, claims: list[_Made], version: str) -> Stale:
        made_by = sorted({self._made_by(claim) for claim in claims})
        artifacts = sum(len(claim.artifact_ids) for claim in claims)
        one = claims[0]
        return Stale(
            one.step, one.subject, one.request.params, ", ".join(made_by), version, artifacts
        )

    def _is_fresh(self, cache_key: str) -> bool:
        """By today's version, from what is fresh itself. What cannot be known counts as fresh."""
        if cache_key not in self._fresh:
            claim = self.claims[cache_key]
            version, _ = self._versions[claim.step]
            inputs = {self.makers[name] for name in claim.inputs if name in self.makers}
            self._fresh[cache_key] = (version in (None, self._made_by(claim))) and all(
                self._is_fresh(key) for key in inputs
            )
        return self._fresh[cache_key]

    def _made_by(self, claim: _Made) -> str:
        if claim.backend_version is not None:
            return claim.backend_version
        document = self.home.documents.get(artifact_path(self.ctx, claim.artifact_ids[0]))
        return str(document.data["meta"]["backend_version"]) if document else "unknown"


def planned_runs(home: Home, survey: Survey) -> Iterator[Run]:
    """Runs that would make everything stale again: one a recording, more where a step had several
    params. What a step needs keeps the params that it had last.
    """
    by_subject: dict[Subject, list[Stale]] = defaultdict(list)
    for stale in survey.stale:
        by_subject[stale.subject].append(stale)
    for (asset_id, artifact_id), items in by_subject.items():
        standing = list_runs(home.documents, survey.ctx, asset_id)
        subject = _artifact(home, survey.ctx, artifact_id)
        for number, layer in enumerate(_layers(items)):
            now = time.time()
            planned = planned_steps(layer, layer, () if artifact_id else standing, subject)
            params = {**base_params(home, survey.ctx, planned, standing), **layer}
            yield Run(
                run_id=run_id("back-fill", asset_id, artifact_id, number, now),
                tenant_id=survey.ctx.tenant_id,
                env=survey.ctx.env,
                source=f"back-fill {', '.join(layer)}",
                asset_id=asset_id,
                artifact_id=artifact_id,
                planned=planned,
                asked=tuple(layer),
                params=agreed_params(planned, params, asked=layer),
                created_at=now,
            )


def _artifact(home: Home, ctx: RequestContext, artifact_id: str | None) -> Artifact | None:
    """``None``, too, for one that is gone: its run will say so."""
    try:
        return load_artifact(home.documents, ctx, artifact_id) if artifact_id else None
    except NotFound:
        return None


def _layers(items: Iterable[Stale]) -> list[dict[str, Mapping[str, Any]]]:
    """Step -> params, each step once a layer."""
    layers: list[dict[str, Mapping[str, Any]]] = []
    for stale in items:
        for layer in layers:
            if stale.step not in layer:
                layer[stale.step] = stale.params
                break
        else:
            layers.append({stale.step: stale.params})
    return layers


class BackFill:
    """Runs opened a few at a time, so that uploads find at most so many ahead of them."""

    def __init__(self, home: Home, ctx: RequestContext, runs: Iterable[Run]) -> None:
        """``runs``: each is planned when its turn comes, and no sooner."""
        self._home = home
        self._ctx = ctx
        self._ahead = iter(runs)
        self._next = next(self._ahead, None)
        self._open: list[Run] = []
        self.done: list[Run] = []

    @property
    def over(self) -> bool:
        """Has every run come to its end?"""
        return self._next is None and not self._open

    @property
    def under_way(self) -> tuple[Run, ...]:
        """Those that are open."""
        return tuple(self._open)

    def advance(self, in_flight: int) -> None:
        """Look which runs have finished, and open others in their place, up to ``in_flight``."""
        for run in list(self._open):
            if finished(run, load_records(self._home.documents, self._ctx, run.run_id)):
                self._open.remove(run)
                self.done.append(run)
        while self._next is not None and len(self._open) < in_flight:
            self._begin(self._next)
            self._next = next(self._ahead, None)

    def _begin(self, run: Run) -> None:
        try:
            asset = load_asset(self._home, self._ctx, run.asset_id or "")
        except NotFound:  # erased since
            return
        self._open.append(open_run(self._home.documents, self._ctx, run))
        planning.start(self._home, self._ctx, run, asset)
