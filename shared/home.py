"""The composition root: which adapters this process works with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from shared.bus import Bus
from shared.documents import Documents
from shared.objects import Objects
from shared.pipeline import DEAD_TOPIC, RESULTS_TOPIC, UPLOADS_TOPIC, functions
from shared.settings import Settings, settings


@dataclass(frozen=True)
class Home:
    """One place where Rushes lives: embedded, on emulators, or in Google Cloud."""

    settings: Settings
    objects: Objects
    documents: Documents
    bus: Bus


def consumed_topics() -> dict[str, str]:
    """Topic -> the function that consumes it. Subscriptions have their topic's name."""
    steps = {row.topic: function for function, rows in functions().items() for row in rows}
    return {UPLOADS_TOPIC: "probe", **steps, RESULTS_TOPIC: "webhooks", DEAD_TOPIC: "sweep"}


def open_home(config: Settings) -> Home:
    """Connect the adapters that the settings name. Imports only what this home needs."""
    if config.home == "google":
        from shared.bus.google import GoogleBus
        from shared.documents.google import GoogleDocuments
        from shared.objects.google import GoogleObjects

        return Home(
            config,
            GoogleObjects(config.bucket, config.project),
            GoogleDocuments(config.project),
            GoogleBus(config.project),
        )
    from shared.bus.embedded import EmbeddedBus
    from shared.documents.embedded import EmbeddedDocuments
    from shared.objects.embedded import EmbeddedObjects

    config.data.mkdir(parents=True, exist_ok=True)
    bus = EmbeddedBus(config.data / "bus.sqlite3")
    for topic in consumed_topics():
        bus.subscribe(topic, topic, ack_deadline_s=config.lease_s)
    return Home(
        config,
        EmbeddedObjects(config.data / "objects"),
        EmbeddedDocuments(config.data / "documents.sqlite3"),
        bus,
    )


@cache
def this_home() -> Home:
    """The home that this process's settings name, connected once."""
    return open_home(settings())
