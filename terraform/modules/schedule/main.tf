# The sweep's rounds. Lapsed leases are looked for often: it is one indexed query. Uploads that nobody
# announced are rare and cost a listing of the whole bucket, so a few rounds a day are plenty.
#
# Called by HTTP rather than through a topic: a round may take longer than the ten minutes of a push,
# and the dead topic then carries dead letters alone.

locals {
  rounds = {
    leases  = "*/5 * * * *"
    uploads = "17 */6 * * *"
  }
}

resource "google_cloud_scheduler_job" "sweep" {
  for_each = local.rounds

  project          = var.project
  region           = var.region
  name             = "${var.name}-sweep-${each.key}"
  description      = "The sweep looks for lost ${each.key}"
  schedule         = each.value
  time_zone        = "Etc/UTC"
  attempt_deadline = "1800s"

  retry_config {
    retry_count          = 2
    min_backoff_duration = "30s"
  }

  http_target {
    http_method = "POST"
    uri         = var.sweep_uri
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode({ message = { messageId = "sweep-${each.key}", attributes = { sweep = each.key } } }))

    oidc_token {
      service_account_email = var.account
      audience              = var.audience
    }
  }
}
