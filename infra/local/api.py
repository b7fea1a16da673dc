"""The HTTP API and the console, served on this machine by a thread of the caller's process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import MissingDependency, Unavailable
from shared.homes.home import Home

USUAL_PORT = 8321
_START_S = 30.0


@contextmanager
def api_served(home: Home, port: int | None) -> Iterator[str]:
    """Serve while the context lasts; gives the address.

    ``port``: ``None`` takes the usual one, or any that is free. Raises ``Unavailable`` for a port
    that is taken, and ``MissingDependency`` where the server is not installed.
    """
    try:
        import uvicorn

        from functions.api.main import create
    except ImportError as error:
        hint = "install the server: rushes[api]"
        raise MissingDependency(error.name or "fastapi", None, hint) from error

    class Announced(uvicorn.Server):
        """Says when it listens."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready.set()

    ready = threading.Event()
    listener = _listener(port)
    config = uvicorn.Config(
        create(home),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    server = Announced(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="api", daemon=True)
    thread.start()
    try:
        if not ready.wait(_START_S):
            raise Unavailable("the HTTP API", "it does not start")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_START_S)
        listener.close()


def _listener(port: int | None) -> socket.socket:
    for candidate in (USUAL_PORT, 0) if port is None else (port,):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", candidate))
        except OSError:
            listener.close()
            continue
        return listener
    raise Unavailable(f"port {port}", "something else listens there")
