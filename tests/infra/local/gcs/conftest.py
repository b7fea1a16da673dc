"""A local bucket, what it announces, and Google's own client to it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from infra.local.storage_server import StorageServer, serve
from shared.homes.objects.embedded_objects import EmbeddedObjects
from tests.toy import wait_until

BUCKET = "rushes-test"


class Topic:
    """Takes messages, unless it is down."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, Mapping[str, str]]] = []
        self.down = False
        self.refused = 0

    def publish(self, data: bytes, attributes: Mapping[str, str]) -> None:
        if self.down:
            self.refused += 1
            raise ConnectionError("the topic is down")
        self.messages.append((data, attributes))

    def wait_for(self, count: int) -> list[Mapping[str, str]]:
        wait_until(lambda: len(self.messages) >= count)
        assert len(self.messages) == count
        return [attributes for _, attributes in self.messages]


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
def objects(tmp_path: Path) -> EmbeddedObjects:
    return EmbeddedObjects(tmp_path / "objects")


@pytest.fixture
def server(objects: EmbeddedObjects, topic: Topic) -> Iterator[StorageServer]:
    running = serve(objects, BUCKET, "127.0.0.1", 0, topic.publish)
    yield running
    running.stop()


@pytest.fixture
def address(server: StorageServer) -> str:
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
def bucket(address: str) -> storage.Bucket:
    client = storage.Client(
        "rushes-local", AnonymousCredentials(), client_options={"api_endpoint": address}
    )
    return client.get_bucket(BUCKET)
