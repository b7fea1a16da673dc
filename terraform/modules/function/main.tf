# One function: its service on Cloud Run, the account it runs as, and the least that account needs.
# What it may do in the bucket and where it may publish, `bucket` and `bus` grant.

locals {
  work_folder = "/work"
}

resource "google_service_account" "runtime" {
  project      = var.project
  account_id   = var.name
  display_name = "Runs ${var.name}"
}

resource "google_project_iam_member" "documents" {
  project = var.project
  role    = "roles/datastore.user"
  member  = google_service_account.runtime.member

  condition {
    title      = "this-database"
    expression = "resource.name == \"${var.database}\""
  }
}

resource "google_secret_manager_secret_iam_member" "read" {
  for_each = var.secrets

  project   = var.project
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.runtime.member
}

resource "google_service_account_iam_member" "signs" {
  count = var.signs_addresses ? 1 : 0

  service_account_id = google_service_account.runtime.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.runtime.member
}

resource "google_cloud_run_v2_service" "function" {
  project             = var.project
  name                = var.name
  location            = var.region
  labels              = var.labels
  deletion_protection = var.deletion_protection

  # A public function reads the caller's own token from the Authorization header, where IAM would
  # look for one of Google's: it checks every request itself. All others are reached by Pub/Sub and
  # the scheduler alone, with a token that IAM checks.
  ingress              = var.size.public ? "INGRESS_TRAFFIC_ALL" : "INGRESS_TRAFFIC_INTERNAL_ONLY"
  invoker_iam_disabled = var.size.public
  custom_audiences     = [var.name]

  # Disks of an instance are a preview, which a service has to ask for: without, they are refused. It is not
  # left out of later changes, or a service that gets its disk later would not ask.
  launch_stage = var.size.disk_gib > 0 ? "BETA" : null

  template {
    service_account                  = google_service_account.runtime.email
    timeout                          = "${var.size.timeout_s}s"
    max_instance_request_concurrency = var.size.concurrency
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    gpu_zonal_redundancy_disabled    = var.size.gpu ? true : null
    labels                           = var.labels

    scaling {
      min_instance_count = var.size.min_instances
      max_instance_count = var.size.max_instances
    }

    dynamic "node_selector" {
      for_each = var.size.gpu ? ["nvidia-l4"] : []

      content {
        accelerator = node_selector.value
      }
    }

    # Where all files of work go, of an instance that takes one request at a time, and gone with it.
    dynamic "volumes" {
      for_each = var.size.disk_gib > 0 ? [var.size.disk_gib] : []

      content {
        name = "work"
        empty_dir {
          medium     = "DISK"
          size_limit = "${volumes.value}Gi"
        }
      }
    }

    containers {
      image = var.image

      dynamic "volume_mounts" {
        for_each = var.size.disk_gib > 0 ? [local.work_folder] : []

        content {
          name       = "work"
          mount_path = volume_mounts.value
        }
      }

      resources {
        limits = merge(
          { cpu = tostring(var.size.cpu), memory = "${var.size.memory_gib}Gi" },
          var.size.gpu ? { "nvidia.com/gpu" = "1" } : {},
        )
        cpu_idle          = !var.size.cpu_always
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = merge(var.environment, var.size.disk_gib > 0 ? { TMPDIR = local.work_folder } : {})

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = var.secrets

        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value
              version = "latest"
            }
          }
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.read]
}

resource "google_cloud_run_v2_service_iam_binding" "invoker" {
  count = var.size.public ? 0 : 1

  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_service.function.name
  role     = "roles/run.invoker"
  members  = var.invokers
}
