# For trying things out: everything can be destroyed, nothing grows large.

module "rushes" {
  source = "../../stack"

  project      = var.project
  region       = var.region
  bucket       = var.bucket
  image_tag    = var.image_tag
  identity     = var.identity
  operators    = var.operators
  tenants      = var.tenants
  cors_origins = var.cors_origins
  alert_emails = var.alert_emails
  runbook      = var.runbook
  budget       = var.budget

  max_input_bytes = var.max_input_bytes

  protected        = false
  soft_delete_days = 0
  environment      = { RUSHES_LOG_LEVEL = "DEBUG" }

  sizes = {
    anonymise  = { max_instances = 5 }
    detect     = { max_instances = 5 }
    edit       = { max_instances = 5 }
    perform    = { max_instances = 5 }
    probe      = { max_instances = 10 }
    render     = { max_instances = 5 }
    sample     = { max_instances = 5 }
    transcribe = { max_instances = 5 }
    transform  = { max_instances = 5 }
  }
}
