"""What is ours in infra/compose.yaml: topics and subscriptions, and the bucket.

python -m infra.local.compose HOST PORT
"""

from __future__ import annotations

import sys
from contextlib import suppress
from threading import Event

from infra.local.storage_server import StorageServer, serve
from infra.local.subscriptions import create_topics
from shared.contracts.topics import UPLOADS_TOPIC
from shared.homes.bus.google_bus import GoogleBus
from shared.homes.home import consumed_topics
from shared.homes.objects.embedded_objects import EmbeddedObjects
from shared.settings import Settings, settings

FUNCTION_PORT = 8080
"""Where a function's container listens."""


def start(config: Settings, host: str, port: int) -> StorageServer:
    """Make what the functions wait for, and serve the bucket at ``host``.

    Clients are told addresses that begin with ``host``: it is the service's own name.
    """
    functions = dict.fromkeys(consumed_topics().values())
    create_topics(config.project, {name: f"http://{name}:{FUNCTION_PORT}" for name in functions})
    bus = GoogleBus(config.project)
    return serve(
        EmbeddedObjects(config.data / "objects"),
        config.bucket,
        host,
        port,
        publish=lambda data, attributes: bus.publish(UPLOADS_TOPIC, data, attributes),
    )


def main() -> None:
    """Serve until stopped."""
    host, port = sys.argv[1:]
    server = start(settings(), host, int(port))
    with suppress(KeyboardInterrupt):
        Event().wait()
    server.stop()


if __name__ == "__main__":
    main()
