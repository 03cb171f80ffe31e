"""Trains the small embedded CLIP of `pez_core` from clip-art; see README.md beside this file."""
