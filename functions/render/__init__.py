"""Renders timelines: audio, video, and the origins of clips in video."""
