variable "project" {
  description = "Project id."
  type        = string
}

variable "project_number" {
  description = "Project number: Google's agents are named after it."
  type        = string
}

variable "region" {
  description = "Messages are stored in this region alone."
  type        = string
}

variable "topics" {
  description = "Every topic's name."
  type        = list(string)
}

variable "uploads_topic" {
  description = "The topic that the bucket publishes to."
  type        = string
}

variable "dead_topic" {
  description = "The topic of what was given up."
  type        = string
}

variable "publishers" {
  description = "Topic -> IAM members that publish to it."
  type        = map(list(string))
}

variable "storage_agent" {
  description = "E-mail of the project's Cloud Storage service agent."
  type        = string
}

variable "labels" {
  description = "Labels."
  type        = map(string)
}
