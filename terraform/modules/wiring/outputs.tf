output "functions" {
  description = "Function -> its size, limits and what it may do in the bucket."
  value       = local.functions
}

output "subscriptions" {
  description = "Consumed topic -> the function it is pushed to, and whether it has a dead-letter policy."
  value       = local.subscriptions

  precondition {
    condition     = length(local.subscriptions) == sum([for row in values(var.pipeline.functions) : length(row.consumes)])
    error_message = "Two functions consume one topic."
  }
}

output "topics" {
  description = "Every topic, sorted."
  value       = local.all_topics
}

output "publishers" {
  description = "Topic -> the functions that publish to it."
  value       = local.publishers
}
