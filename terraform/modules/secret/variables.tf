variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "The secret is kept in this region alone."
  type        = string
}

variable "name" {
  description = "The secret's id."
  type        = string
}

variable "labels" {
  description = "Labels."
  type        = map(string)
}
