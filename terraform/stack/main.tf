# One whole Rushes in one project. What is deployed follows from terraform/pipeline.json.

data "google_project" "this" {
  project_id = var.project
}

data "google_storage_project_service_account" "agent" {
  project = var.project

  depends_on = [google_project_service.api]
}

locals {
  labels = { product = "rushes", deployment = var.prefix }

  apis = [
    "artifactregistry", "billingbudgets", "cloudbuild", "cloudscheduler", "firestore", "iam", "iamcredentials",
    "logging", "monitoring", "pubsub", "run", "secretmanager", "storage",
  ]
}

resource "google_project_service" "api" {
  for_each = toset(local.apis)

  project            = var.project
  service            = "${each.value}.googleapis.com"
  disable_on_destroy = false
}

module "wiring" {
  source = "../modules/wiring"

  pipeline = jsondecode(file("${path.module}/../pipeline.json"))
  sizes    = var.sizes

  max_input_bytes = var.max_input_bytes
}

locals {
  pipeline  = jsondecode(file("${path.module}/../pipeline.json"))
  functions = module.wiring.functions
  names     = { for name in keys(local.functions) : name => "${var.prefix}-${name}" }
}

module "registry" {
  source = "../modules/registry"

  project = var.project
  region  = var.region
  name    = var.prefix
  labels  = local.labels

  depends_on = [google_project_service.api]
}

module "documents" {
  source = "../modules/documents"

  project   = var.project
  location  = var.region
  protected = var.protected

  depends_on = [google_project_service.api]
}

module "secret" {
  source   = "../modules/secret"
  for_each = var.secrets

  project = var.project
  region  = var.region
  name    = "${var.prefix}-${lower(replace(each.key, "_", "-"))}"
  labels  = local.labels

  depends_on = [google_project_service.api]
}

# The one account that calls functions, for Pub/Sub and for the scheduler. It can do nothing else.

resource "google_service_account" "push" {
  project      = var.project
  account_id   = "${var.prefix}-push"
  display_name = "Pushes messages to the functions"

  depends_on = [google_project_service.api]
}

resource "google_service_account_iam_member" "push_tokens" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

locals {
  # What every function must know. THREADS: functions-framework's own default is four a core.
  common_environment = merge({
    RUSHES_HOME            = "google"
    RUSHES_PROJECT         = var.project
    RUSHES_BUCKET          = var.bucket
    RUSHES_MAX_INPUT_BYTES = format("%d", var.max_input_bytes)
  }, var.environment)

  own_environment = {
    api = {
      RUSHES_IDENTITY         = "oidc"
      RUSHES_OIDC_ISSUER      = var.identity.issuer
      RUSHES_OIDC_AUDIENCE    = var.identity.audience
      RUSHES_DIRECT_TRANSFERS = "true"
    }
    transcribe = local.functions.transcribe.gpu ? { VIDEO_CAPTIONS_DEVICE = "cuda" } : {}
  }

  # What is pushed to checks the token itself, too, whatever IAM lets through.
  push_environment = { for name, row in local.functions : name => row.public ? {} : {
    RUSHES_PUSH_AUDIENCE        = local.names[name]
    RUSHES_PUSH_SERVICE_ACCOUNT = google_service_account.push.email
  } }
}

module "function" {
  source   = "../modules/function"
  for_each = local.functions

  project             = var.project
  region              = var.region
  name                = local.names[each.key]
  image               = "${module.registry.address}/${each.key}:${var.image_tag}${each.value.gpu ? "-gpu" : ""}"
  size                = each.value
  environment         = merge(local.common_environment, { THREADS = tostring(each.value.concurrency) }, local.push_environment[each.key], try(local.own_environment[each.key], {}))
  secrets             = { for variable, users in var.secrets : variable => module.secret[variable].id if contains(users, each.key) }
  database            = module.documents.database
  invokers            = [google_service_account.push.member]
  signs_addresses     = each.value.public
  deletion_protection = var.protected
  labels              = merge(local.labels, { function = each.key })
}

module "bus" {
  source = "../modules/bus"

  project        = var.project
  project_number = data.google_project.this.number
  region         = var.region
  topics         = module.wiring.topics
  uploads_topic  = local.pipeline.topics.uploads
  dead_topic     = local.pipeline.topics.dead
  publishers     = { for topic, names in module.wiring.publishers : topic => concat([for name in names : module.function[name].member], var.operators) }
  storage_agent  = data.google_storage_project_service_account.agent.email_address
  labels         = local.labels
}

module "subscription" {
  source   = "../modules/subscription"
  for_each = module.wiring.subscriptions

  project        = var.project
  project_number = data.google_project.this.number
  name           = each.key
  topic          = module.bus.topics[each.key]
  endpoint       = module.function[each.value.function].uri
  audience       = module.function[each.value.function].audience
  push_account   = google_service_account.push.email
  dead_topic     = module.bus.topics[local.pipeline.topics.dead]
  dead_letter    = each.value.dead_letter
  filter         = each.value.filter
  labels         = local.labels

  depends_on = [google_service_account_iam_member.push_tokens]
}

module "bucket" {
  source = "../modules/bucket"

  project             = var.project
  name                = var.bucket
  location            = var.region
  uploads_topic       = module.bus.topics[local.pipeline.topics.uploads]
  tenants             = var.tenants
  soft_delete_days    = var.soft_delete_days
  nearline_after_days = var.nearline_after_days
  cors_origins        = var.cors_origins
  force_destroy       = !var.protected
  labels              = local.labels

  access = {
    media = [for name, row in local.functions : module.function[name].member if row.objects == "media"]
    all   = concat([for name, row in local.functions : module.function[name].member if row.objects == "all"], var.operators)
    list  = concat([for name, row in local.functions : module.function[name].member if contains(["all", "list"], row.objects)], var.operators)
  }
}

resource "google_project_iam_member" "operator_documents" {
  for_each = toset(var.operators)

  project = var.project
  role    = "roles/datastore.user"
  member  = each.value

  condition {
    title      = "this-database"
    expression = "resource.name == \"${module.documents.database}\""
  }
}

module "schedule" {
  source = "../modules/schedule"

  project   = var.project
  region    = var.region
  name      = var.prefix
  sweep_uri = module.function["sweep"].uri
  audience  = module.function["sweep"].audience
  account   = google_service_account.push.email
}

module "monitoring" {
  source = "../modules/monitoring"

  project       = var.project
  name          = var.prefix
  dead_topic    = local.pipeline.topics.dead
  subscriptions = keys(module.wiring.subscriptions)
  runbook       = var.runbook
  emails        = var.alert_emails
  labels        = local.labels

  depends_on = [google_project_service.api]
}

module "budget" {
  source = "../modules/budget"
  count  = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  project_number  = data.google_project.this.number
  name            = var.prefix
  monthly_units   = var.budget.monthly_units
  channels        = slice(module.monitoring.channels, 0, min(5, length(module.monitoring.channels)))
}
