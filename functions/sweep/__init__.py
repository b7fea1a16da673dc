"""Sweep: what fell between two chairs, on a schedule; and the dead letters, as they come."""
