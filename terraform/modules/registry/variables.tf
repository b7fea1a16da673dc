variable "project" {
  description = "Project id."
  type        = string
}

variable "region" {
  description = "Region of the images."
  type        = string
}

variable "name" {
  description = "The repository's name."
  type        = string
}

variable "labels" {
  description = "Labels."
  type        = map(string)
}
