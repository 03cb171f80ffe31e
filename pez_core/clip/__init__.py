"""CLIP models: names, files, one text tower for all weights, the image tower, the loaded model."""
