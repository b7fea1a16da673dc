# The bucket, what becomes of its objects with time, who may do what in it, and whom it tells.

resource "google_storage_bucket" "media" {
  #checkov:skip=CKV_GCP_78:Keys are never reused for other content; versions would outlive the erasure of a recording. Soft delete covers mistakes.
  #checkov:skip=CKV_GCP_62:Usage logs would hold tenants' file names. Who read what is in Cloud Audit Logs, once data access logs are on.
  project                     = var.project
  name                        = var.name
  location                    = var.location
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.force_destroy
  labels                      = var.labels

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 24 * 3600
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }

  # Kept parts of long work whose owner died before it could remove them.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 7
      matches_prefix = ["tenants/"]
      matches_suffix = [".rushes-part"]
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.nearline_after_days == null ? [] : [var.nearline_after_days]

    content {
      action {
        type          = "SetStorageClass"
        storage_class = "NEARLINE"
      }
      condition {
        age                   = lifecycle_rule.value
        matches_storage_class = ["STANDARD"]
      }
    }
  }

  dynamic "cors" {
    for_each = length(var.cors_origins) == 0 ? [] : [var.cors_origins]

    content {
      origin          = cors.value
      method          = ["GET", "PUT"]
      response_header = ["Content-Type", "Content-Range", "ETag", "Range"]
      max_age_seconds = 3600
    }
  }
}

# A notification can match a prefix alone, not `tenants/*/*/uploads/`: our own outputs are announced,
# too, and probe ignores them.
resource "google_storage_notification" "uploads" {
  bucket             = google_storage_bucket.media.name
  topic              = var.uploads_topic
  payload_format     = "JSON_API_V1"
  event_types        = ["OBJECT_FINALIZE"]
  object_name_prefix = "tenants/"
}

locals {
  objects = "projects/_/buckets/${google_storage_bucket.media.name}/objects/"
}

# Steps see what was taken in and what was made from it, below
# tenants/{tenant}/{env}/media_v2/, and never what lies in uploads/.
resource "google_storage_bucket_iam_binding" "media" {
  bucket  = google_storage_bucket.media.name
  role    = "roles/storage.objectUser"
  members = var.access.media

  condition {
    title      = "below-media-v2"
    expression = "resource.name.startsWith(\"${local.objects}tenants/\") && resource.name.extract(\"/media_v2/{rest}\") != \"\""
  }
}

resource "google_storage_bucket_iam_binding" "all" {
  bucket  = google_storage_bucket.media.name
  role    = "roles/storage.objectUser"
  members = var.access.all

  condition {
    title      = "below-tenants"
    expression = "resource.name.startsWith(\"${local.objects}tenants/\")"
  }
}

# Listing is a right over the bucket, which a condition on objects' names cannot grant.
resource "google_project_iam_custom_role" "lister" {
  project     = var.project
  role_id     = "rushesObjectLister"
  title       = "Rushes object lister"
  description = "See the names and sizes of objects, and nothing in them."
  permissions = ["storage.objects.list"]
}

resource "google_storage_bucket_iam_binding" "list" {
  bucket  = google_storage_bucket.media.name
  role    = google_project_iam_custom_role.lister.id
  members = var.access.list
}

# A tenant's own people and programs: a managed folder each for what they bring and what they get.
locals {
  folders = merge(
    { for name, tenant in var.tenants : "${name}/uploads" => {
      path    = "tenants/${name}/${tenant.env}/uploads/"
      role    = "roles/storage.objectCreator"
      members = tenant.uploaders
    } if length(tenant.uploaders) > 0 },
    { for name, tenant in var.tenants : "${name}/media_v2" => {
      path    = "tenants/${name}/${tenant.env}/media_v2/"
      role    = "roles/storage.objectViewer"
      members = tenant.readers
    } if length(tenant.readers) > 0 },
  )
}

resource "google_storage_managed_folder" "tenant" {
  for_each = local.folders

  bucket        = google_storage_bucket.media.name
  name          = each.value.path
  force_destroy = var.force_destroy
}

resource "google_storage_managed_folder_iam_binding" "tenant" {
  for_each = local.folders

  bucket         = google_storage_bucket.media.name
  managed_folder = google_storage_managed_folder.tenant[each.key].name
  role           = each.value.role
  members        = each.value.members
}
