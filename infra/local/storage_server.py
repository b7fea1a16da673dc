"""A bucket with the Google Cloud Storage JSON API, over the embedded store.

What ordinary clients need: uploads (media, multipart, resumable), reads with ranges, lists, copies,
composition, metadata, preconditions, checksums, and notifications. Each request has its own thread
and passes through a file, so neither a stalled client nor a large object is anybody else's trouble.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from threading import Thread
from typing import Any
from urllib.parse import unquote_to_bytes

from werkzeug.exceptions import ClientDisconnected, ServiceUnavailable
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from infra.local.gcs import reads, upload_requests, writes
from infra.local.gcs.bucket import Bucket
from infra.local.gcs.notifications import Notifications, Outbox, Publish
from infra.local.gcs.resource import Resources, error_response
from infra.local.gcs.sessions import Uploads
from shared.errors import NotFound, RushesError, ValidationError
from shared.homes.objects.embedded_objects import EmbeddedObjects

_STATUS = {
    "conflict": (412, "conditionNotMet"),
    "not_found": (404, "notFound"),
    "validation_error": (400, "invalid"),
    "unavailable": (503, "backendError"),
}
_OBJECT = r"/storage/v1/b/([^/]+)/o/([^/]+)"
_UPLOAD = r"(?:/resumable)?/upload/storage/v1/b/([^/]+)/o"
_ROUTES: tuple[tuple[str, str, Callable[..., Response]], ...] = (
    ("GET", r"/storage/v1/b()", reads.list_buckets),
    ("POST", r"/storage/v1/b()", reads.create_bucket),
    ("GET", r"/storage/v1/b/([^/]+)", reads.get_bucket),
    ("GET", r"/storage/v1/b/([^/]+)/storageLayout", reads.get_layout),
    ("GET", r"/storage/v1/b/([^/]+)/o", reads.list_objects),
    ("GET", _OBJECT, reads.get_object),
    ("GET", rf"/download{_OBJECT}", reads.download),
    ("DELETE", _OBJECT, writes.delete_object),
    ("PATCH", _OBJECT, writes.patch_object),
    ("PUT", _OBJECT, writes.update_object),
    ("POST", rf"{_OBJECT}/rewriteTo/b/([^/]+)/o/([^/]+)", writes.rewrite),
    ("POST", rf"{_OBJECT}/copyTo/b/([^/]+)/o/([^/]+)", writes.copy_to),
    ("POST", rf"{_OBJECT}/moveTo/o/([^/]+)", writes.move_to),
    ("POST", rf"{_OBJECT}/compose", writes.compose),
    ("POST", _UPLOAD, upload_requests.upload),
    ("PUT", _UPLOAD, upload_requests.resume),
    ("DELETE", _UPLOAD, upload_requests.cancel),
)
"""Method, path as it was sent (a slash inside a key is ``%2F``), and who answers. The first group
is the bucket, the others are keys."""


def _app(bucket: Bucket, outbox: Outbox) -> Callable[..., Any]:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        try:
            response = _answer(bucket, Request(environ))
        except RushesError as error:
            response = error_response(*_STATUS[error.code], error.message)
        except ClientDisconnected:
            response = error_response(400, "badRequest", "the request ended early")
        outbox.wake()
        return response(environ, start_response)

    return app


def _answer(bucket: Bucket, request: Request) -> Response:
    path = request.environ["REQUEST_URI"].partition("?")[0]
    for method, pattern, handler in _ROUTES:
        found = re.fullmatch(pattern, path)
        if found and method == request.method:
            name, *keys = map(_unquoted, found.groups())
            if name not in ("", bucket.resources.bucket):
                raise NotFound("bucket", name)
            return handler(bucket, request, *keys)
    return error_response(404, "notFound", "this server has no such method")


def _unquoted(part: str) -> str:
    try:
        return unquote_to_bytes(part.encode("latin-1")).decode()
    except UnicodeDecodeError:
        raise ValidationError("path", "is not UTF-8") from None


# How often it looks whether it is to stop. werkzeug's half second is what a stop would wait.
_LOOKS_EVERY_S = 0.05


class StorageServer:
    """A running server."""

    def __init__(self, server: BaseWSGIServer, outbox: Outbox) -> None:
        self._server = server
        self._outbox = outbox
        listen, every_s = server.serve_forever, [_LOOKS_EVERY_S]
        self._thread = Thread(target=listen, args=every_s, name="storage-server", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    def stop(self) -> None:
        """Stop listening and publishing. Requests under way are left to end by themselves."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)
        self._outbox.stop()


class _Handler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the request's line holds keys."""


def serve(
    objects: EmbeddedObjects, bucket: str, host: str, port: int, publish: Publish
) -> StorageServer:
    """Serve the store as ``bucket``; port 0 takes a free one. ``publish`` gets the notifications.

    Raises ``OSError`` where the port is taken.
    """
    server = make_server(host, port, ServiceUnavailable(), threaded=True, request_handler=_Handler)
    resources = Resources(bucket, f"http://{host}:{server.port}")
    outbox = Outbox(objects.index, publish)
    note = Notifications(resources, outbox).note
    served = Bucket(objects, resources, note, Uploads(objects.private / "uploads"))
    server.app = _app(served, outbox)  # now that the port, and so the address, is known
    return StorageServer(server, outbox)
