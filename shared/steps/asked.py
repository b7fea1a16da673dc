"""A digest of what a request asks for, by which finished work is found without importing its engine.

A cache key needs the engine: its params' defaults, its backend's version, its formula. All of these follow
from the request, from the steps it reads, and from the machine's surroundings. The digest of these three is
noted in the claim; while it is the same, the claim is the one whose key the engine would make.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.contracts.ids import digest
from shared.contracts.row import Step
from shared.contracts.step import StepRecord, StepRequest
from shared.homes.home import Home
from shared.steps.claims import Claim
from shared.steps.step_records import load_records
from shared.watch.health import REQUIREMENTS


@dataclass(frozen=True)
class Asked:
    """One request, and how the steps stand whose artifacts it reads in its run."""

    row: Step
    request: StepRequest
    records: Mapping[str, StepRecord]
    surroundings: str | None
    """As this process found them (``Home.surroundings``)."""

    @classmethod
    def of(cls, home: Home, row: Step, request: StepRequest) -> Asked:
        """Look how the steps that are read stand."""
        surroundings = home.surroundings() if home.surroundings else None
        records = load_records(
            home.documents, request.context, request.run_id or "", tuple(row.reads)
        )
        return cls(row, request, records, surroundings)

    @property
    def needed(self) -> tuple[str, ...]:
        """Work on a document has no need of what made it."""
        return tuple(name for name in self.row.needs if name in self.records)

    @property
    def read_steps(self) -> tuple[str, ...]:
        """What it needs, but for what its run does not have, and what it wants and got."""
        return (*self.needed, *(name for name in self.row.wants if self.ids(name)))

    def ids(self, step: str) -> tuple[str, ...]:
        """The artifacts that an earlier step delivered."""
        record = self.records.get(step)
        return record.artifact_ids if record is not None and record.state.delivered else ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The artifacts it is made from."""
        return tuple(identifier for name in self.read_steps for identifier in self.ids(name))

    @property
    def upstream(self) -> dict[str, str]:
        """Step that is read -> its cache key."""
        return {name: self.records[name].cache_key or "" for name in self.read_steps}

    @property
    def digest(self) -> str | None:
        """``None`` for a part, and where nobody has looked at the surroundings."""
        if self.surroundings is None or self.request.part is not None:
            return None
        asked = self.request
        what = (asked.step, asked.asset_id, asked.artifact_id, dict(asked.params))
        return digest(self.surroundings, *what, self.upstream)

    def known(self, home: Home) -> Claim | None:
        """The claim of just this, if its work is done and nothing that it lacked may have come since."""
        if self.digest is None or self.request.force:
            return None
        return next((claim for claim in self._noted(home) if self._settled_by(claim)), None)

    def _noted(self, home: Home) -> Iterator[Claim]:
        collection = f"{self.request.context.document_prefix}cache"
        where = {"asset_id": self.request.asset_id, "asked": self.digest}
        for document in home.documents.list(collection, where=where):
            yield Claim.model_validate(document.data)

    def _settled_by(self, claim: Claim) -> bool:
        """Packages and tools that could not be used may have been mended, which no file's time shows."""
        whole = set(claim.missing).isdisjoint(REQUIREMENTS)
        return claim.done and claim.inputs == self.inputs and whole
