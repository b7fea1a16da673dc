"""What a tenant has set, and how large an input may be.

The limit is asked here by every door (the command, the API, registering from another bucket, the intake
of uploads) and by every step, so that none refuses what another has let in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.contracts.artifact import Artifact
from shared.contracts.asset import Asset
from shared.contracts.context import RequestContext
from shared.errors import ValidationError
from shared.homes.home import Home


def settings_path(ctx: RequestContext) -> str:
    """The document of what a tenant and env have set."""
    return f"{ctx.document_prefix}settings/pipeline"


def tenant_settings(home: Home, ctx: RequestContext) -> Mapping[str, Any]:
    """What the tenant and env have set: ``steps`` by default, ``params`` by step, ``max_input_bytes``,
    ``parts_at_once``."""
    document = home.documents.get(settings_path(ctx))
    return document.data if document else {}


def max_input_bytes(home: Home, ctx: RequestContext) -> int:
    """What the tenant's settings allow a recording, else what the environment does.

    Raises ``ValidationError`` where the settings hold no number of bytes.
    """
    return _at_least_one(home, ctx, "max_input_bytes", "bytes")


def parts_at_once(home: Home, ctx: RequestContext) -> int:
    """So many parts of one of the tenant's steps are on their way at a time: its settings', else the
    environment's.

    Raises ``ValidationError`` where the settings hold no number of parts.
    """
    return _at_least_one(home, ctx, "parts_at_once", "parts")


def _at_least_one(home: Home, ctx: RequestContext, name: str, of: str) -> int:
    number = tenant_settings(home, ctx).get(name, getattr(home.settings, name))
    if isinstance(number, bool) or not isinstance(number, int | float) or not number >= 1:
        raise ValidationError(name, f"in the tenant's settings is no number of {of}")
    return int(number)


def most_bytes(home: Home, ctx: RequestContext, found: Asset | Artifact) -> int:
    """So many may be fetched of a recording; of what the product has made itself, all there are."""
    return found.bytes if isinstance(found, Artifact) else max_input_bytes(home, ctx)
