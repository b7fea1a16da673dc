"""The command ``rushes``."""
