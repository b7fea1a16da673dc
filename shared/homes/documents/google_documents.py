"""Documents in Firestore, or on its emulator where ``FIRESTORE_EMULATOR_HOST`` is set.

No transactions: contended ones stall for seconds. Every write is a commit of one whole document
under a precondition, and carries a stamp of its own under ``WRITE_FIELD``, for two reasons. A write
that changes nothing keeps the old update time in Firestore, so of several racers with equal data
each would win. And a commit whose answer got lost is sent again and then fails by its own effect:
the stamp tells it from somebody else's.

A document whose data has ``expires_at`` (Unix seconds) carries that as a timestamp under
``EXPIRES_FIELD``, by which the service removes it, where the collection has a policy
(terraform/modules/documents); the emulator does not.

Listing a group needs, in the real service, a single-field index with collection group scope for
each field of ``where``.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from google.api_core.datetime_helpers import DatetimeWithNanoseconds
from google.api_core.exceptions import (
    AlreadyExists,
    FailedPrecondition,
    NotFound,
)
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from google.protobuf.timestamp_pb2 import Timestamp

from shared.contracts.ids import canonical_json
from shared.errors import Conflict, Unavailable
from shared.homes.documents import Document, Scalar
from shared.homes.documents.document_checks import (
    EXPIRES_FIELD,
    NESTED_ARRAY,
    WRITE_FIELD,
    checked_collection,
    checked_cursor,
    checked_id,
    checked_json,
    checked_where,
    parsed,
    split_path,
)
from shared.homes.documents.firestore_client import firestore_client
from shared.homes.google_errors import google_errors
from shared.homes.google_retry import RETRY, TIMEOUT_S

SERVICE = "Firestore"
PAGE = 300
_OK, _ALREADY_EXISTS = 0, 6


class GoogleDocuments:
    """``shared.homes.documents.Documents`` over Firestore. The store's clock is the service's."""

    def __init__(self, project: str) -> None:
        with google_errors(SERVICE):
            self._client = firestore_client(project)

    def get(self, path: str) -> Document | None:
        """The document, or ``None``."""
        return self.get_all([path]).get(path)

    def get_all(self, paths: Sequence[str], *, fields: Collection[str] = ()) -> dict[str, Document]:
        """Path -> document, of those that exist: a call for every few hundred."""
        for path in paths:
            split_path(path)
        database = self._client._database_string
        names = [f"{database}/documents/{path}" for path in dict.fromkeys(paths)]
        mask = {"mask": {"field_paths": sorted(map(firestore.Client.field_path, fields))}}
        found: dict[str, Document] = {}
        for start in range(0, len(names), PAGE):
            request = {"database": database, "documents": names[start : start + PAGE]}
            if fields:
                request |= mask
            with google_errors(SERVICE):
                answers = self._client._firestore_api.batch_get_documents(
                    request=request,
                    metadata=self._client._rpc_metadata,
                    retry=RETRY,
                    timeout=TIMEOUT_S,
                )
                made = [_plain(answer) for answer in answers]
            found |= {document.path: document for document in made if document is not None}
        return found

    def create(self, path: str, data: Mapping[str, Any]) -> Document:
        """Write a new document; raises ``Conflict`` if there is one."""
        return self._commit(path, data, self._client.write_option(exists=False))

    def create_all(self, contents: Mapping[str, Mapping[str, Any]]) -> dict[str, Document]:
        """Write those documents that are not there, in one call; returns them by path.

        What was written by an attempt whose answer got lost counts as there.
        """
        batch = self._client.batch()
        texts = {path: checked_json(data) for path, data in contents.items()}
        for path, text in texts.items():
            split_path(path)
            batch.create(self._client.document(path), _stored(parsed(text)))
        request = {"database": self._client._database_string, "writes": batch._write_pbs}
        with google_errors(SERVICE):
            answer = self._client._firestore_api.batch_write(
                request=request,
                metadata=self._client._rpc_metadata,
                retry=RETRY,
                timeout=TIMEOUT_S,
            )
        made: dict[str, Document] = {}
        for path, status, result in zip(texts, answer.status, answer.write_results, strict=True):
            if status.code == _OK:
                at = _moment(result.update_time)
                made[path] = Document(
                    path, texts[path], at.rfc3339(), at.timestamp(), at.timestamp()
                )
            elif status.code != _ALREADY_EXISTS:
                raise Unavailable(SERVICE, status.message or f"status {status.code}")
        return made

    def update(self, path: str, data: Mapping[str, Any], *, version: str) -> Document:
        """Replace the document at just this version; raises ``Conflict`` otherwise."""
        return self._commit(path, data, self._at_version(version))

    def put(self, path: str, data: Mapping[str, Any]) -> Document:
        """Create or replace, whatever is there."""
        return self._commit(path, data, None)

    def delete(self, path: str, *, version: str | None = None) -> bool:
        """Remove it; ``False`` if it was not there. Raises ``Conflict`` on another version."""
        split_path(path)
        option = (
            self._client.write_option(exists=True) if version is None else self._at_version(version)
        )
        reference = self._client.document(path)
        with google_errors(SERVICE):
            try:
                reference.delete(option=option, retry=RETRY, timeout=TIMEOUT_S)
            except (FailedPrecondition, NotFound):
                if self._snapshot(path).exists and version is not None:
                    raise Conflict("the document has changed") from None
                return False
        return True

    def remove_expired(self) -> int:
        """The service's own policies do (terraform/modules/documents)."""
        return 0

    def list(
        self,
        collection: str,
        *,
        where: Mapping[str, Scalar] | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Iterator[Document]:
        """The collection's own documents, ordered by id; see ``Documents.list``."""
        found = self._client.collection(checked_collection(collection))
        start = None if after is None else {"__name__": found.document(checked_id(after))}
        yield from _pages(_filtered(found, where), limit, start)

    def list_by(self, collection: str, field: str) -> Iterator[Document]:
        """Ordered by the words in ``field``, then by id; see ``Documents.list_by``."""
        found = self._client.collection(checked_collection(collection))
        query = found.where(filter=FieldFilter(checked_id(field), ">", ""))  # words alone
        yield from _pages(query.order_by(field).order_by("__name__"), None, None, by=(field,))

    def newest(
        self, collection: str, *, by: str, limit: int, after: str | None = None
    ) -> Sequence[Document]:
        """The largest by the field ``by`` first; see ``Documents.newest``."""
        found = self._client.collection(checked_collection(collection))
        query = found.order_by(checked_id(by), direction="DESCENDING")
        query = query.order_by("__name__", direction="DESCENDING").limit(limit)
        if after is not None:
            last = checked_cursor(self.get(f"{collection}/{checked_id(after)}"), by)
            query = query.start_after({by: last, "__name__": found.document(after)})
        with google_errors(SERVICE):
            return [_document(snapshot) for snapshot in query.get(retry=RETRY, timeout=TIMEOUT_S)]

    def list_group(
        self, name: str, *, where: Mapping[str, Scalar] | None = None
    ) -> Iterator[Document]:
        """Documents of every collection called ``name``, ordered by path, for the sweep."""
        found = self._client.collection_group(checked_id(name))
        yield from _pages(_filtered(found, where), None, None)

    def _snapshot(self, path: str) -> Any:
        return self._client.document(path).get(retry=RETRY, timeout=TIMEOUT_S)

    def _at_version(self, version: str) -> Any:
        try:
            moment = DatetimeWithNanoseconds.from_rfc3339(version)  # type: ignore[no-untyped-call]
        except ValueError:
            raise Conflict("the version is none of this store's") from None
        return self._client.write_option(last_update_time=moment.timestamp_pb())

    def _commit(self, path: str, data: Mapping[str, Any], option: Any) -> Document:
        """Write the whole document under the option's precondition; raises ``Conflict``."""
        split_path(path)
        text = checked_json(data)
        fields = _stored(parsed(text))
        batch = self._client.batch()
        batch.set(self._client.document(path), fields)
        if option is not None:  # the client offers preconditions only for writes that merge
            option.modify_write(batch._write_pbs[0])
        with google_errors(SERVICE):
            try:
                result = batch.commit(retry=RETRY, timeout=TIMEOUT_S)[0]
            except (AlreadyExists, FailedPrecondition, NotFound):
                snapshot = self._snapshot(path)
                if (snapshot.to_dict() or {}).get(WRITE_FIELD) != fields[WRITE_FIELD]:
                    raise Conflict("somebody else wrote or removed the document") from None
                return _document(snapshot)
        written = result.update_time
        return Document(path, text, written.rfc3339(), written.timestamp(), written.timestamp())


def _stored(value: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a document: its data, when it expires, and this write's stamp."""
    return {**_to_fields(value), **_expiry(value), WRITE_FIELD: secrets.token_hex(8)}


def _filtered(collection: Any, where: Mapping[str, Scalar] | None) -> Any:
    query = collection
    for name, value in checked_where(where).items():
        field = firestore.Client.field_path(name)
        query = query.where(filter=FieldFilter(field, "==", value))
    return query.order_by("__name__")


def _pages(
    query: Any, limit: int | None, start: Mapping[str, Any] | None, by: Sequence[str] = ()
) -> Iterator[Document]:
    """Page by page, as the reader asks: a stream would time out under a slow one.

    ``by``: the fields that the query orders by before the name.
    """
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = query.limit(size)
        if start is not None:
            page = page.start_after(start)
        with google_errors(SERVICE):
            snapshots = page.get(retry=RETRY, timeout=TIMEOUT_S)
        yield from map(_document, snapshots)
        if len(snapshots) < size:
            return
        last = snapshots[-1]
        start = {**{name: last.get(name) for name in by}, "__name__": last.reference}
        left = None if left is None else left - size


def _document(snapshot: Any) -> Document:
    fields = snapshot.to_dict()
    fields.pop(WRITE_FIELD, None)
    fields.pop(EXPIRES_FIELD, None)
    updated = _moment(snapshot.update_time)
    return Document(
        path=snapshot.reference.path,
        text=canonical_json(_from_fields(fields)),
        version=updated.rfc3339(),
        updated_at=updated.timestamp(),
        read_at=_moment(snapshot.read_time).timestamp(),
    )


def _plain(answer: Any) -> Document | None:
    """The document that one answer of a batch found: the client's own reading takes six times as long."""
    message = type(answer).pb(answer)
    if not message.HasField("found"):
        return None
    found = message.found
    seconds, nanos = found.update_time.seconds, found.update_time.nanos
    data = {
        name: _from_message(value)
        for name, value in found.fields.items()
        if name not in (WRITE_FIELD, EXPIRES_FIELD)
    }
    document = Document(
        path=found.name.split("/documents/", 1)[1],
        text=canonical_json(data),
        version=_version(seconds, nanos),
        updated_at=(seconds * 1_000_000 + nanos // 1000) / 1e6,
        read_at=message.read_time.seconds + message.read_time.nanos / 1e9,
    )
    document.data = data
    return document


@lru_cache(maxsize=64)
def _version(seconds: int, nanos: int) -> str:
    """What was written together was written at once: of tens of artifacts it is put into words once."""
    moment = DatetimeWithNanoseconds.from_timestamp_pb(Timestamp(seconds=seconds, nanos=nanos))  # type: ignore[no-untyped-call]
    return str(moment.rfc3339())


def _from_message(value: Any) -> Any:
    """A field's value as JSON has it."""
    kind = value.WhichOneof("value_type")
    if kind == "map_value":
        fields = value.map_value.fields
        if len(fields) == 1 and NESTED_ARRAY in fields:
            return _from_message(fields[NESTED_ARRAY])
        return {name: _from_message(one) for name, one in fields.items()}
    if kind == "array_value":
        return [_from_message(one) for one in value.array_value.values]
    return None if kind == "null_value" else getattr(value, kind)


def _moment(value: Any) -> Any:
    """A time as a listing of a group gives it (raw), or as everything else does."""
    if isinstance(value, datetime):
        return value
    return DatetimeWithNanoseconds.from_timestamp_pb(value)  # type: ignore[no-untyped-call]


def _expiry(value: Mapping[str, Any]) -> dict[str, datetime]:
    expires_at = value.get("expires_at")
    return {} if expires_at is None else {EXPIRES_FIELD: datetime.fromtimestamp(expires_at, UTC)}


def _to_fields(value: Any, *, in_array: bool = False) -> Any:
    """JSON as Firestore takes it: an array directly inside an array is put into a map."""
    if isinstance(value, dict):
        return {name: _to_fields(item) for name, item in value.items()}
    if isinstance(value, list):
        items = [_to_fields(item, in_array=True) for item in value]
        return {NESTED_ARRAY: items} if in_array else items
    return value


def _from_fields(value: Any) -> Any:
    """The inverse of ``_to_fields``."""
    if isinstance(value, dict):
        if value.keys() == {NESTED_ARRAY}:
            return _from_fields(value[NESTED_ARRAY])
        return {name: _from_fields(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_from_fields(item) for item in value]
    return value
