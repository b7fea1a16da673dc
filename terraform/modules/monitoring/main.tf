# What is counted from the logs, who is told, and when. Each alert's documentation leads to its
# heading in docs/operations.md, which a test holds to be there.

locals {
  services = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=monitoring.regex.full_match(\"${var.name}-.*\")"
  logged   = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=~\"^${var.name}-\""

  # docs/observability.md lists them. Name -> which lines, what becomes of them, and the fields that
  # tell them apart. (Cloud Run's own lines about requests count no errors: a message that is turned
  # back is a 503.) `value`: the field whose distribution is kept; null: lines are counted.
  metrics = {
    outcomes        = { filter = "jsonPayload.outcome:* AND NOT jsonPayload.own=true", value = null, labels = ["step", "outcome", "code"] }
    failures        = { filter = "jsonPayload.outcome=\"failed\" AND NOT jsonPayload.own=true", value = null, labels = ["step", "code"] }
    duration        = { filter = "jsonPayload.message=\"step.settled\"", value = "duration_ms", labels = ["step", "outcome"] }
    queue_time      = { filter = "jsonPayload.message=(\"step.settled\" OR \"part.settled\" OR \"upload.taken_in\")", value = "queue_ms", labels = ["step", "tenant_digest"] }
    cache_hits      = { filter = "jsonPayload.message=\"step.result_taken\" AND jsonPayload.own=false", value = null, labels = ["step"] }
    retries         = { filter = "jsonPayload.message=\"message.turned_back\"", value = null, labels = ["step", "code"] }
    dead_letters    = { filter = "jsonPayload.message=\"message.buried\"", value = null, labels = ["step", "code"] }
    pushes_refused  = { filter = "jsonPayload.message=\"push.refused\"", value = null, labels = ["reason"] }
    leases_recalled = { filter = "jsonPayload.message=\"sweep.leases\"", value = "recalled", labels = [] }
    errors          = { filter = "severity>=ERROR AND NOT logName:\"run.googleapis.com%2Frequests\"", value = null, labels = [] }
  }
}

resource "google_logging_metric" "line" {
  for_each = local.metrics

  project         = var.project
  name            = "${var.name}/${each.key}"
  filter          = "${local.logged} AND ${each.value.filter}"
  value_extractor = each.value.value == null ? null : "EXTRACT(jsonPayload.${each.value.value})"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = each.value.value == null ? "INT64" : "DISTRIBUTION"

    dynamic "labels" {
      for_each = each.value.labels

      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  label_extractors = { for label in each.value.labels : label => "EXTRACT(jsonPayload.${label})" }
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.emails)

  project      = var.project
  display_name = "Rushes: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }
}

locals {
  metric = { for name, line in google_logging_metric.line : name => "metric.type=\"logging.googleapis.com/user/${line.name}\" AND resource.type=\"cloud_run_revision\"" }

  # heading -> what is wrong, and when it is.
  alerts = {
    dead-letters = {
      title     = "Messages were given up"
      filter    = "metric.type=\"pubsub.googleapis.com/topic/send_message_operation_count\" AND resource.type=\"pubsub_topic\" AND resource.labels.topic_id=\"${var.dead_topic}\""
      aligner   = "ALIGN_DELTA"
      period_s  = 300
      above     = 0
      lasting_s = 0
    }
    undeliverable-messages = {
      title     = "Pub/Sub gave messages up that no function could receive"
      filter    = "metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\" AND resource.type=\"pubsub_subscription\""
      aligner   = "ALIGN_DELTA"
      period_s  = 300
      above     = 0
      lasting_s = 0
    }
    lapsed-leases = {
      title     = "Workers keep losing their leases"
      filter    = local.metric.leases_recalled
      aligner   = "ALIGN_PERCENTILE_99"
      period_s  = 600
      above     = 0
      lasting_s = 1800
    }
    errors-raised = {
      title     = "Functions raise errors that nobody foresaw"
      filter    = local.metric.errors
      aligner   = "ALIGN_DELTA"
      period_s  = 900
      above     = 5
      lasting_s = 0
    }
    pushes-refused = {
      title     = "Pushes without a valid token arrive"
      filter    = local.metric.pushes_refused
      aligner   = "ALIGN_DELTA"
      period_s  = 900
      above     = 0
      lasting_s = 0
    }
    oldest-message = {
      title     = "Work waits too long"
      filter    = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=monitoring.regex.full_match(\"${join("|", var.subscriptions)}\")"
      aligner   = "ALIGN_MAX"
      period_s  = 300
      above     = var.oldest_message_s
      lasting_s = 600
    }
  }
}

resource "google_monitoring_alert_policy" "above" {
  for_each = local.alerts

  project               = var.project
  display_name          = "Rushes: ${each.value.title}"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = values(google_monitoring_notification_channel.email)[*].id
  user_labels           = var.labels

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = "${each.value.lasting_s}s"

      aggregations {
        alignment_period     = "${each.value.period_s}s"
        per_series_aligner   = each.value.aligner
        cross_series_reducer = each.value.aligner == "ALIGN_DELTA" ? "REDUCE_SUM" : "REDUCE_MAX"
      }
    }
  }

  documentation {
    subject   = "Rushes: ${each.value.title}"
    content   = "${each.value.title}. What to look at and to do: ${var.runbook}#${each.key}"
    mime_type = "text/markdown"
  }

  alert_strategy {
    auto_close = "86400s"
  }
}

resource "google_monitoring_alert_policy" "failed_steps" {
  project               = var.project
  display_name          = "Rushes: many steps fail"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = values(google_monitoring_notification_channel.email)[*].id
  user_labels           = var.labels

  conditions {
    display_name = "failed steps over all that settled"

    condition_threshold {
      filter             = local.metric.failures
      denominator_filter = local.metric.outcomes
      comparison         = "COMPARISON_GT"
      threshold_value    = var.failed_ratio
      duration           = "0s"

      aggregations {
        alignment_period     = "1800s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
      denominator_aggregations {
        alignment_period     = "1800s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    subject   = "Rushes: many steps fail"
    content   = "Many steps fail. What to look at and to do: ${var.runbook}#failed-steps"
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "sweep_silent" {
  project               = var.project
  display_name          = "Rushes: the sweep is silent"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = values(google_monitoring_notification_channel.email)[*].id
  user_labels           = var.labels

  conditions {
    display_name = "no round of the sweep for half an hour"

    condition_absent {
      filter   = local.metric.leases_recalled
      duration = "1800s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_COUNT"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    subject   = "Rushes: the sweep is silent"
    content   = "No round of the sweep for half an hour. What to look at and to do: ${var.runbook}#sweep-silent"
    mime_type = "text/markdown"
  }
}
