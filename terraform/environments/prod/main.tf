# For tenants: nothing that holds data can be destroyed. The sizes are those of modules/wiring, which
# infra/capacity takes as the configured limits.

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

  protected           = true
  soft_delete_days    = 7
  nearline_after_days = 90
}
