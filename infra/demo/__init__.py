"""The demo's clip and how it is made."""
