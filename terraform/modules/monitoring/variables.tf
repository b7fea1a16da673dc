variable "project" {
  description = "Project id."
  type        = string
}

variable "name" {
  description = "What services' names begin with."
  type        = string
}

variable "dead_topic" {
  description = "The topic of what was given up."
  type        = string
}

variable "subscriptions" {
  description = "The subscriptions' names."
  type        = list(string)
}

variable "runbook" {
  description = "Address of the page with the runbooks, each under the heading that an alert names."
  type        = string
}

variable "emails" {
  description = "Who is told."
  type        = list(string)
}

variable "oldest_message_s" {
  description = "A subscription whose oldest message is older is reported."
  type        = number
  default     = 3600
}

variable "failed_ratio" {
  description = "A share of failed steps, over half an hour, above which somebody should look. 0 to 1."
  type        = number
  default     = 0.2
}

variable "labels" {
  description = "Labels."
  type        = map(string)
}
