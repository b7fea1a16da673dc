"""Giving a message up: it goes to the dead topic with the reason, and the sweep keeps it."""

from __future__ import annotations

import base64
import json

from shared.contracts.message import Message
from shared.contracts.topics import DEAD_TOPIC
from shared.errors import RushesError
from shared.homes.home import Home
from shared.lazy_log import get_logger

log = get_logger()

BURIED = "buried"
"""The attribute of a message that is a letter."""


def bury(home: Home, message: Message, error: RushesError, *, cache_key: str | None = None) -> None:
    """Publish a message to the dead topic with the reason; raises ``Unavailable``."""
    step = message.attributes.get("step", "")
    log.error("message.buried", code=error.code, step=step, backend_version=error.backend_version)
    content = {
        "error": error.to_json(),
        "cache_key": cache_key,
        "data_base64": base64.b64encode(message.data).decode(),
        "attributes": dict(message.attributes),
    }
    attributes = {
        name: message.attributes[name]
        for name in ("tenant", "env", "step")
        if name in message.attributes
    }
    told = {**attributes, "code": error.code, BURIED: "1"}
    home.bus.publish(DEAD_TOPIC, json.dumps(content).encode(), told)
