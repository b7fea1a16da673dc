"""How long calls of Firestore and Pub/Sub are tried again, and after which errors."""

from __future__ import annotations

from google.api_core.exceptions import (
    Aborted,
    DeadlineExceeded,
    InternalServerError,
    ResourceExhausted,
    ServiceUnavailable,
)
from google.api_core.retry import Retry, if_exception_type

TIMEOUT_S = 20.0
RETRY = Retry(
    predicate=if_exception_type(
        Aborted, DeadlineExceeded, InternalServerError, ResourceExhausted, ServiceUnavailable
    ),
    initial=0.1,
    maximum=5.0,
    timeout=TIMEOUT_S,
)
