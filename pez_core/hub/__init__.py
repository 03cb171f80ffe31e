"""Files from other places: downloads with their progress bars, and open_clip's own files."""
