"""The HTTP API, which serves the console as well."""
