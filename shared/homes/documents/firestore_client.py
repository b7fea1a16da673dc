"""Google's Firestore client, on a channel that reads in its caller's thread.

Every read of Firestore is answered as a stream. On a channel as the client makes it a thread hands each
document of a stream over, which costs more than the rest of the read.
"""

from __future__ import annotations

import grpc
from google.cloud import firestore
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from grpc.experimental import ChannelOptions

_OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    (ChannelOptions.SingleThreadedUnaryStream, 1),
)
"""The client's own, and where its streams are read."""


def firestore_client(project: str) -> firestore.Client:
    """A client of the service, or of the emulator where ``FIRESTORE_EMULATOR_HOST`` is set."""
    client = firestore.Client(project=project)
    if client._emulator_host is None:
        channel = FirestoreGrpcTransport.create_channel(
            client._target, credentials=client._credentials, options=_OPTIONS
        )
    else:
        channel = grpc.insecure_channel(client._emulator_host, options=_OPTIONS)
    transport = FirestoreGrpcTransport(host=client._target, channel=channel)
    client._firestore_api_internal = FirestoreClient(transport=transport)
    return client
