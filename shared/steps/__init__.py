"""One step of a run: the table, its claim, its work, what it stores."""
