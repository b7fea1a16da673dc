"""What the local bucket announces, and that none of it is lost."""

import json
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import storage

from infra.local.storage_server import StorageServer, serve
from shared.homes.objects.embedded_objects import EmbeddedObjects
from tests.infra.local.gcs.conftest import BUCKET, Topic
from tests.toy import wait_until


def test_notifications_have_the_services_attributes(bucket: storage.Bucket, topic: Topic) -> None:
    blob = bucket.blob("tenants/t1/dev/uploads/a.wav")
    blob.upload_from_string(b"1", "audio/wav")
    (first,) = topic.wait_for(1)
    assert first == {
        "notificationConfig": f"projects/_/buckets/{BUCKET}/notificationConfigs/1",
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
        "bucketId": BUCKET,
        "objectId": blob.name,
        "objectGeneration": str(blob.generation),
        "eventTime": first["eventTime"],
    }
    resource: dict[str, Any] = json.loads(topic.messages[0][0])
    assert resource == blob._properties
    old = blob.generation
    blob.upload_from_string(b"2", "audio/wav")
    _, gone, came = topic.wait_for(3)
    assert (came["eventType"], came["overwroteGeneration"]) == ("OBJECT_FINALIZE", str(old))
    assert gone["eventType"] == "OBJECT_DELETE"
    assert gone["objectGeneration"] == str(old)
    assert gone["overwrittenByGeneration"] == came["objectGeneration"] == str(blob.generation)
    blob.delete()
    deleted = topic.wait_for(4)[-1]
    assert deleted["eventType"] == "OBJECT_DELETE"
    assert "overwrittenByGeneration" not in deleted


@pytest.mark.allow_error_logs
def test_a_message_that_could_not_be_published_comes_later(
    bucket: storage.Bucket, topic: Topic
) -> None:
    topic.down = True
    for name in ("a", "b"):
        bucket.blob(name).upload_from_string(b"x")
    wait_until(lambda: topic.refused >= 2)
    topic.down = False
    assert {message["objectId"] for message in topic.wait_for(2)} == {"a", "b"}


@pytest.mark.allow_error_logs
def test_the_next_server_publishes_what_the_last_could_not(
    bucket: storage.Bucket, server: StorageServer, objects: EmbeddedObjects, topic: Topic
) -> None:
    topic.down = True
    bucket.blob("a").upload_from_string(b"x")
    server.stop()
    topic.down = False
    serve(objects, BUCKET, "127.0.0.1", 0, topic.publish).stop()
    second = serve(objects, BUCKET, "127.0.0.1", 0, topic.publish)
    assert topic.wait_for(1)[0]["objectId"] == "a"
    second.stop()


def test_a_refused_upload_is_no_event(bucket: storage.Bucket, topic: Topic) -> None:
    bucket.blob("a").upload_from_string(b"1")
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("a").upload_from_string(b"2", if_generation_match=0)
    bucket.blob("b").upload_from_string(b"3")
    assert [message["objectId"] for message in topic.wait_for(2)] == ["a", "b"]
