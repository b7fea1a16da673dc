"""Documents in one SQLite file, for the threads and processes of one machine."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from shared.contracts.ids import canonical_json
from shared.errors import Conflict
from shared.homes.documents import EXPIRING, Document, Scalar
from shared.homes.documents.document_checks import (
    checked_collection,
    checked_cursor,
    checked_id,
    checked_json,
    checked_where,
    split_path,
)
from shared.homes.sqlite import Database

PAGE = 200

_GROUP = "replace(collection, rtrim(collection, replace(collection, '/', '')), '')"
"""The last part of a collection's path."""
# The version is never used again, not even after the newest document is deleted.
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS documents (
  version INTEGER PRIMARY KEY AUTOINCREMENT,
  collection TEXT NOT NULL,
  id TEXT NOT NULL,
  data TEXT NOT NULL,
  updated_at REAL NOT NULL,
  UNIQUE (collection, id)
);
CREATE INDEX IF NOT EXISTS by_asset
  ON documents (collection, json_extract(data, '$."asset_id"'), id);
CREATE INDEX IF NOT EXISTS by_state
  ON documents (collection, json_extract(data, '$."state"'), id);
CREATE INDEX IF NOT EXISTS by_creation
  ON documents (collection, json_extract(data, '$."created_at"'), id);
CREATE INDEX IF NOT EXISTS by_group
  ON documents ({_GROUP}, json_extract(data, '$."state"'));
CREATE INDEX IF NOT EXISTS being_erased
  ON documents ({_GROUP}) WHERE json_extract(data, '$."erasing"') = 1;
CREATE INDEX IF NOT EXISTS expiring
  ON documents (json_extract(data, '$."expires_at"'))
  WHERE json_extract(data, '$."expires_at"') IS NOT NULL
