"""The document store's contract, for each home."""

import math
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import Conflict, Unavailable, ValidationError
from shared.homes.documents import Documents
from shared.homes.documents.embedded_documents import PAGE, EmbeddedDocuments

RACERS = 20
ASSETS = "tenants/t1/envs/dev/assets"
PATH = f"{ASSETS}/ast_1"


@pytest.fixture(params=["embedded", pytest.param("google", marks=pytest.mark.emulator)])
def documents(request: pytest.FixtureRequest, tmp_path: Path) -> Documents:
    if request.param == "embedded":
        return EmbeddedDocuments(tmp_path / "documents.sqlite3")
    project = request.getfixturevalue("google_project")
    from shared.homes.documents.google_documents import GoogleDocuments

    return GoogleDocuments(project)


@pytest.fixture
def embedded(tmp_path: Path) -> EmbeddedDocuments:
    return EmbeddedDocuments(tmp_path / "documents.sqlite3")


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


def test_lists_in_order_and_in_part(documents: Documents) -> None:
    for name in ("b", "a", "a-1", "ü", "B"):
        documents.put(f"{ASSETS}/{name}", {"name": name})

    def ids(**selection: Any) -> list[str]:
        return [found.id for found in documents.list(ASSETS, **selection)]

    assert ids() == ["B", "a", "a-1", "b", "ü"]
    assert ids(limit=2) == ["B", "a"]
    assert ids(after="a", limit=2) == ["a-1", "b"]
    assert ids(after="aa") == ["b", "ü"]
    assert ids(limit=0) == []
    assert [found.data for found in documents.list(ASSETS, limit=1)] == [{"name": "B"}]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"kind": "x"}, ["1", "3"]),
        ({"kind": "x", "n": 1}, ["1"]),
        ({"n": 1}, ["1", "2"]),
        ({"n": True}, ["3"]),
        ({"n": None}, ["4"]),
        ({"a.b `c`": 'q"'}, ["4"]),
        ({"missing": None}, []),
    ],
)
def test_lists_where_fields_equal(
    documents: Documents, where: dict[str, Any], expected: list[str]
) -> None:
    documents.put(f"{ASSETS}/1", {"kind": "x", "n": 1})
    documents.put(f"{ASSETS}/2", {"kind": "y", "n": 1.0, "text": '"kind":"x"'})
    documents.put(f"{ASSETS}/3", {"kind": "x", "n": True})
    documents.put(f"{ASSETS}/4", {"kind": "z", "n": None, "a.b `c`": 'q"', "deep": {"kind": "x"}})
    assert [found.id for found in documents.list(ASSETS, where=where)] == expected
    assert [found.id for found in documents.list_group("assets", where=where)] == expected


def test_a_listed_document_is_the_one_read(documents: Documents) -> None:
    documents.put(PATH, {"a": [1, [2]]})
    read = documents.get(PATH)
    assert read is not None
    for found in (*documents.list(ASSETS), *documents.list_group("assets")):
        assert replace(found, read_at=0) == replace(read, read_at=0)
        assert found.read_at >= read.read_at
    documents.delete(PATH, version=found.version)


def test_limit_counts_what_matches(documents: Documents) -> None:
    for number in range(6):
        documents.put(f"{ASSETS}/{number}", {"odd": number % 2 == 1})
    found = documents.list(ASSETS, where={"odd": True}, limit=2, after="1")
    assert [document.id for document in found] == ["3", "5"]


def test_the_newest_come_first_and_in_pages(documents: Documents) -> None:
    for name, at in (("a", 1.5), ("b", 3), ("c", 1.5), ("d", 2.5), ("none", None)):
        documents.create(f"{ASSETS}/{name}", {"at": at} if at else {"text": "no number"})
    documents.create("tenants/t2/envs/dev/assets/e", {"at": 9})

    def ids(limit: int, after: str | None = None) -> list[str]:
        return [one.id for one in documents.newest(ASSETS, by="at", limit=limit, after=after)]

    assert ids(9) == ["b", "d", "c", "a"]
    assert (ids(2), ids(2, "d"), ids(2, "a")) == (["b", "d"], ["c", "a"], [])
    documents.create(f"{ASSETS}/a/parts/1", {"at": 2})
    for absent in ("x", "none", "a/parts/1"):
        with pytest.raises(ValidationError):
            ids(2, absent)


