"""The composition root: which adapters this process works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.contracts.row import Step
from shared.contracts.step_engine import Engine
from shared.contracts.topics import (
    DEAD_TOPIC,
    RESULTS_TOPIC,
    SUBSCRIBED_WITH,
    UPLOADS_TOPIC,
    steps_topic,
)
from shared.homes.bus import Bus
from shared.homes.documents import Documents
from shared.homes.objects import Objects
from shared.pipeline import functions
from shared.settings import Settings


@dataclass(frozen=True)
class Home:
    """One place where Rushes lives: embedded, on emulators, or in Google Cloud."""

    settings: Settings
    objects: Objects
    documents: Documents
    bus: Bus
    engine_of: Callable[[Step], Engine]
    """What does a step's work, imported when it is asked for; raises ``ImportError``."""
    surroundings: Callable[[], str] | None = None
    """What engines' versions follow from in this process; ``None``: only engines themselves can say."""


def consumed_topics() -> dict[str, str]:
    """Topic -> the function that consumes it. Subscriptions have their topic's name."""
    steps = {steps_topic(function): function for function in functions()}
    return {UPLOADS_TOPIC: "probe", **steps, RESULTS_TOPIC: "webhooks", DEAD_TOPIC: "sweep"}


def open_home(
    config: Settings,
    engine_of: Callable[[Step], Engine],
    surroundings: Callable[[], str] | None = None,
) -> Home:
    """Connect the adapters that the settings name. Imports only what this home needs.

    ``surroundings``: for a home all of whose processes share one machine; others are of many images.
    """
    if config.home == "google":
        from shared.homes.bus.google_bus import GoogleBus
        from shared.homes.documents.google_documents import GoogleDocuments
        from shared.homes.objects.google_objects import GoogleObjects

        return Home(
            config,
            GoogleObjects(config.bucket, config.project),
            GoogleDocuments(config.project),
            GoogleBus(config.project),
            engine_of,
        )
    from shared.homes.bus.embedded_bus import EmbeddedBus
    from shared.homes.documents.embedded_documents import EmbeddedDocuments
    from shared.homes.objects.embedded_objects import EmbeddedObjects

    config.data.mkdir(parents=True, exist_ok=True)
    bus = EmbeddedBus(config.data / "bus.sqlite3")
    for topic in consumed_topics():
        having = SUBSCRIBED_WITH.get(topic)
        bus.subscribe(topic, topic, ack_deadline_s=config.lease_s, having=having)
    return Home(
        config,
        EmbeddedObjects(config.data / "objects"),
        EmbeddedDocuments(config.data / "documents.sqlite3"),
        bus,
        engine_of,
        surroundings,
    )
