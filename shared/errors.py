"""The one error hierarchy, and its one JSON form.

    RushesError
    ├── Permanent                 recorded as the step's error and acknowledged
    │   ├── ValidationError       validation_error      a parameter or id is wrong
    │   ├── MissingDependency     missing_dependency    a tool, package or model is not installed
    │   ├── InputTooLarge         input_too_large       more bytes than the environment allows
    │   ├── UnsupportedMedia      unsupported_media     not a recording that can be decoded
    │   ├── TimedOut              timeout               a tool ran past its limit
    │   ├── BackendFailed         backend_failed        a tool or library failed on this input
    │   ├── NotFound              not_found             no such thing for this tenant
    │   ├── Unauthenticated       unauthenticated       nobody knows who asks
    │   ├── CrossTenant           cross_tenant          the payload names another tenant or env
    │   ├── Conflict              conflict              somebody else changed it first
    │   └── AttemptsExhausted     attempts_exhausted    given up after repeated transient failures
    └── Transient                 the message comes again, with backoff
        ├── TransientDownload     transient_download    fetching failed after its retries
        ├── LeaseHeld             lease_held            another worker is on it, and alive
        ├── LeaseLost             lease_lost            another worker took over from this one
        └── Unavailable           unavailable           a service or resource is not there just now
            └── Scarce            unavailable           memory, disk, a helper that the system ended

The event path, the HTTP API and the command all show ``error.to_json()``. ``service`` and
``backend_version`` may be filled in later, by whoever knows them, with ``locate``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self


class RushesError(Exception):
    """Something went wrong. Subclasses say what, and whether trying again can help."""

    code: ClassVar[str]
    transient: ClassVar[bool]

    def __init__(
        self,
        message: str,
        *,
        service: str | None = None,
        backend_version: str | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.service = service
        self.backend_version = backend_version
        self.fields = fields

    def locate(self, *, service: str | None, backend_version: str | None) -> Self:
        """Say where it happened, unless that is known already; returns itself."""
        self.service = self.service or service
        self.backend_version = self.backend_version or backend_version
        return self

    def to_json(self) -> dict[str, Any]:
        """The one public form: ``code, service, message``, the type's own fields, ``backend_version``."""
        return {
            "code": self.code,
            "service": self.service,
            "message": self.message,
            **self.fields,
            "backend_version": self.backend_version,
        }


class Permanent(RushesError):
    """Trying again gives the same result."""

    transient = False


class Transient(RushesError):
    """Trying again later may succeed."""

    transient = True
    counted: ClassVar[bool] = False
    """Trying again costs the work again, so tries are counted; what is merely away has hours."""


class ValidationError(Permanent):
    """A parameter, id or message is malformed or out of range."""

    code = "validation_error"

    def __init__(self, field: str, reason: str, **where: str | None) -> None:
        super().__init__(f"{field}: {reason}", details={"field": field, "reason": reason}, **where)


class MissingDependency(Permanent):
    """A tool, package or model that the step needs is not installed."""

    code = "missing_dependency"

    def __init__(
        self, dependency: str, required_version: str | None, hint: str, **where: str | None
    ) -> None:
        super().__init__(
            f"{dependency} is missing: {hint}",
            dependency=dependency,
            required_version=required_version,
            **where,
        )


RAISE_THE_LIMIT = (
    "cut it into shorter files or encode it smaller, or have the limit raised (RUSHES_MAX_INPUT_BYTES; "
    "of one tenant `rushes settings --max-input-bytes N`)"
)
"""What to do about a recording that is larger than the setting."""


class InputTooLarge(Permanent):
    """The input has more bytes than this environment accepts."""

    code = "input_too_large"

    def __init__(
        self,
        max_bytes: int,
        received_bytes: int,
        way_out: str = RAISE_THE_LIMIT,
        **where: str | None,
    ) -> None:
        super().__init__(
            f"the input has {received_bytes:,} bytes, more than the {max_bytes:,} allowed: {way_out}",
            max_bytes=max_bytes,
            received_bytes=received_bytes,
            **where,
        )


class UnsupportedMedia(Permanent):
    """The bytes are not a recording that can be decoded."""

    code = "unsupported_media"

    def __init__(self, reason: str, **where: str | None) -> None:
        super().__init__(reason, details={"reason": reason}, **where)


