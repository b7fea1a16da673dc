"""Lists of documents, for each home."""

import time
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import ValidationError
from shared.homes.documents import Documents
from shared.homes.documents.embedded_documents import PAGE, EmbeddedDocuments
from tests.contract.conftest import ASSETS, PATH


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


def test_what_has_the_same_words_comes_together(documents: Documents) -> None:
    words = {"5": "b", "1": "b", "2": "a", "4": "ü", "3": "B", "none": None, "7": 7, "0": ""}
    for name, said in words.items():
        documents.create(f"{ASSETS}/{name}", {"of": said})
    documents.create(f"{ASSETS}/silent", {"text": "of"})
    documents.create(f"{PATH}/assets/deep", {"of": "a"})
    found = list(documents.list_by(ASSETS, "of"))
    assert [(one.data["of"], one.id) for one in found] == [
        ("B", "3"),
        ("a", "2"),
        ("b", "1"),
        ("b", "5"),
        ("ü", "4"),
    ]
    assert list(documents.list_by(f"{ASSETS}_old", "of")) == []


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


def test_what_has_the_same_words_may_be_more_than_a_page(embedded: EmbeddedDocuments) -> None:
    names = [f"{number:04}" for number in range(2 * PAGE)]
    for name in names:
        embedded.put(f"{ASSETS}/{name}", {"of": "a" if int(name) % 3 else "b"})
    listed = [found.id for found in embedded.list_by(ASSETS, "of")]
    assert listed == sorted(names, key=lambda name: (int(name) % 3 == 0, name))


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
    for number in range(5):
        documents.put(f"{ASSETS}/{number}", {"of": "a" if number % 2 else "b"})
    assert [found.id for found in documents.list_by(ASSETS, "of")] == list("13024")


def test_what_has_expired_goes_where_the_store_is_ours(embedded: EmbeddedDocuments) -> None:
    now = time.time()
    for name, at in (("gone", now - 1), ("kept", now + 60), ("for ever", None)):
        embedded.put(f"tenants/t1/envs/dev/uploads/{name}", {"expires_at": at})
    embedded.put("tenants/t1/envs/dev/timelines/t", {"expires_at": now - 1})
    assert (embedded.remove_expired(), embedded.remove_expired()) == (1, 0)
    left = [found.id for found in embedded.list("tenants/t1/envs/dev/uploads")]
    assert left == ["for ever", "kept"]
    assert embedded.get("tenants/t1/envs/dev/timelines/t") is not None


def test_what_is_asked_of_a_large_home_is_found_by_an_index(embedded: EmbeddedDocuments) -> None:
    """A scan is quick in a test and takes seconds a million documents later."""
    asked: list[str] = []
    embedded.put(PATH, {"n": 1})
    with embedded._database.read() as connection:
        connection.set_trace_callback(asked.append)
        list(embedded.list("tenants/t1/envs/dev/artifacts", where={"asset_id": "a", "kind": "k"}))
        list(embedded.list(ASSETS, where={"state": "done"}, limit=1))
        list(embedded.newest("tenants/t1/envs/dev/runs", by="created_at", limit=9))
        list(embedded.list_by("tenants/t1/envs/dev/cache", "asset_id"))
        for group, where in (
            ("cache", {"state": "running"}),
            ("steps", {"state": "queued"}),
            ("assets", {"erasing": True}),
            ("erasures", None),
        ):
            list(embedded.list_group(group, where=where))
        embedded.get_all([PATH, f"{ASSETS}/ast_2"])
        embedded.remove_expired()
        connection.set_trace_callback(None)
        plans = [connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall() for sql in asked]
    steps = [row[-1] for plan in plans for row in plan if "documents" in row[-1]]
    assert len(steps) >= 10
    assert not any("TEMP B-TREE" in row[-1] for plan in plans[:4] for row in plan), (
        "it would be sorted"
    )
    assert all(step.startswith("SEARCH documents USING") for step in steps), steps
    groups = [step for step in steps if "being_erased" in step or "by_group" in step]
    assert sum("being_erased" in step for step in groups) == 1 and len(groups) == 4
