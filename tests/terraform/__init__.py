"""Terraform, checked without providers or an account."""
