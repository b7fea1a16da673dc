output "topics" {
  description = "Topic -> its full name, which is known once its publishers are in place."
  value       = { for name, topic in google_pubsub_topic.topic : name => topic.id }

  depends_on = [google_pubsub_topic_iam_binding.publisher]
}
