# One page: what waits, what works, what fails.

locals {
  subscription = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=monitoring.regex.full_match(\"${join("|", var.subscriptions)}\")"

  # title -> filter, how a series is aligned, how series are joined, and by what they are told apart.
  charts = [
    { title = "Messages waiting", filter = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND ${local.subscription}", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = "resource.label.subscription_id" },
    { title = "Age of the oldest message (s)", filter = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND ${local.subscription}", aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = "resource.label.subscription_id" },
    { title = "Instances", filter = "metric.type=\"run.googleapis.com/container/instance_count\" AND ${local.services}", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = "resource.label.service_name" },
    { title = "Time of a request, 95th percentile (ms)", filter = "metric.type=\"run.googleapis.com/request_latencies\" AND ${local.services}", aligner = "ALIGN_PERCENTILE_95", reducer = "REDUCE_MAX", by = "resource.label.service_name" },
    { title = "Memory in use, 99th percentile", filter = "metric.type=\"run.googleapis.com/container/memory/utilizations\" AND ${local.services}", aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", by = "resource.label.service_name" },
    { title = "Outcomes", filter = local.metric.outcomes, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = "metric.label.outcome" },
    { title = "Failures, by code", filter = local.metric.failures, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = "metric.label.code" },
    { title = "Time of a step, 95th percentile (ms)", filter = local.metric.duration, aligner = "ALIGN_PERCENTILE_95", reducer = "REDUCE_MAX", by = "metric.label.step" },
    { title = "Wait before a step, 95th percentile (ms)", filter = local.metric.queue_time, aligner = "ALIGN_PERCENTILE_95", reducer = "REDUCE_MAX", by = "metric.label.step" },
    { title = "Wait of a tenant, 95th percentile (ms)", filter = local.metric.queue_time, aligner = "ALIGN_PERCENTILE_95", reducer = "REDUCE_MAX", by = "metric.label.tenant_digest" },
    { title = "Answered from the cache", filter = local.metric.cache_hits, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = "metric.label.step" },
    { title = "Turned back, by reason", filter = local.metric.retries, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = "metric.label.code" },
    { title = "Given up, by error", filter = local.metric.dead_letters, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = "metric.label.code" },
    { title = "Documents read", filter = "metric.type=\"firestore.googleapis.com/document/read_ops_count\" AND resource.type=\"firestore.googleapis.com/Database\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = "resource.label.database_id" },
    { title = "Documents written", filter = "metric.type=\"firestore.googleapis.com/document/write_ops_count\" AND resource.type=\"firestore.googleapis.com/Database\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = "resource.label.database_id" },
    { title = "Bytes in the bucket", filter = "metric.type=\"storage.googleapis.com/storage/v2/total_bytes\" AND resource.type=\"gcs_bucket\"", aligner = "ALIGN_MEAN", reducer = "REDUCE_SUM", by = "resource.label.bucket_name" },
  ]
}

resource "google_monitoring_dashboard" "rushes" {
  project = var.project

  dashboard_json = jsonencode({
    displayName = "Rushes (${var.name})"
    mosaicLayout = {
      columns = 48
      tiles = [for index, chart in local.charts : {
        xPos   = 24 * (index % 2)
        yPos   = 14 * floor(index / 2)
        width  = 24
        height = 14
        widget = {
          title = chart.title
          xyChart = {
            dataSets = [{
              plotType = "LINE"
              timeSeriesQuery = {
                timeSeriesFilter = {
                  filter = chart.filter
                  aggregation = {
                    alignmentPeriod    = "300s"
                    perSeriesAligner   = chart.aligner
                    crossSeriesReducer = chart.reducer
                    groupByFields      = [chart.by]
                  }
                }
              }
            }]
          }
        }
      }]
    }
  })
}
