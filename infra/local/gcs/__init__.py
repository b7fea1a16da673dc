"""The parts of the local bucket server: what Google Cloud Storage's JSON API asks of it."""
