"""Faces made unrecognisable in video: where to cover, how, and what may have been missed."""
