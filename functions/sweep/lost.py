"""Finding what was lost: lapsed leases whose message is gone, uploads that never became assets."""

from __future__ import annotations

import structlog

from shared.contracts.message import Message
from shared.contracts.topics import UPLOADS_TOPIC
from shared.contracts.upload import Upload, notification
from shared.errors import ValidationError
from shared.homes.home import Home
from shared.messages.events import upload_from_message
from shared.pipeline import PROBE
from shared.runs.records import upload_run_id
from shared.steps.claims import Claim
from shared.steps.step_records import record_path

log = structlog.get_logger()

UPLOAD_GRACE_S = 300
"""Younger uploads are left to their own notification."""
UPLOAD_WINDOW_S = 3 * 24 * 3600
"""Older uploads have been looked at by many rounds: each look costs a read of a document."""


def recall_lapsed(home: Home) -> int:
    """Publish again what lapsed owners were working on; returns how many.

    A claim is taken for lapsed after twice its lease, so that the message's own redelivery comes
    first.
    """
    recalled = 0
    for state in ("running", "released"):
        for document in home.documents.list_group("cache", where={"state": state}):
            claim = Claim.model_validate(document.data)
            if claim.recall is None or claim.seconds_left(document) > -claim.lease_s:
                continue
            home.bus.publish(
                claim.recall.topic, claim.recall.data.encode(), claim.recall.attributes
            )
            recalled += 1
    log.info("sweep.leases", recalled=recalled)
    return recalled


def announce_missed(home: Home, *, now: float, grace_s: float = UPLOAD_GRACE_S) -> int:
    """Announce uploads that nobody ever began to probe; returns how many.

    ``now``: Unix seconds. Lists every object below ``tenants/``, and looks into those that landed
    between ``grace_s`` and ``UPLOAD_WINDOW_S`` ago.
    """
    announced = 0
    for info in home.objects.list("tenants/"):
        if not grace_s <= now - info.updated_at < UPLOAD_WINDOW_S or info.size == 0:
            continue
        attributes = notification(home.settings.bucket, info.key, info.generation)
        try:
            upload = upload_from_message(Message("", b"", attributes))
        except ValidationError:  # below no valid tenant: its own notification is a dead letter
            continue
        if upload is None or home.documents.get(_probed(upload)):
            continue
        home.bus.publish(UPLOADS_TOPIC, b"", attributes)
        announced += 1
    log.info("sweep.uploads", announced=announced)
    return announced


def _probed(upload: Upload) -> str:
    return record_path(upload.ctx, upload_run_id(upload), PROBE)
