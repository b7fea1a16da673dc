"""One step of a run: its claim, its work, what it stores."""
