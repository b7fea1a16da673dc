"""What to cut out of a recording: by its words, its silences, who speaks."""
