"""What one would write without Rushes to tell a known result: a functions-framework handler that reads its
document and publishes it, by Google's clients, and acknowledges the push once the bus has it.
"""

from __future__ import annotations

import base64
import json
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

from google.cloud import firestore, pubsub_v1

LOG = Path("bare_teller_times.txt")
KNOWN = "bench/known"
TOLD = "bare_told"
"""The topic on which it tells."""


def main(request: Any) -> tuple[str, int]:
    """Tell what the document holds, and note when the message's request id was seen."""
    message = request.get_json()["message"]
    sent = json.loads(base64.b64decode(message["data"]))["sent"]
    database, publisher, topic = _clients()
    known = database.document(KNOWN).get().to_dict()
    publisher.publish(topic, json.dumps(known).encode()).result(timeout=20)
    with LOG.open("a") as file:
        file.write(f"{sent} {time.time()}\n")
    return "", 204


@cache
def _clients() -> tuple[firestore.Client, pubsub_v1.PublisherClient, str]:
    project = os.environ["RUSHES_PROJECT"]
    topic = f"projects/{project}/topics/{TOLD}"
    return firestore.Client(project=project), pubsub_v1.PublisherClient(), topic
