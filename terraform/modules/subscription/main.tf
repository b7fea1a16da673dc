# One push subscription, its dead letters, and what Pub/Sub's agent needs for them.

locals {
  agent = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_subscription" "push" {
  project = var.project
  name    = var.name
  topic   = var.topic
  labels  = var.labels
  filter  = var.filter

  # The longest that a push waits. A message that outlasts it comes again, and is turned back while
  # its step's lease is alive.
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s"
  # Of dead letters, what was acknowledged can be played back for a week, too.
  retain_acked_messages = !var.dead_letter

  expiration_policy {
    ttl = "" # never, however long nothing is uploaded
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  push_config {
    push_endpoint = var.endpoint

    oidc_token {
      service_account_email = var.push_account
      audience              = var.audience
    }
  }

  # The net below the runtime's own dead letters (5 attempts): deliveries that were turned back while
  # a long step runs count here, so it is Pub/Sub's most.
  dynamic "dead_letter_policy" {
    for_each = var.dead_letter ? [var.dead_topic] : []

    content {
      dead_letter_topic     = dead_letter_policy.value
      max_delivery_attempts = 100
    }
  }
}

resource "google_pubsub_subscription_iam_member" "forwards_dead_letters" {
  count = var.dead_letter ? 1 : 0

  project      = var.project
  subscription = google_pubsub_subscription.push.name
  role         = "roles/pubsub.subscriber"
  member       = local.agent
}