"""
INDEXED = ("asset_id", "state")
"""Texts by which lists are asked for: found without reading what does not match."""


_WHOLE = "SELECT version, data, updated_at, id FROM documents"
_SEVERAL = f"{_WHOLE} WHERE collection = ? AND id IN (SELECT value FROM json_each(?))"


class EmbeddedDocuments:
    """``shared.homes.documents.Documents`` over SQLite. The store's clock is this machine's."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA)

    def get(self, path: str) -> Document | None:
        """The document, or ``None``."""
        collection, name = split_path(path)
        with self._database.read() as connection:
            return _read(connection, collection, name)

    def get_all(self, paths: Sequence[str], *, fields: Collection[str] = ()) -> dict[str, Document]:
        """Path -> document, of those that exist."""
        del fields  # a whole one is read as soon
        wanted: dict[str, dict[str, str]] = {}
        for path in paths:
            collection, name = split_path(path)
            wanted.setdefault(collection, {})[name] = path
        found: dict[str, Document] = {}
        with self._database.read() as connection:
            for collection, named in wanted.items():
                told = (collection, json.dumps(list(named)))
                rows = connection.execute(_SEVERAL, told).fetchall()
                read_at = time.time()
                for version, data, updated_at, name in rows:
                    path = named[name]
                    found[path] = Document(path, data, str(version), updated_at, read_at)
        return {path: found[path] for path in paths if path in found}

    def create(self, path: str, data: Mapping[str, Any]) -> Document:
        """Write a new document; raises ``Conflict`` if there is one."""
        collection, name = split_path(path)
        text = checked_json(data)
        with self._database.write() as connection:
            if _read(connection, collection, name) is not None:
                raise Conflict("the document exists already")
            return _write(connection, collection, name, text)

    def create_all(self, contents: Mapping[str, Mapping[str, Any]]) -> dict[str, Document]:
        """Write those documents that are not there, in one transaction; returns them by path."""
        checked = [(*split_path(path), checked_json(data)) for path, data in contents.items()]
        with self._database.write() as connection:
            made = [
                _write(connection, collection, name, text)
                for collection, name, text in checked
                if _read(connection, collection, name) is None
            ]
        return {document.path: document for document in made}

    def update(self, path: str, data: Mapping[str, Any], *, version: str) -> Document:
        """Replace the document at just this version; raises ``Conflict`` otherwise."""
        collection, name = split_path(path)
        text = checked_json(data)
        with self._database.write() as connection:
            found = _read(connection, collection, name)
            if found is None or found.version != version:
                raise Conflict("the document has changed or is gone")
            return _write(connection, collection, name, text)

    def put(self, path: str, data: Mapping[str, Any]) -> Document:
        """Create or replace, whatever is there."""
        collection, name = split_path(path)
        text = checked_json(data)
        with self._database.write() as connection:
            return _write(connection, collection, name, text)

    def delete(self, path: str, *, version: str | None = None) -> bool:
        """Remove it; ``False`` if it was not there. Raises ``Conflict`` on another version."""
        collection, name = split_path(path)
        with self._database.write() as connection:
            found = _read(connection, collection, name)
            if found is None:
                return False
            if version not in (None, found.version):
                raise Conflict("the document has changed")
            connection.execute("DELETE FROM documents WHERE version = ?", (found.version,))
            return True

    def remove_expired(self) -> int:
        """Remove what is past its time; see ``Documents.remove_expired``."""
        at, groups = _field("expires_at"), ", ".join("?" for _ in EXPIRING)
        query = f"FROM documents WHERE {at} < ? AND +{_GROUP} IN ({groups})"  # by age first
        told = (time.time(), *EXPIRING)
        with self._database.read() as connection:
            if not connection.execute(f"SELECT 1 {query} LIMIT 1", told).fetchone():
                return 0
        with self._database.write() as connection:
            return connection.execute(f"DELETE {query}", told).rowcount

    def list(
        self,
        collection: str,
        *,
        where: Mapping[str, Scalar] | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Iterator[Document]:
        """The collection's own documents, ordered by id; see ``Documents.list``."""
        checked_collection(collection)
        start = "" if after is None else checked_id(after)
        wanted = checked_where(where)
        exact = all(name in INDEXED and isinstance(value, str) for name, value in wanted.items())
        page = min(PAGE, limit or PAGE) if exact else PAGE  # else more are read than match
        found = chain.from_iterable(self._pages(collection, start, wanted, page))
        matching = found if exact else (one for one in found if _matches(one, wanted))
        yield from islice(matching, limit)

    def list_by(self, collection: str, field: str) -> Iterator[Document]:
        """Ordered by the words in ``field``, then by id; see ``Documents.list_by``."""
        checked_collection(collection)
        value = _field(field)
        query = (
            f"SELECT version, data, updated_at, id, {value} FROM documents WHERE collection = ?"
            f" AND {value} >= ? AND {value} != '' AND ({value}, id) > (?, ?)"
            f" ORDER BY {value}, id LIMIT ?"  # by the index, from the last one on
        )
        words = name = ""
        while True:
            with self._database.read() as connection:
                told = (collection, words, words, name, PAGE)
                rows = connection.execute(query, told).fetchall()
            yield from _documents(collection, [row[:-1] for row in rows])
            if len(rows) < PAGE:
                return
            *_, name, words = rows[-1]

    def newest(
        self, collection: str, *, by: str, limit: int, after: str | None = None
    ) -> Sequence[Document]:
        """The largest by the field ``by`` first; see ``Documents.newest``."""
        checked_collection(collection)
        value = _field(by)
        query = f"{_WHOLE} WHERE collection = :collection AND {value} IS NOT NULL"
        values: dict[str, Any] = {"collection": collection, "limit": limit}
        if after is not None:
            values["id"] = after
            values["last"] = checked_cursor(self.get(f"{collection}/{checked_id(after)}"), by)
            query += f" AND ({value}, id) < (:last, :id)"
        query += f" ORDER BY {value} DESC, id DESC LIMIT :limit"
        with self._database.read() as connection:
            rows = connection.execute(query, values).fetchall()
        return _documents(collection, rows)

    def list_group(
        self, name: str, *, where: Mapping[str, Scalar] | None = None
    ) -> Iterator[Document]:
        """Documents of every collection called ``name``, ordered by path, for the sweep."""
        wanted = checked_where(where)
        query, told = f"SELECT collection, id FROM documents WHERE {_GROUP} = ?", [checked_id(name)]
        if isinstance(wanted.get("state"), str):
            query, told = f"{query} AND {_field('state')} = ?", [*told, wanted["state"]]
        if wanted.get("erasing") is True:
            query += f" AND {_field('erasing')} = 1"
        with self._database.read() as connection:
            paths = ["/".join(row) for row in connection.execute(query, told)]
        paths.sort(key=lambda path: path.split("/"))
        for start in range(0, len(paths), PAGE):
            found = self.get_all(paths[start : start + PAGE]).values()
            yield from (document for document in found if _matches(document, wanted))

    def _pages(
        self, collection: str, after: str, where: Mapping[str, Scalar], page: int
    ) -> Iterator[Sequence[Document]]:
        """A superset of what matches, page by page, each with its own time of reading."""
        indexed = {name: where[name] for name in INDEXED if isinstance(where.get(name), str)}
        texts = _texts_in({name: value for name, value in where.items() if name not in indexed})
        query = (
            f"{_WHOLE} WHERE collection = ? AND id > ?"
            + "".join(f" AND {_field(name)} = ?" for name in indexed)
            + " AND instr(data, ?)" * len(texts)
            + " ORDER BY id LIMIT ?"
        )
        while True:
            with self._database.read() as connection:
                told = (collection, after, *indexed.values(), *texts, page)
                rows = connection.execute(query, told).fetchall()
            yield _documents(collection, rows)
            if len(rows) < page:
                return
            after = rows[-1][-1]


def _documents(collection: str, rows: Sequence[tuple[Any, ...]]) -> list[Document]:
    """What a query of ``_WHOLE`` found, read just now."""
    read_at = time.time()
    return [
        Document(f"{collection}/{name}", data, str(version), updated_at, read_at)
        for version, data, updated_at, name in rows
    ]


def _read(connection: sqlite3.Connection, collection: str, name: str) -> Document | None:
    row = connection.execute(
        "SELECT version, data, updated_at FROM documents WHERE collection = ? AND id = ?",
        (collection, name),
    ).fetchone()
    if row is None:
        return None
    version, data, updated_at = row
    return Document(f"{collection}/{name}", data, str(version), updated_at, time.time())


def _write(connection: sqlite3.Connection, collection: str, name: str, text: str) -> Document:
    now = time.time()
    version = connection.execute(
        "INSERT OR REPLACE INTO documents (collection, id, data, updated_at) VALUES (?, ?, ?, ?)",
        (collection, name, text, now),
    ).lastrowid
    return Document(f"{collection}/{name}", text, str(version), now, now)


def _field(name: str) -> str:
    """A field of the stored JSON, written as the indexes have it; the name is checked."""
    return f"""json_extract(data, '$."{checked_id(name)}"')"""


def _texts_in(where: Mapping[str, Scalar]) -> tuple[str, ...]:
    """What the stored text must contain: sifts in SQLite before ``_matches`` parses the JSON."""
    return tuple(
        canonical_json({name: value})[1:-1]
        for name, value in where.items()
        if isinstance(value, str)
    )


def _matches(document: Document, where: Mapping[str, Scalar]) -> bool:
    return all(
        name in document.data and _equal(document.data[name], value)
        for name, value in where.items()
    )


def _equal(found: Any, wanted: Scalar) -> bool:
    """As Firestore compares: 1 is 1.0, but true is not 1."""
    return isinstance(found, bool) == isinstance(wanted, bool) and bool(found == wanted)
