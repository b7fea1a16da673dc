"""The document store's contract, for each home."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Conflict, Unavailable
from shared.homes.documents import Documents
from shared.homes.documents.embedded_documents import EmbeddedDocuments
from tests.contract.conftest import ASSETS, PATH

RACERS = 20


def race(act: Callable[[int], object]) -> int:
    """How many of the racers meet no conflict."""

    def wins(racer: int) -> bool:
        try:
            act(racer)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(RACERS) as pool:
        return sum(pool.map(wins, range(RACERS)))


def test_reads_what_was_created(documents: Documents) -> None:
    assert documents.get(PATH) is None
    created = documents.create(PATH, {"state": "new"})
    found = documents.get(PATH)
    assert found is not None
    assert (found.path, found.id, found.data) == (PATH, "ast_1", {"state": "new"})
    assert (created.path, created.data) == (found.path, found.data)
    assert (created.version, created.updated_at) == (found.version, found.updated_at)
    assert found.read_at >= found.updated_at > 1e9


def test_many_are_read_at_once(documents: Documents) -> None:
    folder = PATH.rsplit("/", 1)[0]
    paths = [f"{folder}/ast_{number}" for number in range(450)]
    for number in range(0, 450, 3):
        documents.put(paths[number], {"number": number})
    found = documents.get_all([*paths, paths[0]])
    assert set(found) == set(paths[::3])
    assert {path: document.data["number"] for path, document in found.items()} == {
        path: number for number, path in enumerate(paths) if number % 3 == 0
    }
    assert documents.get_all([]) == {}
    version = found[paths[3]].version
    documents.update(paths[3], {"number": -1}, version=version)


def test_some_fields_of_many_are_read(documents: Documents) -> None:
    folder = PATH.rsplit("/", 1)[0]
    made = {"kind": "hit", "bytes": 3, "meta": {"kind": 1}}
    documents.put(PATH, made)
    documents.put(f"{folder}/ast_2", {"other": True})
    paths = [PATH, f"{folder}/ast_2", f"{folder}/ast_3"]
    found = documents.get_all(paths, fields=("kind", "bytes", "a b"))
    assert list(found) == paths[:2], "one that has none of them is there all the same"
    assert found[PATH].data.items() >= {"kind": "hit", "bytes": 3}.items()
    documents.update(PATH, {"kind": "loop"}, version=found[PATH].version)


def test_of_many_creators_one_wins(documents: Documents) -> None:
    assert race(lambda racer: documents.create(PATH, {"racer": racer})) == 1


@pytest.mark.parametrize("same_data", [False, True])
def test_of_many_updaters_one_wins(documents: Documents, same_data: bool) -> None:
    version = documents.create(PATH, {"racer": 0}).version
    data = {"racer": 0}
    wins = race(
        lambda racer: documents.update(
            PATH, data if same_data else {"racer": racer}, version=version
        )
    )
    assert wins == 1


def test_several_are_created_at_once_where_there_are_none(documents: Documents) -> None:
    standing = documents.create(f"{ASSETS}/b", {"n": 0})
    made = documents.create_all({f"{ASSETS}/{name}": {"n": 1, "rows": [[1]]} for name in "abc"})
    assert sorted(made) == [f"{ASSETS}/a", f"{ASSETS}/c"]
    for path, document in made.items():
        found = documents.get(path)
        assert found is not None
        assert (found.data, found.version) == (document.data, document.version)
    again = documents.get(standing.path)
    assert again is not None and again.version == standing.version
    documents.update(f"{ASSETS}/a", {"n": 2}, version=made[f"{ASSETS}/a"].version)
    assert documents.create_all({}) == {}


def test_an_update_replaces_all_fields(documents: Documents) -> None:
    created = documents.create(PATH, {"old": 1, "kept": {"a": 1, "b": 2}})
    updated = documents.update(PATH, {"kept": {"a": 3}}, version=created.version)
    found = documents.get(PATH)
    assert found is not None
    assert found.data == updated.data == {"kept": {"a": 3}}
    documents.put(PATH, {})
    emptied = documents.get(PATH)
    assert emptied is not None
    assert emptied.data == {}


def test_a_stale_version_is_refused(documents: Documents) -> None:
    first = documents.create(PATH, {"n": 1})
    second = documents.update(PATH, {"n": 2}, version=first.version)
    with pytest.raises(Conflict):
        documents.update(PATH, {"n": 3}, version=first.version)
    with pytest.raises(Conflict):
        documents.delete(PATH, version=first.version)
    assert documents.update(PATH, {"n": 3}, version=second.version).data == {"n": 3}


@pytest.mark.parametrize("version", ["1", "", "not a version", "2020-01-01T00:00:00.000001Z"])
def test_a_foreign_version_is_refused(documents: Documents, version: str) -> None:
    documents.put(PATH, {"n": 1})
    documents.delete(PATH)
    documents.put(PATH, {"n": 1})
    with pytest.raises(Conflict):
        documents.update(PATH, {"n": 2}, version=version)


def test_nothing_is_updated_into_being(documents: Documents) -> None:
    version = documents.create(PATH, {}).version
    assert documents.delete(PATH, version=version) is True
    assert documents.delete(PATH, version=version) is False
    assert documents.delete(PATH) is False
    with pytest.raises(Conflict):
        documents.update(PATH, {}, version=version)
    assert documents.get(PATH) is None


def test_no_version_comes_twice(documents: Documents) -> None:
    versions = [documents.put(PATH, {"same": True}).version for _ in range(3)]
    documents.delete(PATH)
    versions.append(documents.create(PATH, {"same": True}).version)
    versions.append(documents.update(PATH, {"same": True}, version=versions[-1]).version)
    assert len(set(versions)) == len(versions)


def test_trouble_with_the_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"no database at all" * 1000)
    with pytest.raises(Unavailable, match="file is not a database"):
        EmbeddedDocuments(tmp_path / "broken").get(PATH)


@pytest.mark.heavy
@pytest.mark.emulator
def test_trouble_with_the_service_is_said(
    google_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.api_core.retry import Retry

    from shared.homes.documents import google_documents

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setattr(google_documents, "RETRY", Retry(timeout=1))
    with pytest.raises(Unavailable):
        google_documents.GoogleDocuments(google_project).create(PATH, {})


@pytest.mark.emulator
def test_a_write_sent_twice_does_not_conflict_with_itself(
    google_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.cloud.firestore_v1.batch import WriteBatch

    from shared.homes.documents.google_documents import GoogleDocuments

    commit = WriteBatch.commit

    def answer_lost_once(batch: WriteBatch, **options: Any) -> Any:
        writes = list(batch._write_pbs)
        commit(batch, **options)
        batch._write_pbs = writes
        return commit(batch, **options)

    monkeypatch.setattr(WriteBatch, "commit", answer_lost_once)
    documents = GoogleDocuments(google_project)
    created = documents.create(PATH, {"n": 1})
    updated = documents.update(PATH, {"n": 2}, version=created.version)
    assert documents.get(PATH) is not None
    assert updated.data == {"n": 2}
    with pytest.raises(Conflict):
        documents.create(PATH, {"n": 1})


def create_all(documents: EmbeddedDocuments) -> int:
    """How many of the contested documents this process wins."""
    return sum(not conflicts(documents, number) for number in range(RACERS))


def conflicts(documents: EmbeddedDocuments, number: int) -> bool:
    try:
        documents.create(f"{ASSETS}/{number}", {"by": os.getpid()})
    except Conflict:
        return True
    return False


@pytest.mark.heavy
def test_of_many_processes_one_wins(embedded: EmbeddedDocuments) -> None:
    with ProcessPoolExecutor(4, get_context("spawn")) as pool:
        wins = list(pool.map(create_all, [embedded] * 4))
    assert sum(wins) == RACERS == len(list(embedded.list(ASSETS)))


def write_across_a_fork(documents: EmbeddedDocuments) -> list[str]:
    """Threads write while their process forks; then both sides read and write."""
    with ThreadPoolExecutor(4) as pool:
        busy = [pool.submit(create_all, documents) for _ in range(4)]
        child = os.fork()
        signal.alarm(20)  # ends either side, should it wait for a lock for ever
        if child == 0:
            documents.put(f"{ASSETS}/child", {})
            os._exit(0 if documents.get(f"{ASSETS}/child") else 1)
        for future in busy:
            future.result()
    _, status = os.waitpid(child, 0)
    documents.put(f"{ASSETS}/parent-{status}", {})
    return [found.id for found in documents.list(ASSETS)]


def test_a_fork_may_go_on(embedded: EmbeddedDocuments) -> None:
    # In a process of its own: forking this one would take other tests' threads along.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        ids = pool.submit(write_across_a_fork, embedded).result()
    assert {"child", "parent-0"} <= set(ids)
    assert len(ids) == RACERS + 2
