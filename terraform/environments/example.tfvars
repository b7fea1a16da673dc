# Copy to environments/dev/terraform.tfvars (which git ignores) and fill in.
project      = "my-project"
bucket       = "my-project-rushes"
image_tag    = "0123456789ab"
alert_emails = ["ops@example.org"]
runbook      = "https://example.org/rushes/docs/operations.md"
operators    = ["group:rushes-operators@example.org"]
identity     = { issuer = "https://accounts.example.org", audience = "rushes" }
budget       = { billing_account = "000000-000000-000000", monthly_units = 200 }
