"""Media files: which are accepted, the ffmpeg runner, probing, decoding in blocks."""
