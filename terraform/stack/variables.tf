variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region of everything. One with nvidia-l4 where a function uses a GPU."
  type        = string
}

variable "prefix" {
  description = "What names of services, accounts and jobs begin with."
  type        = string
  default     = "rushes"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,17}$", var.prefix))
    error_message = "At most 18 characters: a service account's id has 30."
  }
}

variable "bucket" {
  description = "The bucket's name, unique in the world."
  type        = string
}

variable "image_tag" {
  description = "The tag of all images: a commit's hash. Tags are never moved."
  type        = string
}

variable "sizes" {
  description = "Function -> what differs from the sizes in modules/wiring."
  type = map(object({
    cpu           = optional(number)
    memory_gib    = optional(number)
    min_instances = optional(number)
    max_instances = optional(number)
    concurrency   = optional(number)
    gpu           = optional(bool)
  }))
  default = {}
}

variable "max_input_bytes" {
  description = "The largest recording that is let in, in bytes. Above a quarter of a function's memory it gets a disk."
  type        = number
  default     = 209715200

  validation {
    condition     = var.max_input_bytes >= 1 && var.max_input_bytes <= 5e12
    error_message = "From 1 byte to 5 TB, which no object of Cloud Storage exceeds."
  }
}

variable "environment" {
  description = "Environment variables of every function, beside those that follow from the rest (docs/commands.md, Settings)."
  type        = map(string)
  default     = {}
}

variable "identity" {
  description = "Whose tokens the HTTP API accepts; claims as in docs/api.md."
  type = object({
    issuer   = string
    audience = string
  })
}

variable "secrets" {
  description = "Environment variable -> the functions that get it from a secret of Secret Manager."
  type        = map(list(string))
  default     = { RUSHES_WEBHOOK_KEY = ["api", "webhooks"], RUSHES_LINK_KEY = ["api"] }
}

variable "tenants" {
  description = "Tenants that upload to, or read from, the bucket itself rather than by the API."
  type = map(object({
    env       = string
    uploaders = optional(list(string), [])
    readers   = optional(list(string), [])
  }))
  default = {}
}

variable "operators" {
  description = "IAM members that use the command against this project: they list, redrive, reprocess and erase."
  type        = list(string)
  default     = []
}

variable "cors_origins" {
  description = "Web origins whose pages send and get recordings at signed addresses."
  type        = list(string)
  default     = []
}

variable "soft_delete_days" {
  description = "So long a deleted object can be brought back, and so long erased bytes still exist. 0, or 7 to 90."
  type        = number
  default     = 7
}

variable "nearline_after_days" {
  description = "After so many days an object moves to Nearline; null: never."
  type        = number
  default     = null
}

variable "protected" {
  description = "Nothing that holds data can be destroyed, and documents are backed up."
  type        = bool
}

variable "alert_emails" {
  description = "Who is told when something is wrong."
  type        = list(string)
}

variable "runbook" {
  description = "Address of docs/operations.md, to which alerts lead."
  type        = string
}

variable "budget" {
  description = "A monthly budget on a billing account; null: none."
  type = object({
    billing_account = string
    monthly_units   = number
  })
  default = null
}
