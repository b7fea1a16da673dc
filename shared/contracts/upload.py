"""An upload: an object that was finalised below a tenant's ``uploads/``."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts.context import RequestContext


@dataclass(frozen=True)
class Upload:
    """A recording has landed. Its identity is bucket, key and generation, whoever announces it."""

    ctx: RequestContext
    bucket: str
    key: str
    generation: int

    @property
    def name(self) -> str:
        """What comes behind ``uploads/``: the file's name as people know it."""
        return self.key.removeprefix(f"{self.ctx.object_prefix}uploads/")


def notification(bucket: str, key: str, generation: int) -> dict[str, str]:
    """The attributes with which a bucket announces a new object."""
    return {
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "NONE",
        "bucketId": bucket,
        "objectId": key,
        "objectGeneration": str(generation),
    }