class TimedOut(Permanent):
    """A tool ran past its time limit and was stopped, with all its children."""

    code = "timeout"

    def __init__(self, tool: str, limit_s: float, **where: str | None) -> None:
        super().__init__(
            f"{tool} did not finish within {limit_s:g} s and was stopped: if this machine was busy, "
            "ask for the step again",
            details={"tool": tool, "limit_s": limit_s},
            **where,
        )


class BackendFailed(Permanent):
    """A tool or library failed on this input; ``stderr_tail`` holds its last words."""

    code = "backend_failed"

    def __init__(
        self,
        tool: str,
        reason: str,
        *,
        exit_code: int | None = None,
        stderr_tail: str = "",
        **where: str | None,
    ) -> None:
        super().__init__(
            f"{tool} failed: {reason}",
            details={
                "tool": tool,
                "reason": reason,
                "exit_code": exit_code,
                "stderr_tail": stderr_tail,
            },
            **where,
        )


class NotFound(Permanent):
    """There is no such thing for this tenant, whether or not another has one."""

    code = "not_found"

    def __init__(self, what: str, identifier: str, **where: str | None) -> None:
        super().__init__(
            f"no {what} {identifier!r}", details={"what": what, "id": identifier}, **where
        )


class Unauthenticated(Permanent):
    """The HTTP request carries no valid proof of who asks."""

    code = "unauthenticated"

    def __init__(self, reason: str, **where: str | None) -> None:
        super().__init__(f"not authenticated: {reason}", details={"reason": reason}, **where)


class CrossTenant(Permanent):
    """A payload names a tenant or env that is not the context's."""

    code = "cross_tenant"

    def __init__(self, field: str, **where: str | None) -> None:
        super().__init__(
            f"{field} is not the one of this request's context", details={"field": field}, **where
        )


class Conflict(Permanent):
    """Somebody else created or changed it first: the write's precondition did not hold."""

    code = "conflict"

    def __init__(self, reason: str, **where: str | None) -> None:
        super().__init__(reason, details={"reason": reason}, **where)


class AttemptsExhausted(Permanent):
    """Given up: every attempt failed in a way that trying again might have mended."""

    code = "attempts_exhausted"

    def __init__(
        self, attempts: int, last_error: dict[str, Any] | None, **where: str | None
    ) -> None:
        last = last_error["message"] if last_error else "the worker died without a word"
        tries = f"{attempts} {'attempt' if attempts == 1 else 'attempts'}"
        super().__init__(
            f"given up after {tries} (RUSHES_MAX_ATTEMPTS); the last one: {last}"
            if attempts
            else f"given up, having waited for too long (RUSHES_PATIENCE_S): {last}",
            details={"attempts": attempts, "last_error": last_error},
            **where,
        )


class TransientDownload(Transient):
    """Fetching an input failed, also after its retries."""

    code = "transient_download"

    def __init__(self, reason: str, attempts: int, **where: str | None) -> None:
        super().__init__(
            f"the input could not be fetched in {attempts} attempts: {reason}",
            details={"reason": reason, "attempts": attempts},
            **where,
        )


class LeaseHeld(Transient):
    """Another worker holds the claim under a live lease; come back in ``retry_after_s``."""

    code = "lease_held"

    def __init__(self, retry_after_s: float, **where: str | None) -> None:
        super().__init__(
            "another worker is on this step",
            details={"retry_after_s": round(retry_after_s, 3)},
            **where,
        )
        self.retry_after_s = retry_after_s


class LeaseLost(Transient):
    """This worker's lease lapsed and another took over; nothing more may be written."""

    code = "lease_lost"

    def __init__(self, generation: int, **where: str | None) -> None:
        super().__init__(
            f"lease generation {generation} is no longer current",
            details={"generation": generation},
            **where,
        )


class Unavailable(Transient):
    """A service or a resource of this machine is not available just now."""

    code = "unavailable"

    def __init__(self, what: str, reason: str, **where: str | None) -> None:
        super().__init__(
            f"{what} is not available: {reason}", details={"what": what, "reason": reason}, **where
        )


class Scarce(Unavailable):
    """This machine lacks what the work takes: memory, disk, a helper that the system ended."""

    counted = True


def retold(told: Mapping[str, Any]) -> Permanent:
    """The error that ``to_json`` told, to be raised where it is told on."""
    kinds = {kind.code: kind for kind in Permanent.__subclasses__()}
    kind = kinds.get(told["code"], BackendFailed)
    error = kind.__new__(kind)
    fields = {name: value for name, value in told.items() if name != "code"}
    RushesError.__init__(error, **fields)
    return error
