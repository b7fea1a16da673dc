# A secret's place. Its value is added by hand (`gcloud secrets versions add`), so that it is neither
# in a file nor in Terraform's state.

resource "google_secret_manager_secret" "secret" {
  project   = var.project
  secret_id = var.name
  labels    = var.labels

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}
