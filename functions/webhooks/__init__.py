"""Tells a tenant's own service what happened, signed, until it answers."""
