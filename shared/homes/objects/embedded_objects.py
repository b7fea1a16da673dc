"""Objects in a folder: the bytes as ordinary files that people can open, the facts in SQLite.

    root/tenants/t1/dev/uploads/Take 3.wav    the bytes, at ``keys.relative_path``
    root/.index/index.sqlite3                 one row an object
    root/.index/tmp/4f3a...                   being written, or committed and not yet moved

A write goes through four states, and dying in any of them loses nothing::

    1  tmp/X is written and synced     the old object stands; X is removed when it is stale
    2  row names X        (commit)     the new object stands: readers find its bytes in tmp/X
    3  tmp/X moves to its place        readers find its bytes there
    4  done

Whoever comes upon state 2 finishes it. Files are never written to once they are in place, so a copy
is a hard link, and a reader keeps the bytes it opened whatever happens to the name.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from shared.errors import NotFound, Unavailable
from shared.homes.objects import NewObject, ObjectInfo
from shared.homes.objects.files import (
    blocks_of,
    disk_errors,
    identity_of,
    link_or_copy,
    md5_of,
    open_if,
    sync,
    sync_all,
    write_new,
)
from shared.homes.objects.guarded_writes import Facts, Guard, check_content_type, demand
from shared.homes.objects.index import Index, IndexedObject, Transaction
from shared.homes.objects.keys import check_key, check_prefix, relative_path
from shared.lazy_log import get_logger

_STALE_S = 3600.0
_OPEN_ATTEMPTS = 20

log = get_logger()


class EmbeddedObjects:
    """A folder as a bucket, for any number of threads and processes of one machine."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.private = self.root / ".index"
        """No key's path leads here."""
        self._staging = self.private / "tmp"
        with disk_errors():
            self._staging.mkdir(parents=True, exist_ok=True)
            self.index = Index(self.private / "index.sqlite3")
        self._clear_staging()

    def stat(self, key: str) -> IndexedObject | None:
        """The object's facts, or ``None``."""
        found = self.open(key)
        if found is None:
            return None
        row, file = found
        file.close()
        return row

    def put(
        self,
        key: str,
        source: Path | bytes,
        *,
        content_type: str,
        if_generation: int | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> IndexedObject:
        """Write the whole object, see ``Objects.put``."""
        check_key(key)
        with self._staged() as staged, _opened(source) as file:
            with disk_errors():
                md5 = write_new(file, staged)
                sync(staged)
            facts = Facts(content_type, dict(metadata or {}), md5)
            return self._commit(key, staged, facts, Guard(demand(if_generation)))

    def create_all(self, files: Sequence[NewObject]) -> dict[str, ObjectInfo]:
        """Write those that are not there, see ``Objects.create_all``: two syncs, however many they are."""
        for one in files:
            check_key(one.key)
        with ExitStack() as kept:
            facts = {}
            for one in files:
                staged = kept.enter_context(self._staged())
                with disk_errors(), one.path.open("rb") as file:
                    facts[one.key, staged] = Facts(one.content_type, {}, write_new(file, staged))
            with disk_errors():
                sync_all([staged for _, staged in facts], self._staging)
            made: dict[str, ObjectInfo] = {}
            with self._transaction() as rows:
                for (key, staged), of_it in facts.items():
                    if self._settled(rows, key) is None:
                        made[key] = self._record(rows, key, staged, (of_it, Guard()))
        self._settle_soon(*made)
        with disk_errors():
            for key, staged in facts:
                if key not in made:
                    staged.unlink(missing_ok=True)
        return made

    def take(self, key: str, file: Path, facts: Facts, guard: Guard) -> IndexedObject:
        """Like ``put``, but moves a finished file of the same file system into the store."""
        check_key(key)
        with self._staged() as staged:
            with disk_errors():
                sync(file)
                file.replace(staged)
            return self._commit(key, staged, facts, guard)

    def open(
        self, key: str, *, generation: int | None = None
    ) -> tuple[IndexedObject, BinaryIO] | None:
        """The object's facts and its bytes, which belong together; ``None`` if it is not there."""
        place = self._place(key)
        for _ in range(_OPEN_ATTEMPTS):
            row = self.index.get(key)
            if row is None or generation not in (None, row.generation):
                return None
            for path in (place, self._staging / row.staged):
                if file := open_if(path, row.identity):
                    return row, file
            self._settle(key)
        raise Unavailable("the object", "it changes faster than it can be opened")

    def read(self, key: str, *, generation: int | None = None, start: int = 0) -> Iterator[bytes]:
        """Stream the bytes of the object as it is now, also if it is replaced meanwhile."""
        found = self.open(key, generation=generation)
        if found is None:
            raise NotFound("object", key)
        _, file = found
        file.seek(start)
        return blocks_of(file)

    def copy(self, key: str, to: str, *, generation: int | None = None) -> IndexedObject:
        """Link the bytes to another key as well, see ``Objects.copy``."""

        def keep(source: IndexedObject) -> Facts:
            if generation not in (None, source.generation):
                raise NotFound("object", key)
            return Facts.of(source)

        return self.copy_as(key, to, keep, Guard())

    def copy_as(
        self, key: str, to: str, describe: Callable[[IndexedObject], Facts], guard: Guard
    ) -> IndexedObject:
        """Copy, with facts that ``describe`` derives from the source's, or refuses to."""
        check_key(to)
        place = self._place(key)
        with self._staged() as staged:
            with self._transaction() as rows:
                source = self._settled(rows, key)
                if source is None:
                    raise NotFound("object", key)
                facts = describe(source)
                link_or_copy(place, staged)
                sync(self._staging)
                row = self._record(rows, to, staged, (facts, guard))
            self._settle_soon(to)
            return row

    def list(
        self, prefix: str, *, after: str = "", written_after: float = 0.0
    ) -> Iterator[IndexedObject]:
        """All objects whose key starts with ``prefix``, in key order, behind ``after``."""
        check_prefix(prefix)
        return self.index.starting_with(prefix, after=after, written_after=written_after)

    def delete(self, key: str, *, if_generation: int | None = None) -> bool:
        """Remove it; ``False`` if it was not there. Raises ``Conflict`` on another generation."""
        return self.remove(key, Guard(demand(if_generation)))

    def remove(self, key: str, guard: Guard) -> bool:
        """Remove it unless the guard objects; ``False`` if it was not there."""
        place = self._place(key)
        with self._transaction() as rows:
            row = self._settled(rows, key)
            if row is None:
                return False
            guard.check(row)
            rows.delete(key)
            guard.note(rows.db, None, row)
            staged = self._staging / row.staged
            place.replace(staged)  # back to state 2, so that dying here leaves the old object
            self._prune(place.parent)
        with disk_errors():
            staged.unlink(missing_ok=True)
        return True

    def amend(
        self, key: str, change: Callable[[IndexedObject], IndexedObject]
    ) -> IndexedObject | None:
        """Change facts and not bytes: the generation stays, the metageneration grows."""
        check_key(key)
        with self._transaction() as rows:
            row = self._settled(rows, key)
            if row is None:
                return None
            amended = replace(
                change(row), metageneration=row.metageneration + 1, updated_at=time.time()
            )
            rows.put(amended)
            return amended

    def path(self, key: str) -> Path | None:
        """The local file with the bytes: to be read, linked or copied, never written."""
        row = self.stat(key)
        if row is None:
            return None
        if (self._staging / row.staged).exists():
            self._settle(key)
        return self._place(key)

    @property
    def announces(self) -> bool:
        """Nobody watches the folder: whoever puts an upload there announces it."""
        return False

    def upload_address(self, key: str, **_: object) -> None:
        """A folder takes bytes through us alone."""

    def download_address(self, key: str, **_: object) -> None:
        """A folder gives bytes through us alone."""

    def uri(self, key: str) -> str:
        """``file:///...``"""
        return self._place(key).as_uri()

    def close(self) -> None:
        """Close idle connections; the store stays usable."""
        self.index.close()

    def _place(self, key: str) -> Path:
        return self.root / relative_path(key)

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        with disk_errors(), self.index.transaction() as rows:
            yield rows

    @contextmanager
    def _staged(self) -> Iterator[Path]:
        """A new temporary file's path; the file goes on failure, unless a row owns it already."""
        staged = self._staging / uuid4().hex
        try:
            yield staged
        except BaseException:
            if staged.exists():
                self._clear(staged, max_age_s=0)
            raise

    def _commit(self, key: str, staged: Path, facts: Facts, guard: Guard) -> IndexedObject:
        with disk_errors():
            sync(self._staging)
        with self._transaction() as rows:
            row = self._record(rows, key, staged, (facts, guard))
        self._settle_soon(key)
        return row

    def _record(
        self, rows: Transaction, key: str, staged: Path, write: tuple[Facts, Guard]
    ) -> IndexedObject:
        """From state 1, with its name synced, to state 2, once the transaction commits."""
        facts, guard = write
        check_content_type(facts.content_type)
        before = self._settled(rows, key)
        guard.check(before)
        self._place(key).parent.mkdir(parents=True, exist_ok=True)
        status = staged.stat()
        row = IndexedObject(
            key=key,
            size=status.st_size,
            generation=rows.next_generation(),
            updated_at=time.time(),
            staged=staged.name,
            identity=identity_of(status),
            **vars(facts),
        )
        rows.put(row)
        guard.note(rows.db, row, before)
        return row

    def _settle(self, key: str) -> None:
        with self._transaction() as rows:
            self._settled(rows, key)

    def _settle_soon(self, *keys: str) -> None:
        """Move what is committed to its place. If that fails the object stands nevertheless."""
        try:
            with self._transaction() as rows:
                for key in keys:
                    self._settled(rows, key)
        except Unavailable as error:
            log.warning("objects.unsettled", reason=error.message)

    def _settled(self, rows: Transaction, key: str) -> IndexedObject | None:
        """The key's row, its bytes in their place: from state 2 to state 4 where need be."""
        row = rows.get(key)
        if row is None:
            return None
        place, staged = self._place(key), self._staging / row.staged
        if staged.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(place)
            staged.unlink(missing_ok=True)  # POSIX leaves both names of one hard-linked file
        return self._reconciled(rows, row, place)

    def _reconciled(
        self, rows: Transaction, row: IndexedObject, place: Path
    ) -> IndexedObject | None:
        """The row as the file in its place demands, which somebody may have changed by hand."""
        try:
            identity = identity_of(place.stat())
        except FileNotFoundError:
            rows.delete(row.key)
            log.warning("objects.file_gone")
            return None
        if identity == row.identity:
            return row
        md5 = md5_of(place)
        changed = replace(row, identity=identity)
        if md5 != row.md5:  # otherwise the folder was moved or restored
            changed = replace(
                changed,
                md5=md5,
                crc32c=None,
                size=place.stat().st_size,
                generation=rows.next_generation(),
                updated_at=time.time(),
            )
            log.warning("objects.file_changed")
        rows.put(changed)
        return changed

    def _prune(self, folder: Path) -> None:
        """Remove folders that have become empty, upwards."""
        while folder != self.root:
            try:
                folder.rmdir()
            except OSError:
                return  # it is not empty
            folder = folder.parent

    def _clear_staging(self) -> None:
        """Finish or remove what processes that died left behind."""
        for staged in self._staging.iterdir():
            self._clear(staged, max_age_s=_STALE_S)

    def _clear(self, staged: Path, *, max_age_s: float) -> None:
        with self._transaction() as rows:
            owner = rows.owner_of(staged.name)
            if owner is not None:
                self._settled(rows, owner)
                return
            try:
                if time.time() - staged.stat().st_ctime >= max_age_s:
                    staged.unlink()
            except FileNotFoundError:
                return  # another process has done the same


def _opened(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
