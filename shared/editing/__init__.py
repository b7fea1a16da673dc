"""What people edit of results: clips, timelines, transcripts."""
