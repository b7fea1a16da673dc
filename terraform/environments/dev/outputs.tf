output "bucket" {
  description = "Where recordings land."
  value       = module.rushes.bucket
}

output "images" {
  description = "What image names begin with."
  value       = module.rushes.images
}

output "api" {
  description = "Where the HTTP API is served."
  value       = module.rushes.api
}
