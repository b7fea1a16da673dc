variable "project" {
  description = "Project id."
  type        = string
}

variable "project_number" {
  description = "Project number: Google's agents are named after it."
  type        = string
}

variable "name" {
  description = "The subscription's name: its topic's."
  type        = string
}

variable "topic" {
  description = "Full name of the topic."
  type        = string
}

variable "endpoint" {
  description = "Address of the function that it is pushed to."
  type        = string
}

variable "audience" {
  description = "What the token says it is for."
  type        = string
}

variable "push_account" {
  description = "E-mail of the account that pushes."
  type        = string
}

variable "dead_topic" {
  description = "Full name of the topic of what no function could receive."
  type        = string
}

variable "filter" {
  description = "Which messages it gets, in Pub/Sub's words; empty: all."
  type        = string
}

variable "dead_letter" {
  description = "False for the dead topic's own subscription: its messages have nowhere further to go."
  type        = bool
}

variable "labels" {
  description = "Labels."
  type        = map(string)
}
