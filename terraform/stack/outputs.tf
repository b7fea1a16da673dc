output "bucket" {
  description = "Where recordings land, below tenants/{tenant}/{env}/uploads/."
  value       = module.bucket.name
}

output "images" {
  description = "What image names begin with."
  value       = module.registry.address
}

output "api" {
  description = "Where the HTTP API is served; null where it is not deployed."
  value       = contains(keys(local.functions), "api") ? module.function["api"].uri : null
}

output "functions" {
  description = "Function -> its address, for whoever looks at logs."
  value       = { for name, function in module.function : name => function.uri }
}
