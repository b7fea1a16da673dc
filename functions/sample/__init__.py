"""Hits, loops and phrases of a recording become a pack that a sampler or DAW opens."""
