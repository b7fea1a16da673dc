"""What one would write without Rushes: a functions-framework handler that acknowledges a push."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

LOG = Path("bare_times.txt")


def main(request: Any) -> tuple[str, int]:
    """Note when the message's request id was seen."""
    message = request.get_json()["message"]
    sent = json.loads(base64.b64decode(message["data"]))["sent"]
    with LOG.open("a") as file:
        file.write(f"{sent} {time.time()}\n")
    return "", 204
