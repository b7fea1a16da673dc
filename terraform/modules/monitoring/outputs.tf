output "channels" {
  description = "The notification channels' ids."
  value       = values(google_monitoring_notification_channel.email)[*].id
}
