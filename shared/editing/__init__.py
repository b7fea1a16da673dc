"""What people edit of results: clips, timelines, edit lists."""
