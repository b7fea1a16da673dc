"""Objects in S3, to read only: where recordings may come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.errors import BackendFailed, MissingDependency, NotFound, Unavailable
from shared.homes.objects import BLOCK_BYTES, ObjectInfo
from shared.homes.objects.keys import check_key

_BUSY_CODES = {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout"}


class S3Objects:
    """A bucket of which objects are read. Address and credentials come as boto3 finds them."""

    def __init__(self, bucket: str) -> None:
        self._name = bucket
        with _service_errors("bucket", bucket):
            self._client = _client()

    def stat(self, key: str) -> ObjectInfo | None:
        """The object's facts, or ``None``. Its generation is when it was written, in microseconds."""
        try:
            with _service_errors("object", key):
                found = self._client.head_object(Bucket=self._name, Key=check_key(key))
        except NotFound:
            return None
        return _info(key, found)

    def read(self, key: str, *, generation: int | None = None) -> Iterator[bytes]:
        """Stream the bytes in blocks; raises ``NotFound``, also for another generation."""
        with _service_errors("object", key):
            found = self._client.get_object(Bucket=self._name, Key=check_key(key))
        if generation not in (None, _info(key, found).generation):
            found["Body"].close()
            raise NotFound("object", key)
        return _blocks(key, found["Body"])


def _blocks(key: str, body: Any) -> Iterator[bytes]:
    """``body`` raises by itself when it ends before the announced length."""
    with _service_errors("object", key), body:
        yield from body.iter_chunks(BLOCK_BYTES)


def _info(key: str, response: Any) -> ObjectInfo:
    updated_at = response["LastModified"].timestamp()
    return ObjectInfo(
        key=key,
        size=response["ContentLength"],
        generation=int(updated_at * 1_000_000),
        content_type=response.get("ContentType", "application/octet-stream"),
        metadata=response.get("Metadata", {}),
        updated_at=updated_at,
        content_encoding=response.get("ContentEncoding", ""),
    )


def _client() -> Any:
    import boto3
    from botocore.config import Config

    # Whoever fetches counts the attempts; none hide below.
    once = Config(
        connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 1}
    )
    return boto3.client("s3", config=once)


@contextmanager
def _service_errors(what: str, name: str) -> Iterator[None]:
    """Say in the product's terms what went wrong. Never quotes a message: it may hold a URL."""
    try:
        from botocore import exceptions as boto
    except ImportError:
        raise MissingDependency("boto3", ">=1.35", "install rushes[s3]") from None
    try:
        yield
    except boto.ClientError as error:
        raise _translated(error, what, name) from error
    except (
        boto.ConnectionError,
        boto.HTTPClientError,
        boto.IncompleteReadError,
        boto.FlexibleChecksumError,
    ) as error:
        raise Unavailable("S3", type(error).__name__) from error
    except boto.BotoCoreError as error:
        raise BackendFailed("boto3", type(error).__name__) from error


def _translated(error: Any, what: str, name: str) -> Exception:
    code = error.response["Error"]["Code"]
    status = error.response["ResponseMetadata"].get("HTTPStatusCode", 500)
    if status == 404:
        return NotFound(what, name)
    if status >= 500 or status == 429 or code in _BUSY_CODES:
        return Unavailable("S3", f"HTTP {status}")
    return BackendFailed("boto3", f"HTTP {status}")
