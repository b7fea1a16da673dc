"""Sweep: finds lost work on a schedule (lapsed leases, unannounced uploads), and keeps dead letters."""
