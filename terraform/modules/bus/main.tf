# Topics, and who publishes to them. Subscriptions are the module `subscription`'s, for they need the
# functions' addresses, while the functions need only the topics' names.

locals {
  agents = {
    (var.uploads_topic) = ["serviceAccount:${var.storage_agent}"]
    (var.dead_topic)    = ["serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"]
  }
}

resource "google_pubsub_topic" "topic" {
  #checkov:skip=CKV_GCP_83:Messages hold ids and params, no recordings; they are encrypted with Google's keys.
  for_each = toset(var.topics)

  project = var.project
  name    = each.value
  labels  = var.labels

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

# A binding, not members: whoever else was let publish by hand is removed again.
resource "google_pubsub_topic_iam_binding" "publisher" {
  for_each = toset(var.topics)

  project = var.project
  topic   = google_pubsub_topic.topic[each.value].name
  role    = "roles/pubsub.publisher"
  members = concat(lookup(var.publishers, each.value, []), lookup(local.agents, each.value, []))
}
