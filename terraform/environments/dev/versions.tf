terraform {
  required_version = ">= 1.9"

  # The bucket and prefix come with `terraform init -backend-config=bucket=...`: docs/operations.md.
  backend "gcs" {}

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.0, < 8.0"
    }
  }
}

provider "google" {
  project               = var.project
  region                = var.region
  billing_project       = var.project
  user_project_override = true
}
