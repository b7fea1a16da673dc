"""What sound is measured by, once for all steps: the loudness meter."""