def test_a_list_is_of_one_collection(documents: Documents) -> None:
    nested = f"{PATH}/assets/deep"
    other_tenant = "tenants/t1-b/envs/dev/assets/ast_1"
    for path in (other_tenant, nested, PATH, f"{ASSETS}_old/ast_1"):
        documents.put(path, {"n": 1})
    assert [found.path for found in documents.list(ASSETS)] == [PATH]
    assert [found.path for found in documents.list_group("assets")] == [PATH, nested, other_tenant]


def test_lists_more_than_a_page(embedded: EmbeddedDocuments) -> None:
    names = [f"{number:04}" for number in range(PAGE + 1)]
    for name in names:
        embedded.put(f"{ASSETS}/{name}", {})
    listed = embedded.list(ASSETS)
    first = next(listed)
    embedded.delete(f"{ASSETS}/{names[-1]}")  # of the page not yet read
    assert [first.id, *(found.id for found in listed)] == names[:-1]


@pytest.mark.emulator
def test_firestore_lists_more_than_a_page(
    google_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.homes.documents import google_documents

    monkeypatch.setattr(google_documents, "PAGE", 2)
    documents = google_documents.GoogleDocuments(google_project)
    for number in range(5):
        documents.put(f"{ASSETS}/{number}", {})
    assert [found.id for found in documents.list(ASSETS)] == list("01234")
    assert [found.id for found in documents.list(ASSETS, limit=3)] == list("012")
    assert [found.id for found in documents.list_group("assets")] == list("01234")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = TEXT.filter(lambda name: name not in ("", "[]", "_write") and not name.startswith("__"))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.dictionaries(NAMES, JSON, max_size=4))
def test_any_json_comes_back_as_it_was(documents: Documents, data: dict[str, Any]) -> None:
    documents.put(PATH, data)
    found = documents.get(PATH)
    assert found is not None
    assert repr_of(found.data) == repr_of(data)


def repr_of(value: Any) -> str:
    """Tells 1 from 1.0 and from true, and 0.0 from -0.0, but not one order of fields from another."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name!r}:{repr_of(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(repr_of, value)) + "]"
    return repr(value)


def nested(depth: int, inner: Any) -> dict[str, Any]:
    for _ in range(depth):
        inner = {"a": inner}
    return {"a": inner}


@pytest.mark.parametrize("data", [nested(20, 1), nested(17, [[1]]), {"a": "ü" * 500_000}])
def test_data_at_the_limits_is_kept(documents: Documents, data: dict[str, Any]) -> None:
    documents.put(PATH, data)
    found = documents.get(PATH)
    assert found is not None
    assert found.data == data


@pytest.mark.parametrize(
    "data",
    [
        {"a": math.nan},
        {"a": [math.inf]},
        {"a": "x" * 1_048_576},
        {"a": 2**63},
        {"a": "\ud800"},
        {"a": b"bytes"},
        {"": 1},
        {"a": {"__name__": 1}},
        {1: "a"},
        {"[]": []},
        {"_write": 1},
        nested(21, 1),
        nested(18, [[1]]),
        nested(5000, 1),
    ],
)
def test_data_that_is_not_small_json_is_refused(documents: Documents, data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        documents.put(PATH, data)
    assert documents.get(PATH) is None


@pytest.mark.parametrize(
    "path",
    ["", "assets", "a//b/c", "a/..", "a/.", "/a/b", "a/b/", "a/b\x00", "a/__b__", "a/" + "ü" * 751],
)
def test_paths_that_are_none_are_refused(documents: Documents, path: str) -> None:
    with pytest.raises(ValidationError):
        documents.get(path)
    with pytest.raises(ValidationError):
        documents.put(path, {})


def test_a_documents_path_is_no_collection(documents: Documents) -> None:
    with pytest.raises(ValidationError):
        list(documents.list(PATH))


def test_trouble_with_the_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"no database at all" * 1000)
    with pytest.raises(Unavailable):
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
