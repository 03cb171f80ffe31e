"""Files from elsewhere: downloads with their bars, and open_clip's own files."""
