variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region of the service."
  type        = string
}

variable "name" {
  description = "The service's name, which its account and the audience of its tokens share."
  type        = string
}

variable "image" {
  description = "The image, by digest or by a tag that is never moved."
  type        = string
}

variable "size" {
  description = "What the module `wiring` found for this function."
  type = object({
    cpu           = number
    memory_gib    = number
    min_instances = number
    max_instances = number
    concurrency   = number
    gpu           = bool
    public        = bool
    timeout_s     = number
    cpu_always    = bool
    disk_gib      = number
  })
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
}

variable "secrets" {
  description = "Environment variable -> id of the secret that holds its value."
  type        = map(string)
  default     = {}
}

variable "database" {
  description = "Full name of the Firestore database that it may read and write."
  type        = string
}

variable "invokers" {
  description = "IAM members that may call it; none where the function verifies its callers itself."
  type        = list(string)
  default     = []
}

variable "signs_addresses" {
  description = "It signs addresses of objects with its own account, which has no key on disk."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Refuse to destroy the service."
  type        = bool
}

variable "labels" {
  description = "Labels."
  type        = map(string)
}
