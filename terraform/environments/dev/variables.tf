variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region of everything."
  type        = string
  default     = "europe-west4"
}

variable "bucket" {
  description = "The bucket's name, unique in the world."
  type        = string
}

variable "image_tag" {
  description = "The tag of all images: a commit's hash."
  type        = string
}

variable "identity" {
  description = "Whose tokens the HTTP API accepts."
  type = object({
    issuer   = string
    audience = string
  })
}

variable "max_input_bytes" {
  description = "The largest recording that is let in, in bytes."
  type        = number
  default     = 209715200
}

variable "operators" {
  description = "IAM members that operate it with the command."
  type        = list(string)
  default     = []
}

variable "tenants" {
  description = "Tenants that use the bucket itself."
  type = map(object({
    env       = string
    uploaders = optional(list(string), [])
    readers   = optional(list(string), [])
  }))
  default = {}
}

variable "cors_origins" {
  description = "Web origins whose pages send and get recordings."
  type        = list(string)
  default     = []
}

variable "alert_emails" {
  description = "Who is told when something is wrong."
  type        = list(string)
}

variable "runbook" {
  description = "Address of docs/operations.md."
  type        = string
}

variable "budget" {
  description = "A monthly budget on a billing account."
  type = object({
    billing_account = string
    monthly_units   = number
  })
  default = null
}
