"""Finds what is in a recording: what sounds when, hits, loops, phrases, faces, shots."""
