"""Finds what is in a recording: hits, loops, phrases; what they share stands beside them."""
