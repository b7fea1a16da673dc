variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region of the scheduler."
  type        = string
}

variable "name" {
  description = "What the jobs' names begin with."
  type        = string
}

variable "sweep_uri" {
  description = "Where the sweep is served."
  type        = string
}

variable "audience" {
  description = "What the token says it is for."
  type        = string
}

variable "account" {
  description = "E-mail of the account that calls."
  type        = string
}
