"""A CLIP: its name, its file, one text tower for all weights, the image tower, the loaded model."""
