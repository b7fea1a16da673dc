output "uri" {
  description = "Where it is served."
  value       = google_cloud_run_v2_service.function.uri
}

output "audience" {
  description = "What a token for it must say it is for."
  value       = one(google_cloud_run_v2_service.function.custom_audiences)
}

output "member" {
  description = "Its account as an IAM member."
  value       = google_service_account.runtime.member
}
