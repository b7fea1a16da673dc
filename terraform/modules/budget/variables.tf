variable "billing_account" {
  description = "Billing account id."
  type        = string
}

variable "project_number" {
  description = "Project number."
  type        = string
}

variable "name" {
  description = "The budget's name."
  type        = string
}

variable "monthly_units" {
  description = "Whole units of the billing account's currency a month."
  type        = number
}

variable "channels" {
  description = "Notification channels that are told, five at most."
  type        = list(string)
}
