# Where the images are. Tags are never moved, so a tag in a plan says which bytes will run.

resource "google_artifact_registry_repository" "images" {
  #checkov:skip=CKV_GCP_84:The images hold the product's code and public model weights; they are encrypted with Google's keys.
  project       = var.project
  location      = var.region
  repository_id = var.name
  format        = "DOCKER"
  labels        = var.labels

  docker_config {
    immutable_tags = true
  }

  cleanup_policies {
    id     = "keep-the-last-ten"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "delete-after-ninety-days"
    action = "DELETE"
    condition {
      older_than = "7776000s"
    }
  }
}
