variable "project" {
  description = "Project id."
  type        = string
}

variable "location" {
  description = "Location of the database."
  type        = string
}

variable "protected" {
  description = "Can't be deleted, can be read as of any minute of the last week, and is backed up daily."
  type        = bool
}
