"""Runs: taking an upload in, planning, moving on, and what people are shown of them."""
