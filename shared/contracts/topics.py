"""The topics by name. One a function for its steps, so that nothing is delivered to be thrown away."""

from __future__ import annotations

UPLOADS_TOPIC = "uploads"
"""Objects that were finalised in the bucket: for probe."""
RESULTS_TOPIC = "results"
"""What settled: for webhooks, the console and onlookers."""
FOR_WEBHOOKS = "webhook"
"""The attribute of those results whose tenant has a webhook: no others wake that function."""
DEAD_TOPIC = "steps-dead"
"""What was given up: for the sweep, which keeps it."""
SUBSCRIBED_WITH = {RESULTS_TOPIC: FOR_WEBHOOKS}
"""Topic -> the attribute that its consumer's subscription is filtered by; others get all messages."""


def steps_topic(function: str) -> str:
    """Where requests for a function's steps are published."""
    return f"steps-{function}"
