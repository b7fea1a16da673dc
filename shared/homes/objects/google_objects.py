"""Objects in Google Cloud Storage, or in whatever ``STORAGE_EMULATOR_HOST`` names."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shared.errors import (
    BackendFailed,
    Conflict,
    MissingDependency,
    NotFound,
    Unavailable,
    ValidationError,
)
from shared.homes.objects import ABSENT, BLOCK_BYTES, NewObject, ObjectInfo
from shared.homes.objects.keys import check_key, check_prefix

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Client

_FETCH_BYTES = 8 << 20
"""So much is asked for, or sent, in one request: what a transfer holds in memory."""
_PARALLEL_WRITES = 8
_TIMEOUT_S = (10.0, 60.0)
"""To connect, and between two bytes."""


class GoogleObjects:
    """A bucket. The library retries what is safe to retry, for ``retry_s`` seconds at most."""

    def __init__(self, bucket: str, project: str | None = None, *, retry_s: float = 30.0) -> None:
        self._name = bucket
        with _service_errors("bucket", bucket):
            self._client = _client(project)
            self._bucket = self._client.bucket(bucket)
        from google.cloud.storage.retry import DEFAULT_RETRY

        retry = DEFAULT_RETRY.with_delay(initial=0.2, maximum=5.0).with_timeout(retry_s)
        self._call: Mapping[str, Any] = {"timeout": _TIMEOUT_S, "retry": retry if retry_s else None}

    def stat(self, key: str) -> ObjectInfo | None:
        """The object's facts, or ``None``."""
        found = self._get(key)
        return _info(found) if found else None

    def put(
        self,
        key: str,
        source: Path | bytes,
        *,
        content_type: str,
        if_generation: int | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Write the whole object, see ``Objects.put``."""
        blob = self._bucket.blob(check_key(key), chunk_size=_FETCH_BYTES)
        blob.metadata = dict(metadata or {})
        upload = blob.upload_from_string if isinstance(source, bytes) else blob.upload_from_filename
        with _service_errors("object", key):
            upload(
                source if isinstance(source, bytes) else str(source),
                content_type=content_type,
                if_generation_match=if_generation,
                checksum="auto",
                **self._call,
            )
        return _info(blob)

    def create_all(self, files: Sequence[NewObject]) -> dict[str, ObjectInfo]:
        """Write those whose key is free, see ``Objects.create_all``."""

        def create(one: NewObject) -> ObjectInfo | None:
            with suppress(Conflict):
                return self.put(
                    one.key, one.path, content_type=one.content_type, if_generation=ABSENT
                )
            return None

        with ThreadPoolExecutor(_PARALLEL_WRITES) as pool:
            made = list(pool.map(create, files))
        return {info.key: info for info in made if info is not None}

    def read(self, key: str, *, generation: int | None = None, start: int = 0) -> Iterator[bytes]:
        """Stream the bytes of one generation, and compare the checksum of a whole at the end."""
        found = self._get(key, generation)
        if found is None:
            raise NotFound("object", key)
        return self._blocks(found, start)

    @property
    def announces(self) -> bool:
        """By the bucket's notification, or Eventarc."""
        return True

    def upload_address(
        self, key: str, *, size: int, content_type: str, metadata: Mapping[str, str], origin: str
    ) -> str:
        """Open a resumable upload of just ``size`` bytes: whoever has its address may send them.

        ``origin``: the web page that may do so from a browser.
        """
        blob = self._bucket.blob(check_key(key))
        blob.metadata = dict(metadata)
        with _service_errors("object", key):
            address: str = blob.create_resumable_upload_session(
                content_type=content_type, size=size, origin=origin, if_generation_match=0
            )
        return address

    def download_address(self, key: str, *, name: str, seconds: int) -> str:
        """A signed address (V4) at which whoever has it may read, for so long.

        ``name``: what a browser saves it as. Credentials without a private key of their own (Cloud
        Run's) sign through IAM, for which they need ``iam.serviceAccounts.signBlob`` on themselves.
        """
        blob = self._bucket.blob(check_key(key))
        with _service_errors("object", key):
            address: str = blob.generate_signed_url(
                version="v4",
                expiration=timedelta(seconds=seconds),
                response_disposition=f"inline; filename*=UTF-8''{quote(name)}",
                **_signer(self._client),
            )
        return address

    def copy(self, key: str, to: str, *, generation: int | None = None) -> ObjectInfo:
        """Copy inside the service, see ``Objects.copy``."""
        source = self._bucket.blob(check_key(key), generation=generation)
        target = self._bucket.blob(check_key(to))
        with _service_errors("object", key):
            token, _, _ = target.rewrite(source, **self._call)
            while token is not None:
                token, _, _ = target.rewrite(source, token=token, **self._call)
        return _info(target)

    def list(self, prefix: str, *, written_after: float = 0.0) -> Iterator[ObjectInfo]:
        """Objects below ``prefix``, see ``Objects.list``: the service lists all, and they are sifted here."""
        with _service_errors("bucket", self._name):
            found = self._client.list_blobs(self._bucket, prefix=check_prefix(prefix), **self._call)
            for blob in found:
                info = _info(blob)
                if info.updated_at >= written_after:
                    yield info

    def delete(self, key: str, *, if_generation: int | None = None) -> bool:
        """Remove it; ``False`` if it was not there. Raises ``Conflict`` on another generation."""
        blob = self._bucket.blob(check_key(key))
        try:
            with _service_errors("object", key):
                blob.delete(if_generation_match=if_generation, **self._call)
        except NotFound:
            return False
        return True

    def uri(self, key: str) -> str:
        """``gs://bucket/key``"""
        return f"gs://{self._name}/{check_key(key)}"

    def _get(self, key: str, generation: int | None = None) -> Blob | None:
        with _service_errors("object", key):
            return self._bucket.get_blob(check_key(key), generation=generation, **self._call)

    def _blocks(self, blob: Blob, start: int = 0) -> Iterator[bytes]:
        import google_crc32c

        if not blob.size:  # a request for a range of nothing is refused
            return
        checksum: Any = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
        # Requests for ranges, as a broken one can be repeated without beginning again. They carry
        # no checksum of their own. Raw, for the service would decode what is stored as gzip, and
        # then knows no ranges, size or checksum of it.
        with (
            _service_errors("object", blob.name),
            blob.open("rb", chunk_size=_FETCH_BYTES, raw_download=True, **self._call) as file,
        ):
            file.seek(start)
            while block := file.read(BLOCK_BYTES):
                checksum.update(block)
                yield block
        if start == 0 and base64.b64encode(checksum.digest()).decode() != blob.crc32c:
            raise Unavailable("the object", "its bytes arrived damaged")


def _client(project: str | None) -> Client:
    from google.cloud import storage

    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    if emulator and "://" not in emulator:  # as the other emulators' variables are written
        return storage.Client(project, client_options={"api_endpoint": f"http://{emulator}"})
    return storage.Client(project)


def _signer(client: Client) -> dict[str, Any]:
    """What signing needs beside the credentials, where these hold no private key."""
    from google.auth import credentials
    from google.auth.transport.requests import Request

    own = client._credentials
    if isinstance(own, credentials.Signing):
        return {"credentials": own}
    if not own.valid:
        own.refresh(Request())
    return {"service_account_email": own.service_account_email, "access_token": own.token}


def _info(blob: Blob) -> ObjectInfo:
    return ObjectInfo(
        key=blob.name,
        size=blob.size or 0,  # some servers leave out what is 0
        generation=blob.generation,
        content_type=blob.content_type or "application/octet-stream",
        metadata=dict(blob.metadata or {}),
        updated_at=blob.updated.timestamp(),
        content_encoding=blob.content_encoding or "",
    )


@contextmanager
def _service_errors(what: str, name: str) -> Iterator[None]:
    """Say in the product's terms what went wrong. Never quotes a message: it may hold a URL.

    Our own credentials may be refused for a while (401): they are renewed, or the operator mends them.
    """
    try:
        import requests
        from google.api_core import exceptions as api
        from google.auth import exceptions as auth
        from google.cloud.storage.exceptions import DataCorruption
    except ImportError:
        raise MissingDependency("google-cloud-storage", ">=3", "install rushes[google]") from None
    try:
        yield
    except api.PreconditionFailed as error:
        raise Conflict("the object has another generation than demanded") from error
    except api.NotFound as error:
        raise NotFound(what, name) from error
    except api.BadRequest as error:
        raise ValidationError(what, "the storage service refuses the request") from error
    except (
        api.ServerError,
        api.TooManyRequests,
        api.RetryError,
        api.Unauthorized,
        auth.GoogleAuthError,
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
        ConnectionError,
        DataCorruption,
    ) as error:
        raise Unavailable("the object store", _name_of(error)) from error
    except api.GoogleAPIError as error:
        raise BackendFailed("google-cloud-storage", _name_of(error)) from error


def _name_of(error: Exception) -> str:
    code = getattr(error, "code", None)
    return f"{type(error).__name__} {int(code)}" if isinstance(code, int) else type(error).__name__
