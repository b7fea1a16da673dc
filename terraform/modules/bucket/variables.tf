variable "project" {
  description = "Project id."
  type        = string
}

variable "name" {
  description = "The bucket's name, unique in the world."
  type        = string
}

variable "location" {
  description = "Region of the bucket: the functions', so that nothing is paid for traffic between them."
  type        = string
}

variable "uploads_topic" {
  description = "Full name of the topic that hears of new objects; whoever passes it has let the storage agent publish there."
  type        = string
}

variable "access" {
  description = "What functions may do: media (read and write below media_v2/), all (below tenants/), list (see names)."
  type = object({
    media = list(string)
    all   = list(string)
    list  = list(string)
  })
}

variable "tenants" {
  description = "Tenant -> who may upload to, and read from, the bucket itself under the tenant's prefix. Others use the API."
  type = map(object({
    env       = string
    uploaders = optional(list(string), [])
    readers   = optional(list(string), [])
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.tenants) : can(regex("^[a-z0-9][a-z0-9_-]{0,62}$", name)) && name != "t_unknown"])
    error_message = "A tenant's name has lower-case letters, digits, - and _."
  }
}

variable "soft_delete_days" {
  description = "So long a deleted object can be brought back, and so long erased bytes still exist. 0, or 7 to 90."
  type        = number

  validation {
    condition     = var.soft_delete_days == 0 || (var.soft_delete_days >= 7 && var.soft_delete_days <= 90)
    error_message = "Cloud Storage takes 0, or 7 to 90 days."
  }
}

variable "nearline_after_days" {
  description = "After so many days an object moves to Nearline; null: never."
  type        = number
  default     = null
}

variable "cors_origins" {
  description = "Web origins whose pages send and get recordings at signed addresses."
  type        = list(string)
  default     = []
}

variable "force_destroy" {
  description = "Destroy the bucket though it holds recordings."
  type        = bool
}

variable "labels" {
  description = "Labels."
  type        = map(string)
}
