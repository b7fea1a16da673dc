"""Who a request is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ConfigDict
from pydantic import ValidationError as PydanticError

from shared.contracts.ids import Name
from shared.contracts.model import Model
from shared.errors import CrossTenant, ValidationError

UNKNOWN_TENANT = "t_unknown"


class RequestContext(Model):
    """Tenant, env and, where known, user. Comes from a verified identity or a trusted message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant_id: Name
    env: Name
    user_id: Name | None = None

    @classmethod
    def of(cls, tenant_id: str | None, env: str | None, user_id: str | None = None) -> Self:
        """Build one; raises ``ValidationError`` for a missing, malformed or unknown tenant or env."""
        if not tenant_id or tenant_id == UNKNOWN_TENANT:
            raise ValidationError("tenant_id", "is missing or unknown")
        if not env:
            raise ValidationError("env", "is missing")
        try:
            return cls(tenant_id=tenant_id, env=env, user_id=user_id)
        except PydanticError as error:
            field = str(error.errors()[0]["loc"][0])
            raise ValidationError(field, "must be 1 to 64 letters, digits, '_' or '-'") from None

    def check_payload(self, payload: Mapping[str, Any]) -> None:
        """Raise ``CrossTenant`` where ``payload`` names another tenant or env than this context."""
        for field in ("tenant_id", "env"):
            if payload.get(field) not in (None, getattr(self, field)):
                raise CrossTenant(field)

    @property
    def object_prefix(self) -> str:
        """Where every object key of this tenant and env starts."""
        return f"tenants/{self.tenant_id}/{self.env}/"

    @property
    def document_prefix(self) -> str:
        """Where every document path of this tenant and env starts."""
        return f"tenants/{self.tenant_id}/envs/{self.env}/"
