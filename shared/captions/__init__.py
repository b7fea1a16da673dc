"""Captions: how words become cues, what a broadcaster's profile asks, the formats and their check.

Steps lay out with it, the API and the command write and check files with it; nothing here listens.
"""
