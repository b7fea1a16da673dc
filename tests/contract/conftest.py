"""Each home's object store and document store, behind the same fixtures."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local.storage_server import serve
from shared.homes.documents import Documents
from shared.homes.documents.embedded_documents import EmbeddedDocuments
from shared.homes.objects import Objects
from shared.homes.objects.embedded_objects import EmbeddedObjects
from shared.homes.objects.google_objects import GoogleObjects

ASSETS = "tenants/t1/envs/dev/assets"
PATH = f"{ASSETS}/ast_1"


@pytest.fixture(params=["embedded", "google"])
def objects(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Objects]:
    embedded = EmbeddedObjects(tmp_path / "objects")
    if request.param == "embedded":
        yield embedded
        return
    server = serve(embedded, "rushes-test", "127.0.0.1", 0, lambda data, attributes: None)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.port}")
    yield GoogleObjects("rushes-test", "rushes-local", retry_s=5)
    server.stop()


@pytest.fixture
def read_all(objects: Objects) -> Callable[..., bytes]:
    return lambda key, **options: b"".join(objects.read(key, **options))


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
