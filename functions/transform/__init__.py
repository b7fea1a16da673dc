"""Changes how a recording sounds: effects, macros, loudness, tempo and pitch."""
