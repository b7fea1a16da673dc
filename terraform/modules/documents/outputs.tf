output "database" {
  description = "Full name of the database, for IAM conditions."
  value       = "projects/${var.project}/databases/${google_firestore_database.default.name}"
}
