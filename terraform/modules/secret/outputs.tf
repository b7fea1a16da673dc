output "id" {
  description = "The secret's id within the project."
  value       = google_secret_manager_secret.secret.secret_id
}
