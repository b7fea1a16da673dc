# The document store. Equality filters on one collection, ordered by id, one field's largest values
# and a collection in the order of one field's words are all that the product asks: the automatic
# single-field indexes serve them (several filters are merged), so there is no composite index. What
# the sweep asks of all tenants at once needs collection-group scope.

locals {
  # Collection group -> the fields that are filtered across all tenants.
  group_filters = {
    assets = ["erasing"]
    cache  = ["state"]
    steps  = ["state"]
  }

  # Maps and texts that nobody filters by: without an exemption each of their entries is indexed, to
  # be paid for with every write, and a long text is refused.
  never_filtered = {
    artifacts    = ["meta"]
    cache        = ["recall", "cache_key", "error"]
    dead_letters = ["data_base64", "error"]
    runs         = ["params"]
    steps        = ["error"]
  }

  # Documents in these collections carry when they expire; Firestore removes them within a day or so.
  expiring = ["dead_letters", "requests", "uploads", "webhook_deliveries"]

  filtered = merge([for group, fields in local.group_filters : { for field in fields : "${group}/${field}" => [group, field] }]...)
  exempt   = merge([for group, fields in local.never_filtered : { for field in fields : "${group}/${field}" => [group, field] }]...)
}

resource "google_firestore_database" "default" {
  #checkov:skip=CKV_GCP_119:Encrypted with Google's keys; the documents hold ids and measurements, not recordings.
  project                           = var.project
  name                              = "(default)"
  location_id                       = var.location
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "OPTIMISTIC"
  point_in_time_recovery_enablement = var.protected ? "POINT_IN_TIME_RECOVERY_ENABLED" : "POINT_IN_TIME_RECOVERY_DISABLED"
  delete_protection_state           = var.protected ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = var.protected ? "ABANDON" : "DELETE"
}

resource "google_firestore_field" "group_filter" {
  for_each = local.filtered

  project    = var.project
  database   = google_firestore_database.default.name
  collection = each.value[0]
  field      = each.value[1]

  index_config {
    indexes {
      order       = "ASCENDING"
      query_scope = "COLLECTION"
    }
    indexes {
      order       = "ASCENDING"
      query_scope = "COLLECTION_GROUP"
    }
  }
}

resource "google_firestore_field" "never_filtered" {
  for_each = local.exempt

  project    = var.project
  database   = google_firestore_database.default.name
  collection = each.value[0]
  field      = each.value[1]

  index_config {}
}

resource "google_firestore_field" "expires" {
  for_each = toset(local.expiring)

  project    = var.project
  database   = google_firestore_database.default.name
  collection = each.value
  field      = "_expires"

  ttl_config {}
  index_config {} # times that only grow would all be written at one end of an index
}

resource "google_firestore_backup_schedule" "daily" {
  count = var.protected ? 1 : 0

  project   = var.project
  database  = google_firestore_database.default.name
  retention = "604800s"

  daily_recurrence {}
}
