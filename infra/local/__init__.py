"""What a developer's machine runs in place of Google Cloud."""
